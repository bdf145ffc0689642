"""What the race books in: three providers' servers, what their owners do there, and what stands there."""

import asyncio
import contextlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import aiohttp
from icalendar import Calendar

from tenantry.domain.connection import ProviderName
from tests.google_server import oauth as google_oauth
from tests.graph_login import CLIENT_ID, CLIENT_SECRET
from tests.radicale_server import RadicaleServer, radicale_server

ROOT = Path(__file__).parents[2]
TOKEN_SECONDS = 15
# Of so many changes at a provider, the answer to one is lost.
_LOST = 2
_ICS = "text/calendar; charset=utf-8"
_USER, PASSWORD = "carla", "correct-horse-battery-staple-9"


@dataclass(frozen=True)
class Standing:
    """An event at a provider; `key` is that of its booking, None where it is the owner's own."""

    id: str
    key: UUID | None
    start: datetime
    end: datetime

    def meets(self, start: datetime, end: datetime) -> bool:
        return self.start < end and start < self.end


@dataclass(frozen=True)
class Toll:
    """What happened at a provider: answers that were lost after the change was made, tokens that were renewed."""

    lost: int
    refreshes: int


class RacedCalendar(ABC):
    """One owner's calendar at one provider."""

    name: ProviderName

    @abstractmethod
    async def standing(self) -> list[Standing]:
        """All events."""

    @abstractmethod
    async def plant(self, start: datetime) -> str:
        """The owner makes an event of an hour; its id."""

    @abstractmethod
    async def move(self, event: Standing, start: datetime) -> None:
        """The owner moves an event."""

    @abstractmethod
    async def delete(self, event: Standing) -> None:
        """The owner deletes an event."""

    @abstractmethod
    async def toll(self) -> Toll: ...

    @abstractmethod
    async def secrets(self) -> list[str]:
        """All that gives access to it, and ever did."""

    @abstractmethod
    async def violations(self) -> list[str]:
        """What was asked for wrongly."""


class _Controlled(RacedCalendar):
    """One whose server is a process of its own."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def _control(self, method: str, what: str, body: Any = None) -> Any:
        async with self._session.request(method, f"{self.url}/control/{what}", json=body) as answer:
            text = await answer.text()
            return json.loads(text) if text and answer.status < 300 else None

    async def consent(self, url: str) -> dict[str, str]:
        """What the browser comes back with."""
        async with self._session.get(url, allow_redirects=False) as answer:
            query = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}


class MicrosoftRaced(_Controlled):
    name: ProviderName = "microsoft"
    _address = "anna@contoso.example"

    async def begin(self) -> None:
        await self._control("POST", "mailbox", {"address": self._address})
        await self._control("POST", "lifetime", {"seconds": TOKEN_SECONDS})

    async def lose_answers(self) -> None:
        await self._control("POST", "cut_every", {"changes": _LOST})

    async def standing(self) -> list[Standing]:
        state = await self._control("POST", "state")
        return [
            Standing(each["id"], UUID(each["key"]) if each["key"] else None, _at(each["start"]), _at(each["end"]))
            for each in state["events"][self._address]
        ]

    async def plant(self, start: datetime) -> str:
        return await self._control("POST", "plant", {"mailbox": self._address, **_span(start)})

    async def move(self, event: Standing, start: datetime) -> None:
        await self._control("POST", "move", {"mailbox": self._address, "event": event.id, **_span(start)})

    async def delete(self, event: Standing) -> None:
        await self._control("POST", "delete", {"mailbox": self._address, "event": event.id})

    async def toll(self) -> Toll:
        state = await self._control("POST", "state")
        return Toll(state["cuts"], state["refreshes"])

    async def secrets(self) -> list[str]:
        return [CLIENT_SECRET, *await self._control("POST", "secrets")]

    async def violations(self) -> list[str]:
        violations = (await self._control("POST", "state"))["violations"]
        # What the owner moves or deletes may be gone already.
        return [each for each in violations if "/control/" not in each]


class GoogleRaced(_Controlled):
    name: ProviderName = "google"
    _address = "owner@gmail.example"
    _times = 10**6

    async def begin(self) -> None:
        await self._control("POST", "oauth", {"lifetime_s": TOKEN_SECONDS})

    async def lose_answers(self) -> None:
        await self._control("POST", "faults", {"every": _LOST, "times": self._times})

    async def standing(self) -> list[Standing]:
        state = await self._control("GET", "state")
        return [
            Standing(each["id"], _google_key(each), _at(each["start"]["dateTime"]), _at(each["end"]["dateTime"]))
            for each in state["events"][self._address][self._address]
            if each["status"] != "cancelled"
        ]

    async def plant(self, start: datetime) -> str:
        return (await self._put({"summary": "Private", **_google_span(start)}))["id"]

    async def move(self, event: Standing, start: datetime) -> None:
        await self._put({"id": event.id, **_google_span(start)})

    async def delete(self, event: Standing) -> None:
        await self._put({"id": event.id, "status": "cancelled"})

    async def _put(self, event: dict[str, Any]) -> Any:
        return await self._control("PUT", f"events/{self._address}/{self._address}", event)

    async def toll(self) -> Toll:
        state = await self._control("GET", "state")
        lost = sum(self._times - fault["times"] for fault in state["faults"])
        return Toll(lost, sum(state["refreshes"].values()))

    async def secrets(self) -> list[str]:
        return [google_oauth.CLIENT_SECRET, *await self._control("GET", "secrets")]

    async def violations(self) -> list[str]:
        return (await self._control("GET", "state"))["violations"]


class CalDavRaced(RacedCalendar):
    name: ProviderName = "caldav"

    def __init__(self, server: RadicaleServer) -> None:
        self.server = server
        self.user, self.password = _USER, PASSWORD
        self._calendar = ""
        self._planted = 0

    async def begin(self) -> None:
        self.server.add_user(_USER, PASSWORD)
        await self.server.ask(_USER, "PROPFIND", f"/{_USER}/")
        self._calendar = await self.server.make_calendar(_USER, "work")

    async def lose_answers(self) -> None:
        self.server.cut_every = _LOST

    async def standing(self) -> list[Standing]:
        objects = self.server.stored(self._calendar)
        events = [(path, Calendar.from_ical(text).events[0]) for path, text in objects.items()]
        return [Standing(path, _uuid(str(event["UID"])), event.start, event.end) for path, event in events]

    async def plant(self, start: datetime) -> str:
        self._planted += 1
        name = f"own-{self._planted}"
        return await self.server.put(_USER, f"{self._calendar}{name}.ics", _object(name, start))

    async def move(self, event: Standing, start: datetime) -> None:
        status, headers, text = await self.server.ask(_USER, "GET", event.id)
        if status == 200:
            body = _object(str(Calendar.from_ical(text).events[0]["UID"]), start)
            # What is deleted meanwhile is not made anew.
            await self.server.ask(_USER, "PUT", event.id, body, Content_Type=_ICS, If_Match=headers["ETag"])

    async def delete(self, event: Standing) -> None:
        await self.server.ask(_USER, "DELETE", event.id)

    async def toll(self) -> Toll:
        return Toll(self.server.cuts, 0)

    async def secrets(self) -> list[str]:
        return [PASSWORD, f"{_USER}:{PASSWORD}"]

    async def violations(self) -> list[str]:
        return []


@dataclass(frozen=True)
class RacedCalendars:
    """The three."""

    microsoft: MicrosoftRaced
    google: GoogleRaced
    caldav: CalDavRaced

    @property
    def all(self) -> tuple[RacedCalendar, ...]:
        return (self.microsoft, self.google, self.caldav)

    def environment(self) -> dict[str, str]:
        """Of an installation that is registered with them."""
        graph, google = self.microsoft.url, self.google.url
        return {
            "MICROSOFT_CLIENT_ID": CLIENT_ID,
            "MICROSOFT_CLIENT_SECRET": CLIENT_SECRET,
            "MICROSOFT_LOGIN_URL": graph,
            "MICROSOFT_GRAPH_URL": f"{graph}/v1.0",
            "GOOGLE_CLIENT_ID": google_oauth.CLIENT_ID,
            "GOOGLE_CLIENT_SECRET": google_oauth.CLIENT_SECRET,
            "GOOGLE_LOGIN_URL": f"{google}/o/oauth2/v2",
            "GOOGLE_OAUTH_URL": google,
            "GOOGLE_CALENDAR_URL": f"{google}/calendar/v3",
            "TENANTRY_CALENDAR_POLL": "1",
            "TENANTRY_ALLOW_PRIVATE_ADDRESSES": "127.0.0.0/8",
            "TENANTRY_LOG_LEVEL": "debug",
        }


@contextlib.asynccontextmanager
async def raced_calendars() -> AsyncIterator[RacedCalendars]:
    """The servers, empty, until the block ends."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        graph = await stack.enter_async_context(_server("tests.graph_server"))
        google = await stack.enter_async_context(_server("tests.google_server"))
        caldav = CalDavRaced(await stack.enter_async_context(radicale_server()))
        made = RacedCalendars(MicrosoftRaced(graph, session), GoogleRaced(google, session), caldav)
        for calendar in (made.microsoft, made.google, made.caldav):
            await calendar.begin()
        yield made


@contextlib.asynccontextmanager
async def _server(module: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "0", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _object(uid: str, start: datetime) -> str:
    span = f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}"
    lines = (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//X//EN", "BEGIN:VEVENT", f"UID:{uid}", "SUMMARY:Private"),
        *("DTSTAMP:20260101T000000Z", *span, "END:VEVENT", "END:VCALENDAR", ""),
    )
    return "\r\n".join(lines)


def _span(start: datetime) -> dict[str, str]:
    return {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}


def _google_span(start: datetime) -> dict[str, Any]:
    return {name: {"dateTime": at, "timeZone": "UTC"} for name, at in _span(start).items()}


def _google_key(event: dict[str, Any]) -> UUID | None:
    text = event.get("extendedProperties", {}).get("private", {}).get("tenantryBooking")
    return UUID(text) if text else None


def _uuid(uid: str) -> UUID | None:
    try:
        return UUID(uid.partition("@")[0])
    except ValueError:
        return None
