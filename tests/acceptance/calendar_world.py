"""A server with the demo's tenant, the providers whose calendars its members live in, and the people around them."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import aiohttp
from icalendar import Calendar, Event

from tenantry.cli.agents.session import KEY
from tenantry.client import TenantryClient
from tenantry.client.calendar import CalendarEvent
from tenantry.client.replies import Reply
from tenantry.domain.agent import WEEKDAYS, AgentDefinition, AppointmentRules, Function, OpeningHours, Variable
from tenantry.domain.agent import VariableType as Type
from tests import graph_login
from tests.acceptance.commands import TENANTRY, Up, environment, up
from tests.google_server import GoogleServer, google_server
from tests.google_server.oauth import CLIENT_ID, CLIENT_SECRET
from tests.graph_server import graph_server
from tests.graph_service import GraphServer
from tests.radicale_server import RadicaleServer, radicale_server

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
_APPOINTMENTS = ("set_appointment", "check_availability", "reschedule_appointment", "cancel_appointment")

# Open day and night, so that only the owner's calendar says no.
VIEWINGS = AgentDefinition(
    name="Viewings",
    region="DE",
    time_zone=BERLIN.key,
    business_hours=(OpeningHours(WEEKDAYS, "00:00", "24:00"),),
    appointments=AppointmentRules(length_minutes=60, horizon_days=400),
    variables=(Variable(name="email", type=Type.EMAIL, question="Which e-mail address may we write to?"),),
    functions=tuple(Function(name=name, variables=("email",)) for name in _APPOINTMENTS),
)


@dataclass
class World:
    """The server, its home, the tenant's own client, and the providers."""

    home: Path
    server: Up
    client: TenantryClient
    graph: GraphServer
    google: GoogleServer
    radicale: RadicaleServer

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(60):
            while not await true():
                await asyncio.sleep(0.05)

    async def connect(self, provider: str, key: str, *options: str, account: str = "") -> str:
        """A member runs `tenantry connection connect`, and goes to the address that it prints in a browser that is
        signed in to this account: what the command printed."""
        process = await asyncio.create_subprocess_exec(
            *(*TENANTRY, "connection", "connect", provider, *options, "--url", self.server.url),
            env={**environment(self.home), KEY: key},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        printed = ""
        while (asked := re.search(r"http://\S+/auth\S*\?\S+", printed)) is None:
            line = (await process.stdout.readline()).decode()
            assert line, printed
            printed += line
        async with aiohttp.ClientSession(cookies={"account": account}) as browser, browser.get(asked[0]) as page:
            assert "can be closed" in await page.text()
        rest, _ = await process.communicate()
        assert process.returncode == 0, rest
        return printed + rest.decode()

    async def in_use(self, provider: str, owner_member_id: UUID | None) -> None:
        """Wait until bookings go to the connection's main calendar."""

        async def taken() -> bool:
            found = await self.client.connections.calendars(provider, owner_member_id=owner_member_id)
            return any(each.takes_bookings for each in found.calendars)

        await self.until(taken)

    async def bookings(self, conversation_id: UUID) -> list[CalendarEvent]:
        """The appointments that were made in a conversation and are not cancelled or declined."""
        return [each async for each in self.client.calendar.events() if each.conversation_id == conversation_id]


@dataclass
class Talk:
    """A contact's conversation with an agent, who says their address and the time that they want when asked."""

    client: TenantryClient
    agent_id: UUID
    contact: str
    conversation_id: UUID | None = None
    said: list[str] = field(default_factory=list[str])

    async def say(self, message: str) -> Reply:
        """One turn."""
        answer = await self.client.replies.send(
            message, agent_id=self.agent_id, lead_id=self.contact, conversation_id=self.conversation_id
        )
        self.conversation_id = answer.conversation_id
        self.said.append(f"> {message}\n{answer.reply}")
        return answer

    async def want(self, when: str) -> Reply:
        """All that is asked for, and then the time."""
        await self.say("Hello, I would like to see the flat")
        await self.say(f"{self.contact} at example dot org")
        answer = await self.say("Yes, that is right")
        assert not answer.missing, self.said
        return await self.say(when)

    @property
    def id(self) -> UUID:
        """The conversation's id."""
        assert self.conversation_id is not None
        return self.conversation_id


@dataclass
class CalDavOwner:
    """Somebody with an account on the CalDAV server, and what they do there by another program."""

    server: RadicaleServer
    user: str
    calendar: str = ""

    async def move_in(self) -> None:
        """Get an account, and a calendar in it."""
        self.server.add_user(self.user)
        await self.server.ask(self.user, "PROPFIND", f"/{self.user}/")
        self.calendar = await self.server.make_calendar(self.user, "home")

    async def busy_weekly(self, start: datetime) -> None:
        """An hour of every week from then on."""
        event = Event()
        event.add("UID", "choir")
        event.add("SUMMARY", "Choir")
        event.add("DTSTAMP", datetime.now(UTC))
        event.add("DTSTART", start)
        event.add("DTEND", start + HOUR)
        event.add("RRULE", {"FREQ": "WEEKLY"})
        await self._store(f"{self.calendar}choir.ics", event)

    async def booked(self) -> dict[str, Event]:
        """The events that Tenantry made, by their path."""
        objects = await self.server.objects(self.user, self.calendar)
        events = {path: Calendar.from_ical(text).events[0] for path, text in objects.items()}
        return {path: event for path, event in events.items() if "choir" not in path}

    async def the_booked(self) -> tuple[str, Event]:
        """The one event that Tenantry made, and its path."""
        ((path, event),) = (await self.booked()).items()
        return path, event

    async def move(self, path: str, start: datetime) -> None:
        """Drag an event of an hour to another time."""
        event = (await self.booked())[path]
        for name, at in (("DTSTART", start), ("DTEND", start + HOUR)):
            event.pop(name)
            event.add(name, at)
        await self._store(path, event)

    async def delete(self, path: str) -> None:
        """Delete an event."""
        status, _, text = await self.server.ask(self.user, "DELETE", path)
        assert status == 200, text

    async def _store(self, path: str, event: Event) -> None:
        calendar = Calendar()
        calendar.add("PRODID", "-//Another program//EN")
        calendar.add("VERSION", "2.0")
        calendar.add_component(event)
        calendar.add_missing_timezones()
        await self.server.put(self.user, path, calendar.to_ical().decode())


def in_words(moment: datetime) -> str:
    """A day and a time as a contact writes them."""
    return f"{moment:%d %B %Y} at {moment:%H:%M}"


def wall(day: date, hour: int, minute: int = 0) -> datetime:
    """A wall time in Berlin."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN)


def clocks_go_forward() -> date:
    """The next day on which they do, in Berlin: the last Sunday of March, a week from now at the earliest."""
    soon = datetime.now(BERLIN).date() + timedelta(days=7)
    for year in (soon.year, soon.year + 1):
        last = date(year, 3, 31)
        day = last - timedelta(days=(last.weekday() + 1) % 7)
        if day >= soon:
            return day
    raise AssertionError


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[World]:
    """Everything, as long as the block lasts; the providers must have been sent nothing that they do not document."""
    async with AsyncExitStack() as stack:
        graph = await stack.enter_async_context(graph_server())
        google = await stack.enter_async_context(google_server())
        radicale = await stack.enter_async_context(radicale_server())
        server = await stack.enter_async_context(up(home, _environment(graph, google)))
        client = await stack.enter_async_context(TenantryClient.open(server.url, server.key("tenant")))
        yield World(home, server, client, graph, google, radicale)
        assert graph.violations == []


def _environment(graph: GraphServer, google: GoogleServer) -> dict[str, str]:
    clients: dict[str, Any] = {
        "MICROSOFT_CLIENT_ID": graph_login.CLIENT_ID,
        "MICROSOFT_CLIENT_SECRET": graph_login.CLIENT_SECRET,
        "MICROSOFT_LOGIN_URL": graph.url,
        "MICROSOFT_GRAPH_URL": graph.api_url,
        "GOOGLE_CLIENT_ID": CLIENT_ID,
        "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
        "GOOGLE_LOGIN_URL": f"{google.url}/o/oauth2/v2",
        "GOOGLE_OAUTH_URL": google.url,
        "GOOGLE_CALENDAR_URL": f"{google.url}/calendar/v3",
    }
    return clients | {"TENANTRY_ALLOW_PRIVATE_ADDRESSES": "127.0.0.0/8", "TENANTRY_CALENDAR_POLL": "1"}
