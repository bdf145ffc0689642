"""The contract's harness of Google: a fresh account on a server on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

from tenantry.calendars.google import GoogleCalendars
from tenantry.calendars.wire import TIMEOUT_S, CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tests.contract.harness import IMPATIENT_S, ZONE, HeldCredentials, NewHarness, Stored
from tests.google_server import GoogleServer, google_server
from tests.google_server.calendars import GoogleCalendar
from tests.google_server.server import Fault

_API = "https://www.googleapis.com/auth/calendar"
EVENTS, READONLY = f"{_API}.events", f"{_API}.readonly"


@dataclass
class GoogleHarness:
    """An account with two calendars; see CalendarHarness."""

    server: GoogleServer
    outbound: OutboundHttp
    scopes: tuple[str, ...] = (EVENTS, READONLY)
    email: str = field(default_factory=lambda: f"{uuid4().hex}@gmail.example")

    def __post_init__(self) -> None:
        self.grant = self.server.sign_in(self.email, *self.scopes)
        self.calendars = self.server.account(self.email)
        self.calendar = self.email
        self.second = f"{uuid4().hex}@group.calendar.google.com"
        self.absent = "absent@group.calendar.google.com"
        self.calendars[self.second] = GoogleCalendar(self.second, "Family / Größer")
        self.credentials = HeldCredentials(f"Bearer {self.server.oauth.issue(self.grant)}", self._issue)
        self.provider = self._provider(TIMEOUT_S)
        self.impatient = self._provider(IMPATIENT_S)

    async def _issue(self) -> str:
        return self.server.oauth.issue(self.grant)

    def _provider(self, timeout_s: float) -> GoogleCalendars:
        http = CalendarHttp(self.outbound, self.credentials, timeout_s)
        return GoogleCalendars(http, self.server.client().api_url)

    async def plant(
        self,
        slot: Interval | None = None,
        *,
        title: str = "Private",
        all_day_on: date | None = None,
        weekly: int = 0,
        free: bool = False,
        calendar: str | None = None,
    ) -> str:
        event: dict[str, Any] = {"summary": title}
        if all_day_on is not None:
            event["start"] = {"date": all_day_on.isoformat()}
            event["end"] = {"date": (all_day_on + timedelta(days=1)).isoformat()}
        if slot is not None:
            event |= _times(slot)
        if weekly:
            event["recurrence"] = [f"RRULE:FREQ=WEEKLY;COUNT={weekly}"]
        if free:
            event["transparency"] = "transparent"
        return self.calendars[calendar or self.calendar].put(event)["id"]

    async def move(self, remote_id: str, slot: Interval) -> None:
        calendar = self.calendars[self.calendar]
        calendar.put({**calendar.events[remote_id], **_times(slot)})

    async def delete(self, remote_id: str) -> None:
        self.calendars[self.calendar].cancel(remote_id)

    async def stored(self) -> list[Stored]:
        calendar = self.calendars[self.calendar]
        return [
            _stored(event, Interval(*calendar.span(event)))
            for event in calendar.events.values()
            if event["status"] != "cancelled" and "recurrence" not in event and "dateTime" in event["start"]
        ]

    async def fail_next(self, status: int, retry_after: int | None = None) -> None:
        self.server.faults.append(Fault(status, retry_after=retry_after))

    async def hang_after_commit(self) -> None:
        self.server.faults.append(Fault())

    async def forget_tokens(self) -> None:
        for calendar in self.calendars.values():
            calendar.tokens.clear()


def _times(slot: Interval) -> dict[str, Any]:
    spans = {"start": slot.start, "end": slot.end}
    return {side: {"dateTime": at.astimezone(ZONE).isoformat(), "timeZone": ZONE.key} for side, at in spans.items()}


def _stored(event: dict[str, Any], slot: Interval) -> Stored:
    key = event.get("extendedProperties", {}).get("private", {}).get("tenantryBooking")
    attendees = frozenset(one["email"] for one in event.get("attendees", ()))
    return Stored(event["id"], slot, UUID(key) if key else None, event["summary"], attendees)


@asynccontextmanager
async def opened() -> AsyncIterator[NewHarness]:
    """A server, and what makes fresh accounts on it."""
    outbound = OutboundHttp(NetworkPolicy((ip_network("127.0.0.0/8"),)))
    async with google_server() as server:

        async def new() -> GoogleHarness:
            server.faults.clear()
            return GoogleHarness(server, outbound)

        yield new
        await outbound.close()
