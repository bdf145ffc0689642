"""The calendars of one CalDAV account."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from yarl import URL

from tenantry.calendars.caldav import discovery, queries
from tenantry.calendars.caldav.dav import GONE, CalendarObject, Dav, beside_the_loop, refused
from tenantry.calendars.caldav.multistatus import CALDAV, preconditions
from tenantry.calendars.caldav.queries import Delta, TokenUnknown
from tenantry.calendars.caldav.reading import events_in, first_events, needs_zone
from tenantry.calendars.caldav.writing import file_name, rewritten, written
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, CalendarChoice, Changes, RemoteEvent
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable

_DAY = timedelta(days=1)
_TRIES = 5
# Parts of an answer that the server cut off.
_MOST_PARTS = 20
_SYNC, _CTAG = "sync:", "ctag:"


class CalDavCalendars:
    """A CalendarProvider. Remote ids are paths on the server; an occurrence of a recurring event has its start behind a
    `#`. An event that its owner deleted leaves no trace there: `create` makes it anew."""

    def __init__(self, http: CalendarHttp, url: str, zone: ZoneInfo | None = None) -> None:
        """`url` is what the member gave; `zone` is of the days in calendars that name none, UTC by default.

        Raises CalendarRefused for a URL that is none of HTTP.
        """
        try:
            base = URL(url).with_user(None).with_fragment(None).with_query(None)
        except ValueError as error:
            raise CalendarRefused("This is not the address of a calendar server.") from error
        if base.scheme not in {"http", "https"} or not base.raw_host:
            raise CalendarRefused("The address of a calendar server begins with https://.")
        self._dav = Dav(http, base)
        self._zone = zone or ZoneInfo("UTC")

    async def account(self) -> str:
        """See CalendarProvider."""
        return (await discovery.account(self._dav)).name

    async def calendars(self) -> list[CalendarChoice]:
        """See CalendarProvider."""
        return await discovery.calendars(self._dav)

    async def events(self, calendar: str, window: Interval) -> list[RemoteEvent]:
        """See CalendarProvider."""
        calendar = self._collection(calendar)
        # A day more: servers have their own idea of the zone of days and floating times.
        start, end = window.start - _DAY, window.end + _DAY
        objects = await queries.objects_between(self._dav, calendar, start, end)
        zone = await self._zone_for(calendar, objects)
        return await beside_the_loop(events_in, objects, window, zone)

    async def busy(self, calendars: Sequence[str], window: Interval) -> list[Interval]:
        """See CalendarProvider."""
        of_each = await asyncio.gather(*(self.events(calendar, window) for calendar in calendars))
        return [event.slot for events in of_each for event in events if event.busy]

    async def create(self, calendar: str, appointment: Appointment) -> RemoteEvent:
        """See CalendarProvider."""
        calendar = self._collection(calendar)
        path = calendar + file_name(appointment.key)
        answer = await self._dav.put(path, written(appointment, datetime.now(UTC)), {"If-None-Match": "*"})
        exists = answer.status == 412 or f"{CALDAV}no-uid-conflict" in preconditions(answer.body)
        if not answer.ok and not exists:
            raise refused(answer)
        found = await self.find(calendar, appointment)
        if found is None:
            raise CalendarRefused("The event was deleted in the calendar.")
        return found

    async def find(self, calendar: str, appointment: Appointment) -> RemoteEvent | None:
        """See CalendarProvider."""
        calendar = self._collection(calendar)
        found = await self._dav.get(calendar + file_name(appointment.key))
        if found is not None:
            return await self._event(calendar, found)
        # Another program may have stored it under another name.
        renamed = await queries.objects_of(self._dav, calendar, appointment.key)
        events = await self._first_events(calendar, renamed)
        return next((event for event in events if event.key == appointment.key), None)

    async def change(self, calendar: str, remote_id: str, appointment: Appointment) -> RemoteEvent | None:
        """See CalendarProvider."""
        calendar, path = self._collection(calendar), self._dav.path(remote_id)
        there = await self._dav.get(path)
        for _ in range(_TRIES):
            if there is None:
                return None
            body = rewritten(there.text, appointment, datetime.now(UTC))
            if body is None:
                return await self._event(calendar, there)
            answer = await self._dav.put(path, body, {"If-Match": there.tag or "*"})
            if not answer.ok and answer.status != 412 and answer.status not in GONE:
                raise refused(answer)
            there = await self._dav.get(path)
            if answer.ok and there is not None:
                return await self._event(calendar, there)
        raise CalendarUnavailable("The event is changed by others all the time; try again in a moment.")

    async def cancel(self, calendar: str, remote_id: str) -> None:
        """See CalendarProvider."""
        await self._dav.delete(self._dav.path(remote_id))

    async def changes(self, calendar: str, token: str | None) -> Changes:
        """See CalendarProvider. From a server that cannot tell what changed (RFC 6578), all that is there is read when
        anything did."""
        calendar = self._collection(calendar)
        try:
            if token is not None and token.startswith(_SYNC):
                return await self._since(calendar, token.removeprefix(_SYNC))
        except TokenUnknown:
            token = None
        # Asked before the events: what changes in between comes once more the next time.
        state = await queries.state(self._dav, calendar)
        now = _SYNC + state.sync_token if state.sync_token else _CTAG + state.ctag
        if token == now and state.ctag:
            return Changes((), frozenset(), now)
        objects = await queries.objects_from(self._dav, calendar, datetime.now(UTC) - _DAY)
        return Changes(await self._first_events(calendar, objects), frozenset(), now, whole=True)

    async def _since(self, calendar: str, sync_token: str) -> Changes:
        changed: set[str] = set()
        gone: set[str] = set()
        for _ in range(_MOST_PARTS):
            part: Delta = await queries.delta(self._dav, calendar, sync_token)
            changed = (changed | {*part.changed}) - part.gone
            gone = (gone | part.gone) - {*part.changed}
            sync_token = part.sync_token or sync_token
            if not part.more:
                break
        objects = await queries.objects_at(self._dav, calendar, sorted(changed))
        return Changes(await self._first_events(calendar, objects), frozenset(gone), _SYNC + sync_token)

    async def _first_events(self, calendar: str, objects: Sequence[CalendarObject]) -> tuple[RemoteEvent, ...]:
        """The event of each object; of a recurring one, its first occurrence."""
        return await beside_the_loop(first_events, objects, await self._zone_for(calendar, objects))

    async def _event(self, calendar: str, found: CalendarObject) -> RemoteEvent:
        events = await self._first_events(calendar, [found])
        if not events:
            raise CalendarRefused("The event in the calendar cannot be read.")
        return events[0]

    async def _zone_for(self, calendar: str, objects: Sequence[CalendarObject]) -> ZoneInfo:
        if not await beside_the_loop(needs_zone, objects):
            return self._zone
        return await queries.zone(self._dav, calendar) or self._zone

    def _collection(self, calendar: str) -> str:
        path = self._dav.path(calendar)
        return path if path.endswith("/") else path + "/"
