"""A member with an account on a real CalDAV server, and what they do there by other programs."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from tenantry.calendars.caldav.provider import CalDavCalendars
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment
from tenantry.domain.ids import new_id
from tenantry.outbound.client import OutboundHttp
from tests.contract.harness import HeldCredentials
from tests.radicale_server import RadicaleServer, basic

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=10)


@dataclass
class Member:
    """A user of the server, their calendar and what they connected."""

    server: RadicaleServer
    http: OutboundHttp
    user: str
    calendar: str = ""

    def connected(self, url: str | None = None, password: str | None = None) -> CalDavCalendars:
        credentials = HeldCredentials(basic(self.user, password or self.user))
        return CalDavCalendars(CalendarHttp(self.http, credentials), url or self.server.url)

    async def put(self, *lines: str, name: str = "theirs", head: str = "") -> str:
        """The member stores an event of these lines, called `name`."""
        body = "\r\n".join(("BEGIN:VEVENT", f"UID:{name}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))
        text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//X//EN\r\n{head}{body}\r\nEND:VCALENDAR\r\n"
        return await self.server.put(self.user, f"{self.calendar}{name}.ics", text)

    async def event(self, path: str) -> Event:
        """An event as the server holds it."""
        _, _, text = await self.server.ask(self.user, "GET", path)
        return Calendar.from_ical(text).events[0]

    async def edit(self, path: str, before: str, after: str) -> None:
        """The member changes what an event says."""
        _, _, text = await self.server.ask(self.user, "GET", path)
        assert before in text
        await self.server.put(self.user, path, text.replace(before, after))


def appointment(start: datetime = NOON, **others: Any) -> Appointment:
    made = Appointment(new_id(), Interval(start, start + HOUR), BERLIN.key, title="Viewing", description="Ring twice")
    return replace(made, **others)


def day(start: datetime) -> Interval:
    return Interval(start - 24 * HOUR, start + 24 * HOUR)


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[misc,arg-type]
