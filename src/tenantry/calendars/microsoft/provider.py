"""The calendars of a Microsoft account."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from urllib.parse import quote

from tenantry.calendars.base import WebHook
from tenantry.calendars.microsoft.graph import Graph, SyncStateLost, error_code, failure
from tenantry.calendars.microsoft.resources import (
    BOOKING_PROPERTY,
    CALENDAR_FIELDS,
    EVENT_FIELDS,
    CalendarPage,
    Event,
    EventPage,
    Meeting,
    Subscription,
    User,
    changed_event,
    new_event,
    remote_event,
)
from tenantry.calendars.wire import UNDOCUMENTED, CalendarHttp, HttpAnswer
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, CalendarChoice, Changes, RemoteEvent, Watch
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable

_GONE = frozenset({404, 410})
_DAY = timedelta(days=1)
_SYNC_AHEAD = timedelta(days=400)
# The window of a delta never moves: it is opened anew while it still reaches a year ahead.
_SYNC_LASTS = timedelta(days=30)
# A delta takes no $select: bodies come along, as short as they can be had, in pages that stay small.
_SYNC_PREFER = ("odata.maxpagesize=50", 'outlook.body-content-type="text"')


class MicrosoftCalendar:
    """A CalendarProvider, and Watchable, on Microsoft Graph. Everything is read from calendarView, which work and
    school accounts and personal ones have alike; getSchedule, for free/busy, is not there for personal ones.

    The key of an event is read from its `transactionId`; to find an event by it, which Graph does not do, it is also
    kept as an extended property. An all-day event counts from midnight to midnight in the zone that it was made in.
    """

    def __init__(self, http: CalendarHttp, api_url: str, gate: asyncio.Semaphore) -> None:
        """`gate` is the mailbox's of `MailboxGates`."""
        self._graph = Graph(http, api_url, gate)

    async def account(self) -> str:
        """The address of who signed in."""
        answer = await self._graph.ask("GET", self._graph.url("me", query={"$select": "mail,userPrincipalName"}))
        if not answer.ok:
            raise failure(answer)
        user = answer.read(User)
        return user.mail or user.user_principal_name

    async def calendars(self) -> list[CalendarChoice]:
        """The account's calendars and those that are shared with it."""
        url = self._graph.url("me", "calendars", query={"$select": CALENDAR_FIELDS, "$top": "100"})
        return [calendar.choice() async for page in self._graph.pages(url, CalendarPage) for calendar in page.value]

    async def events(self, calendar: str, window: Interval) -> list[RemoteEvent]:
        """What overlaps the window."""
        # In which zone Graph looks for all-day events is not documented: they are asked for a day around.
        wider = Interval(window.start - _DAY, window.end + _DAY)
        query = {**_view(wider), "$select": EVENT_FIELDS, "$top": "500"}
        url = self._graph.url("me", "calendars", calendar, "calendarView", query=query)
        found = [_read(event) async for page in self._graph.pages(url, EventPage) for event in page.value]
        return [event for event in found if event.slot.start < window.end and window.start < event.slot.end]

    async def busy(self, calendars: Sequence[str], window: Interval) -> list[Interval]:
        """When any of the calendars is busy, tentative or out of office."""
        found = await asyncio.gather(*(self.events(calendar, window) for calendar in calendars))
        return [event.slot for event in chain.from_iterable(found) if event.busy]

    async def create(self, calendar: str, appointment: Appointment) -> RemoteEvent:
        """The event of the appointment's key. Raises CalendarRefused also for one that was deleted."""
        url = self._graph.url("me", "calendars", calendar, "events")
        answer = await self._graph.ask("POST", url, new_event(appointment))
        if answer.ok:
            return _read(answer.read(Event))
        if answer.status != 409 or error_code(answer) != "ErrorDuplicateTransactionId":
            raise failure(answer)
        found = await self.find(calendar, appointment)
        if found is None:
            raise CalendarRefused("The event of this booking was deleted from the calendar; make another booking.")
        return found

    async def find(self, calendar: str, appointment: Appointment) -> RemoteEvent | None:
        """The event of the appointment's key, wherever it was moved to in the calendar."""
        named = f"ep/id eq '{BOOKING_PROPERTY}' and ep/value eq '{appointment.key}'"
        query = {"$filter": f"singleValueExtendedProperties/any(ep: {named})", "$select": EVENT_FIELDS, "$top": "2"}
        url = self._graph.url("me", "calendars", calendar, "events", query=query)
        async for page in self._graph.pages(url, EventPage):
            for event in page.value:
                return _read(event)
        return None

    async def change(self, calendar: str, remote_id: str, appointment: Appointment) -> RemoteEvent | None:
        """Bring the event to the appointment's slot and title."""
        url = self._graph.url("me", "calendars", calendar, "events", remote_id)
        answer = await self._graph.ask("PATCH", url, changed_event(appointment))
        if answer.status in _GONE:
            return None
        if not answer.ok:
            raise failure(answer)
        return _read(answer.read(Event))

    async def cancel(self, calendar: str, remote_id: str) -> None:
        """Cancel the meeting of the account, or delete the event that nobody else is invited to."""
        url = self._graph.url("me", "calendars", calendar, "events", remote_id)
        answer = await self._graph.ask("GET", f"{url}?$select=attendees,isOrganizer")
        if answer.ok:
            meeting = answer.read(Meeting)
            if meeting.attendees and meeting.is_organizer:
                answer = await self._graph.ask("POST", f"{url}/cancel", {"Comment": ""})
            else:
                answer = await self._graph.ask("DELETE", url)
        if not answer.ok and answer.status not in _GONE:
            raise failure(answer)

    async def changes(self, calendar: str, token: str | None) -> Changes:
        """What changed in the window of the token, which is from a day before it was first given out to 400 days
        after. What was moved out of the window, or into another calendar, is gone as well."""
        known = self._sync_link(token)
        if known is not None:
            begun, link = known
            try:
                return await self._sync(calendar, link, begun, whole=False)
            except SyncStateLost:
                pass
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        query = _view(Interval(today - _DAY, today + _SYNC_AHEAD))
        link = self._graph.url("me", "calendars", calendar, "calendarView", "delta", query=query)
        return await self._sync(calendar, link, today.date(), whole=True)

    def _sync_link(self, token: str | None) -> tuple[date, str] | None:
        """When the window of the token was opened, and where it goes on; None when it has to be opened anew."""
        begun, _, link = (token or "").partition(" ")
        try:
            day = date.fromisoformat(begun)
        except ValueError:
            return None
        fresh = day + _SYNC_LASTS >= datetime.now(UTC).date()
        return (day, link) if fresh and self._graph.owns(link) else None

    async def _sync(self, calendar: str, link: str, begun: date, *, whole: bool) -> Changes:
        changed: dict[str, Event] = {}
        gone: set[str] = set()
        next_time: str | None = None
        async for page in self._graph.pages(link, EventPage, prefer=_SYNC_PREFER):
            for event in page.value:
                if event.removed is None:
                    changed[event.id] = event
                    gone.discard(event.id)
                else:
                    changed.pop(event.id, None)
                    gone.add(event.id)
            next_time = page.delta_link
        if next_time is None:
            raise CalendarUnavailable("Microsoft Graph did not say where its changes go on.")
        masters = await self._masters(calendar, changed)
        events = [
            _read(event, masters.get(event.series_master_id or ""))
            for event in changed.values()
            if event.type != "seriesMaster"
        ]
        return Changes(tuple(events), frozenset() if whole else frozenset(gone), f"{begun} {next_time}", whole)

    async def watch(self, calendar: str, hook: WebHook, until: datetime) -> Watch:
        """Subscribe to what is changed and deleted; Graph tries the address before it answers."""
        wanted = {
            "changeType": "updated,deleted",
            "notificationUrl": hook.url,
            "resource": f"me/calendars/{quote(calendar, safe='=')}/events",
            "expirationDateTime": _instant(until),
            "clientState": hook.secret,
        }
        answer = await self._graph.ask("POST", self._graph.url("subscriptions"), wanted)
        if not answer.ok:
            raise failure(answer)
        return _watch(answer)

    async def renew(self, watch: Watch, until: datetime) -> Watch | None:
        """Put the subscription's end off; None when Graph does not know it any more."""
        url = self._graph.url("subscriptions", watch.id)
        answer = await self._graph.ask("PATCH", url, {"expirationDateTime": _instant(until)})
        if answer.status in _GONE:
            return None
        if not answer.ok:
            raise failure(answer)
        return _watch(answer)

    async def unwatch(self, watch: Watch) -> None:
        """End the subscription."""
        answer = await self._graph.ask("DELETE", self._graph.url("subscriptions", watch.id))
        if not answer.ok and answer.status not in _GONE:
            raise failure(answer)

    async def _masters(self, calendar: str, changed: dict[str, Event]) -> dict[str, Event]:
        """The series of the occurrences, which say little themselves; those that the delta does not have are asked
        for."""
        wanted = {
            master for event in changed.values() if event.type == "occurrence" and (master := event.series_master_id)
        }
        masters = {master: changed[master] for master in wanted & changed.keys()}
        for master in sorted(wanted - masters.keys()):
            url = self._graph.url("me", "calendars", calendar, "events", master, query={"$select": EVENT_FIELDS})
            answer = await self._graph.ask("GET", url)
            if answer.ok:
                masters[master] = answer.read(Event)
            elif answer.status not in _GONE:
                raise failure(answer)
        return masters


def _view(window: Interval) -> dict[str, str]:
    return {"startDateTime": _instant(window.start), "endDateTime": _instant(window.end)}


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _watch(answer: HttpAnswer) -> Watch:
    try:
        return answer.read(Subscription).watch
    except ValueError as error:
        raise CalendarUnavailable(UNDOCUMENTED) from error


def _read(event: Event, series: Event | None = None) -> RemoteEvent:
    try:
        return remote_event(event, series)
    except (ValueError, OverflowError) as error:
        raise CalendarUnavailable("Microsoft Graph answered with an event that has no valid times.") from error
