"""The calendars of one Google account."""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tenantry.calendars.base import WebHook
from tenantry.calendars.google import wire
from tenantry.calendars.wire import UNDOCUMENTED, CalendarHttp, HttpAnswer, retry_after
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, CalendarChoice, Changes, RemoteEvent, Watch
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken, TenantryError

_GONE = frozenset({404, 410})
_DUPLICATE = frozenset({409})
# 410 is what is documented for a token that is too old; 400 comes for one that is no token of this calendar.
_TOKEN_REFUSED = frozenset({400, 410})
_FORBIDDEN = frozenset({403})
_THROTTLED = frozenset(
    {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded", "calendarUsageLimitsExceeded"}
)
_SCOPE_MISSING = frozenset({"insufficientPermissions"})
_WRITABLE = frozenset({"owner", "writer"})
# A query of free/busy is refused for longer windows and for more calendars.
_LONGEST_QUERY = timedelta(days=60)
_CALENDARS_OF_QUERY = 50
_PAGE = {"maxResults": "2500"}
# Of many attendees, only the calendar's own answer is of interest.
_OCCURRENCES = {"singleEvents": "true", "maxAttendees": "1", "fields": wire.EventPage.FIELDS, **_PAGE}

PageOf = TypeVar("PageOf", bound=wire.Page)


@dataclass(frozen=True, slots=True)
class GoogleCalendars:
    """A CalendarProvider, and Watchable, over the Calendar API v3 at `api_url`."""

    http: CalendarHttp
    api_url: str

    async def account(self) -> str:
        """The account's e-mail address, which is the id of its main calendar."""
        answer = await self._ask("GET", "users/me/calendarList/primary", {"fields": "id"})
        return answer.read(wire.ListedCalendar).id

    async def calendars(self) -> list[CalendarChoice]:
        """The calendars that the account shows in its list."""
        query = {"maxResults": "250", "fields": wire.CalendarPage.FIELDS}
        return [
            CalendarChoice(
                remote_id=one.id,
                name=one.summary_override or one.summary or one.id,
                primary=one.primary,
                writable=one.access_role in _WRITABLE,
            )
            async for page in self._pages("users/me/calendarList", query, wire.CalendarPage)
            for one in page.items
        ]

    async def events(self, calendar: str, window: Interval) -> list[RemoteEvent]:
        """As CalendarProvider says."""
        query = {**_OCCURRENCES, **wire.window_query(window)}
        return [
            _understood(event, page.time_zone)
            async for page in self._pages(_events(calendar), query, wire.EventPage)
            for event in page.items
            if not event.gone
        ]

    async def busy(self, calendars: Sequence[str], window: Interval) -> list[Interval]:
        """As CalendarProvider says; Google cuts at the ends of the window, and at every 60 days."""
        found: list[Interval] = []
        for first in range(0, len(calendars), _CALENDARS_OF_QUERY):
            asked = calendars[first : first + _CALENDARS_OF_QUERY]
            for part in _parts(window):
                body = {**wire.window_query(part), "items": [{"id": one} for one in asked]}
                answer = await self._ask("POST", "freeBusy", {"fields": "calendars"}, body)
                told = answer.read(wire.FreeBusy).calendars
                for one in asked:
                    found += _busy_times(told.get(one))
        return found

    async def create(self, calendar: str, appointment: Appointment) -> RemoteEvent:
        """As CalendarProvider says: the event's id is made of the key, and taken by the first that creates it."""
        query = {"sendUpdates": _send_updates(appointment), "fields": wire.Event.FIELDS}
        answer = await self._ask("POST", _events(calendar), query, wire.new_event(appointment), _DUPLICATE)
        if answer.ok:
            return await self._remote(calendar, answer.read(wire.Event))
        found = await self.find(calendar, appointment)
        if found is None:
            raise CalendarRefused("The event of this booking was deleted in the Google calendar; book anew.")
        return found

    async def find(self, calendar: str, appointment: Appointment) -> RemoteEvent | None:
        """As CalendarProvider says."""
        return await self._get(calendar, wire.event_id(appointment.key))

    async def change(self, calendar: str, remote_id: str, appointment: Appointment) -> RemoteEvent | None:
        """As CalendarProvider says; the attendees are told, and stay."""
        query = {"sendUpdates": _send_updates(appointment), "fields": wire.Event.FIELDS}
        body = wire.event_patch(appointment)
        answer = await self._ask("PATCH", _event(calendar, remote_id), query, body, _GONE | _FORBIDDEN)
        if answer.status in _GONE:
            return None
        if answer.ok:
            event = answer.read(wire.Event)
            return None if event.gone else await self._remote(calendar, event)
        # A deleted event can be read for some weeks, but not be changed.
        if _reason(answer) == "forbidden" and await self._get(calendar, remote_id) is None:
            return None
        raise await self._fault(answer)

    async def cancel(self, calendar: str, remote_id: str) -> None:
        """As CalendarProvider says."""
        await self._ask("DELETE", _event(calendar, remote_id), {"sendUpdates": "all"}, expected=_GONE)

    async def changes(self, calendar: str, token: str | None) -> Changes:
        """As CalendarProvider says; events that are over when it begins are left out for good."""
        changed = None if token is None else await self._synchronized(calendar, {"syncToken": token}, _TOKEN_REFUSED)
        if changed is not None:
            return changed
        whole = await self._synchronized(calendar, {"timeMin": wire.written(datetime.now(UTC))})
        if whole is None:
            raise CalendarUnavailable("Google listed a calendar without a token for its changes.")
        return Changes(whole.events, frozenset(), whole.token, whole=True)

    async def watch(self, calendar: str, hook: WebHook, until: datetime) -> Watch:
        """As Watchable says; Google calls once at the beginning, and also when something is new."""
        body = wire.new_channel(hook, until)
        answer = await self._ask("POST", f"{_events(calendar)}/watch", {"fields": wire.Channel.FIELDS}, body)
        try:
            return answer.read(wire.Channel).watch
        except (ValueError, OverflowError) as error:
            raise CalendarUnavailable(UNDOCUMENTED) from error

    async def renew(self, watch: Watch, until: datetime) -> Watch | None:
        """None: a channel ends when it ends."""
        return None

    async def unwatch(self, watch: Watch) -> None:
        """As Watchable says."""
        body = {"id": watch.id, "resourceId": watch.resource_id}
        await self._ask("POST", "channels/stop", {}, body, expected=_GONE)

    async def _synchronized(
        self, calendar: str, since: Mapping[str, str], refused: frozenset[int] = frozenset()
    ) -> Changes | None:
        """All pages and the token of the last; None when it was answered with a status of `refused`."""
        events: list[RemoteEvent] = []
        gone: set[str] = set()
        token = None
        async for page in self._pages(_events(calendar), {**_OCCURRENCES, **since}, wire.EventPage, refused):
            gone.update(event.id for event in page.items if event.gone)
            events += [_understood(event, page.time_zone) for event in page.items if not event.gone]
            token = page.next_sync_token
        return Changes(tuple(events), frozenset(gone), token) if token else None

    async def _get(self, calendar: str, remote_id: str) -> RemoteEvent | None:
        query = {"fields": wire.Event.FIELDS, "maxAttendees": "1"}
        answer = await self._ask("GET", _event(calendar, remote_id), query, expected=_GONE)
        if answer.status in _GONE:
            return None
        event = answer.read(wire.Event)
        return None if event.gone else await self._remote(calendar, event)

    async def _remote(self, calendar: str, event: wire.Event) -> RemoteEvent:
        if not event.all_day:
            return _understood(event, "UTC")
        answer = await self._ask("GET", _events(calendar), {"fields": "timeZone", "maxResults": "1"})
        return _understood(event, answer.read(wire.EventPage).time_zone)

    async def _pages(
        self, path: str, query: Mapping[str, str], shape: type[PageOf], refused: frozenset[int] = frozenset()
    ) -> AsyncGenerator[PageOf]:
        """The pages of a list, none any more after an answer with a status of `refused`."""
        token: Mapping[str, str] = {}
        while True:
            answer = await self._ask("GET", path, {**query, **token}, expected=refused)
            if not answer.ok:
                return
            page = answer.read(shape)
            yield page
            if page.next_page_token is None:
                return
            token = {"pageToken": page.next_page_token}

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        expected: frozenset[int] = frozenset(),
    ) -> HttpAnswer:
        """The answer, which is 2xx or of a status of `expected`. Raises what every other answer means."""
        url = f"{self.api_url}/{path}?{urlencode(query)}"
        headers = {"Accept": "application/json"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        answer = await self.http.send(method, url, headers=headers, body=content, refuses=_refuses_credential)
        if answer.ok or answer.status in expected:
            return answer
        raise await self._fault(answer)

    async def _fault(self, answer: HttpAnswer) -> TenantryError:
        reason = _reason(answer)
        if answer.status == 403 and reason in _THROTTLED:
            return CalendarUnavailable(
                f"Google takes no more requests for now ({reason}).", retry_after=retry_after(answer.headers)
            )
        if answer.status == 403 and reason in _SCOPE_MISSING:
            await self.http.credentials.broken(f"HTTP 403 {reason}")
            return ConnectionBroken()
        return CalendarRefused(
            f"Google refused this with HTTP {answer.status} ({reason}); check the calendar's rights, or choose another."
        )


def _events(calendar: str) -> str:
    return f"calendars/{quote(calendar, safe='')}/events"


def _event(calendar: str, remote_id: str) -> str:
    return f"{_events(calendar)}/{quote(remote_id, safe='')}"


def _send_updates(appointment: Appointment) -> str:
    return "all" if appointment.attendee else "none"


def _parts(window: Interval) -> Iterator[Interval]:
    start = window.start
    while start < window.end:
        end = min(start + _LONGEST_QUERY, window.end)
        yield Interval(start, end)
        start = end


def _busy_times(told: wire.CalendarBusy | None) -> list[Interval]:
    """Raises CalendarRefused, and CalendarUnavailable, when it is not known."""
    if told is None:
        raise CalendarUnavailable(UNDOCUMENTED)
    if told.errors:
        reason = _word(told.errors[0].reason)
        if reason == "internalError" or reason in _THROTTLED:
            raise CalendarUnavailable(f"Google does not say when a calendar is busy ({reason}).")
        raise CalendarRefused(f"Google does not say when a calendar is busy ({reason}); choose another one.")
    try:
        return [Interval(wire.read_instant(each.start), wire.read_instant(each.end)) for each in told.busy]
    except ValueError as error:
        raise CalendarUnavailable(UNDOCUMENTED) from error


def _understood(event: wire.Event, time_zone: str) -> RemoteEvent:
    try:
        return wire.remote_event(event, ZoneInfo(time_zone))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise CalendarUnavailable(UNDOCUMENTED) from error


def _reason(answer: HttpAnswer) -> str:
    """The word that says why, and nothing else of what Google wrote."""
    try:
        told = msgspec.json.decode(answer.body, type=wire.ErrorAnswer).error.errors
    except msgspec.DecodeError:
        return "unknown"
    return _word(told[0].reason) if told else "unknown"


def _refuses_credential(answer: HttpAnswer) -> bool:
    # The address of a channel may be answered with 401 as well, by a reason such as "push.webhookUrlUnauthorized".
    return answer.status == 401 and b'"push.' not in answer.body


def _word(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z]{1,40}", text) else "unknown"
