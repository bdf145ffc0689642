"""Appointments by voice in a real Chromium at the address that `tenantry up` prints, with LiveKit and without."""

import asyncio
import re
import signal
import wave
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import ConsoleMessage, Page, expect

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.launching import speech_server
from tenantry.client import TenantryClient
from tenantry.client.calendar import CalendarEvent
from tenantry.client.calls import Call
from tenantry.domain.call import CallStatus, EndReason, Transport
from tests.acceptance.commands import Up, up
from tests.acceptance.voice_world import servers
from tests.call_page import browser, need_page
from tests.conftest import new_home
from tests.livekit_server import need_server
from tests.speech import spoken

pytestmark = pytest.mark.realtime

MARK, JON = "mark@peterei.example", "jon@peterei.example"
RATE = 16_000
ZONE = "America/Chicago"  # where the caller is; Mark is elsewhere
GREETING_S = 7.0
# What the caller says, and for how many seconds they are silent then. Whom they interrupt listens.
SAID = (
    ("I want to sell one two three Main Street, Springfield.", 6.5),
    ("ada at example dot com.", 7.0),
    ("Yes, that is right.", 5.0),
    ("Skip.", 7.5),
    ("Yes, that is right.", 5.5),
    ("Next Tuesday at three p.m.", 7.5),
    ("Yes, that is right.", 9.0),
    ("Goodbye.", 20.0),
)
ANSWERED_MS, CALLED_MS = 60_000, 120_000
SCREENS = {"desktop": (1280, 800), "phone": (360, 740)}


@dataclass
class Visit:
    """A page in a browser, the errors in its console, and where pictures of it go."""

    page: Page
    pictures: Path
    errors: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        """Keep what is an error, as refusals by the page's content security policy are."""
        if message.type == "error":
            self.errors.append(message.text)

    async def picture(self, name: str) -> None:
        """The page as it looks now on a desktop and on a phone, by day and by night."""
        for screen, (width, height) in SCREENS.items():
            for scheme in ("light", "dark"):
                await self.page.set_viewport_size({"width": width, "height": height})
                await self.page.emulate_media(color_scheme=scheme)
                await self.page.screenshot(path=self.pictures / f"{name}-{screen}-{scheme}.png", animations="disabled")

    async def is_answered(self) -> None:
        """Wait for the agent's first words."""
        await expect(self.page.locator(".line-agent").first).to_be_visible(timeout=ANSWERED_MS)


@dataclass(frozen=True)
class Booked:
    """What the page showed at the end of a call, and what the server knows after it: calls newest first, and the
    appointments that Mark, Jon and their tenant see."""

    transcript: list[str]
    summary: list[str]
    errors: list[str]
    calls: list[Call]
    marks: list[CalendarEvent]
    jons: list[CalendarEvent]
    tenants: list[CalendarEvent]


@pytest.fixture(scope="module")
async def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the caller says in a call."""
    folder = tmp_path_factory.mktemp("microphone")
    pieces = [_silence(GREETING_S)]
    async with speech_server(folder) as path:
        speech = SpeechClient(path)
        for text, pause in SAID:
            pieces += [await spoken(speech, text), _silence(pause)]
    file = folder / "caller.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(b"".join(pieces))
    return file


def _silence(seconds: float) -> bytes:
    return np.zeros(int(RATE * seconds), "<i2").tobytes()


@pytest.fixture(scope="module")
async def bookings(
    microphone: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[Transport, asyncio.Task[Booked]]]:
    """One call with LiveKit and one without, each at a server of its own; side by side, since most of it is talk."""
    chromium = need_page()
    need_server()
    websocket, livekit = tmp_path_factory.mktemp("websocket"), tmp_path_factory.mktemp("livekit")
    running = {
        "websocket": asyncio.create_task(_without_livekit(chromium, microphone, websocket)),
        "livekit": asyncio.create_task(_with_livekit(chromium, microphone, livekit)),
    }
    yield running
    for task in running.values():
        task.cancel()
    await asyncio.gather(*running.values(), return_exceptions=True)


@pytest.mark.parametrize("transport", ["websocket", "livekit"])
async def test_an_appointment_made_on_the_page_is_in_marks_calendar_alone(
    bookings: dict[Transport, asyncio.Task[Booked]], transport: Transport
) -> None:
    booked = await bookings[transport]
    assert booked.errors == []
    transcript = " ".join(booked.transcript)
    assert re.search(r"You\s+[^\n]*Main Street", transcript, re.IGNORECASE)
    assert "is booked" in transcript
    assert {"123 Main Street, Springfield", "ada@example.com"} <= set(booked.summary)
    (appointment,) = booked.marks
    assert appointment.details["email"] == "ada@example.com"
    assert appointment.details["property_address"] == "123 Main Street, Springfield"
    assert f"{appointment.start:%A %H:%M} {appointment.time_zone}" == f"Tuesday 15:00 {ZONE}"
    assert booked.tenants == [appointment]
    assert booked.jons == []
    last, first = booked.calls
    assert appointment.conversation_id == last.conversation_id
    assert (last.status, last.end_reason, last.transport) == (CallStatus.ENDED, EndReason.GOODBYE, transport)
    assert (first.status, first.end_reason, first.transport) == (CallStatus.ENDED, EndReason.CALLER_LEFT, transport)


async def _without_livekit(chromium: str, microphone: Path, pictures: Path) -> Booked:
    with new_home() as home:
        async with up(home) as server, _visit(server, chromium, microphone, pictures) as visit:
            await visit.page.get_by_role("button", name="Call").click()
            await expect(visit.page.get_by_role("status")).to_have_text("Connecting…")
            await visit.is_answered()
            booked = await _book(server, visit)
            assert await server.end(signal.SIGINT) == 0
            return booked


async def _with_livekit(chromium: str, microphone: Path, pictures: Path) -> Booked:
    with new_home() as home:
        async with AsyncExitStack() as stack:
            of = await stack.enter_async_context(servers(pictures, home))
            visit = await stack.enter_async_context(_visit(of.server, chromium, microphone, pictures))
            await visit.page.get_by_role("button", name="Call").click()
            await expect(visit.page.get_by_role("status")).to_have_text("Nobody answers yet", timeout=ANSWERED_MS)
            await visit.picture("nobody")
            await stack.enter_async_context(of.worker())
            await visit.is_answered()
            return await _book(of.server, visit)


@asynccontextmanager
async def _visit(server: Up, chromium: str, microphone: Path, pictures: Path) -> AsyncGenerator[Visit]:
    """The page that the server's owner is told to open."""
    printed = re.search(r"from a browser of this machine: (\S+)", server.printed)
    assert printed is not None, server.printed
    async with browser(chromium, microphone) as started:
        context = await started.new_context(permissions=["microphone"], timezone_id=ZONE)
        visit = Visit(await context.new_page(), pictures)
        visit.page.on("console", visit.note)
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        await visit.page.goto(printed[1])
        await visit.picture("before")
        yield visit


async def _book(server: Up, visit: Visit) -> Booked:
    """Hang up who answered, call again, and make an appointment; to the end of the call."""
    page = visit.page
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_text("You hung up.")).to_be_visible()
    await page.get_by_role("button", name="Call again").click()
    await visit.is_answered()
    known = page.get_by_role("region", name="Summary").get_by_role("definition")
    await expect(known.get_by_text("ada@example.com")).to_be_visible(timeout=CALLED_MS)
    await visit.picture("during")
    await expect(page.get_by_role("status")).to_have_text("Call ended", timeout=CALLED_MS)
    await visit.picture("after")
    lines = page.get_by_role("region", name="Transcript").get_by_role("listitem")
    transcript, summary = await lines.all_inner_texts(), await known.all_inner_texts()
    calls = await _ended_calls(server)
    appointments = [await _appointments(server, who) for who in (MARK, JON, "tenant")]
    return Booked(transcript, summary, visit.errors, calls, *appointments)


async def _ended_calls(server: Up) -> list[Call]:
    async with TenantryClient.open(server.url, server.key(MARK)) as client, asyncio.timeout(20):
        while True:
            calls = [call async for call in client.calls.list()]
            if all(call.status is CallStatus.ENDED for call in calls):
                return calls
            await asyncio.sleep(0.1)


async def _appointments(server: Up, who: str) -> list[CalendarEvent]:
    async with TenantryClient.open(server.url, server.key(who)) as client:
        return [event async for event in client.calendar.events()]
