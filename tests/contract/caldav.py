"""What the contract test needs of CalDAV: accounts on a real Radicale server, and what their owners do there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from icalendar import Calendar, Event

from tenantry.calendars.caldav.provider import CalDavCalendars
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.domain.ids import new_id
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tests.contract.harness import IMPATIENT_S, ZONE, HeldCredentials, NewHarness, Stored
from tests.radicale_server import RadicaleServer, answering, basic, hang_after_commit, radicale_server


@dataclass
class CalDavHarness:
    """An account on the server."""

    server: RadicaleServer
    user: str
    provider: CalDavCalendars
    impatient: CalDavCalendars
    credentials: HeldCredentials
    calendar: str
    second: str
    absent: str

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
        event = Event()
        uid = str(new_id())
        event.add("UID", uid)
        event.add("DTSTAMP", datetime.now(UTC))
        event.add("SUMMARY", title)
        if slot is not None:
            event.add("DTSTART", slot.start.astimezone(ZONE))
            event.add("DTEND", slot.end.astimezone(ZONE))
        elif all_day_on is not None:
            event.add("DTSTART", all_day_on)
            event.add("DTEND", all_day_on + timedelta(days=1))
        if weekly:
            event.add("RRULE", {"FREQ": "WEEKLY", "COUNT": weekly})
        if free:
            event.add("TRANSP", "TRANSPARENT")
        return await self._store(f"{calendar or self.calendar}{uid}.ics", event)

    async def move(self, remote_id: str, slot: Interval) -> None:
        _, _, text = await self.server.ask(self.user, "GET", remote_id)
        event = Calendar.from_ical(text).events[0]
        for name, at in (("DTSTART", slot.start), ("DTEND", slot.end)):
            event.pop(name)
            event.add(name, at.astimezone(ZONE))
        await self._store(remote_id, event)

    async def delete(self, remote_id: str) -> None:
        status, _, _ = await self.server.ask(self.user, "DELETE", remote_id)
        assert status == 200

    async def stored(self) -> list[Stored]:
        found: list[Stored] = []
        for path, text in (await self.server.objects(self.user, self.calendar)).items():
            event = Calendar.from_ical(text).events[0]
            slot = Interval(event.start.astimezone(UTC), event.end.astimezone(UTC))
            mails = frozenset(str(each).removeprefix("mailto:") for each in event.attendees)
            uid, _, ours = str(event["UID"]).partition("@")
            found.append(Stored(path, slot, UUID(uid) if ours else None, str(event["SUMMARY"]), mails))
        return found

    async def fail_next(self, status: int, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
        self.server.fail(answering(status, **headers), path=f"/{self.user}/")

    async def hang_after_commit(self) -> None:
        self.server.fail(hang_after_commit, "PUT", "DELETE", path=f"/{self.user}/")

    async def forget_tokens(self) -> None:
        self.server.forget_tokens()

    async def _store(self, path: str, event: Event) -> str:
        calendar = Calendar()
        calendar.add("PRODID", "-//Another program//EN")
        calendar.add("VERSION", "2.0")
        calendar.add_component(event)
        calendar.add_missing_timezones()
        return await self.server.put(self.user, path, calendar.to_ical().decode())


@asynccontextmanager
async def opened() -> AsyncIterator[NewHarness]:
    """A Radicale server, and fresh accounts on it."""
    outbound = OutboundHttp(NetworkPolicy((ip_network("127.0.0.0/8"),)))
    async with radicale_server() as server:

        async def new() -> CalDavHarness:
            user = f"user-{new_id().hex}"
            server.add_user(user)
            # A client that signs in for the first time is given its place.
            await server.ask(user, "PROPFIND", f"/{user}/")
            credentials = HeldCredentials(basic(user, user))
            return CalDavHarness(
                server,
                user,
                CalDavCalendars(CalendarHttp(outbound, credentials), server.url),
                CalDavCalendars(CalendarHttp(outbound, credentials, IMPATIENT_S), server.url),
                credentials,
                await server.make_calendar(user, "main"),
                await server.make_calendar(user, "second"),
                f"/{user}/absent/",
            )

        try:
            yield new
        finally:
            await outbound.close()
