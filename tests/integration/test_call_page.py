"""The call page in a real Chromium: over its WebSocket, in a real LiveKit room, and where there is no call."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from livekit import rtc
from playwright.async_api import Browser, Page, expect

from tests.call_page import (
    PAGE_RATE,
    SERVER_RATE,
    OtherSide,
    browser,
    loudest_hz,
    need_page,
    other_side,
    tone,
    write_tone,
)
from tests.livekit_server import livekit_server, need_server

SPOKEN_HZ = 700.0


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's microphone hears."""
    file = tmp_path_factory.mktemp("microphone") / "tone.wav"
    write_tone(file, SPOKEN_HZ, 30.0)
    return file


@pytest.fixture(scope="module")
async def chromium(spoken: Path) -> AsyncIterator[Browser]:
    async with browser(need_page(), spoken) as started:
        yield started


@pytest.fixture
async def side() -> AsyncIterator[OtherSide]:
    async with other_side() as started:
        yield started


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    context = await chromium.new_context(permissions=["microphone"])
    page = await context.new_page()
    yield page
    await context.close()


async def call(page: Page, side: OtherSide, query: str = "site=pk_1") -> None:
    await page.goto(f"{side.url}/call?{query}")
    await page.get_by_role("button", name="Call").click()


async def test_the_caller_is_heard_as_frames_of_the_wire(page: Page, side: OtherSide) -> None:
    await call(page, side, "site=pk_1&purpose=sales&agent=a-1")
    await side.until(lambda: len(side.frames) >= 75)
    site, asked = side.requests[0]
    assert (site, asked["purpose"], asked["agentId"]) == ("pk_1", "sales", "a-1")
    assert asked["metadata"]["time_zone"]
    assert side.credentials == ["bearer.first-token"]
    assert {len(frame) for frame in side.frames} == {640}
    assert loudest_hz(b"".join(side.frames[25:75]), PAGE_RATE) == pytest.approx(SPOKEN_HZ, abs=5)


async def test_what_is_said_and_known_is_shown(page: Page, side: OtherSide) -> None:
    mail = "a-name-that-is-longer-than-a-narrow-screen@b.example"
    await call(page, side)
    await side.until(lambda: side.frames)
    await side.say(type="state", state="listening")
    await side.say(type="transcript", id="1", role="caller", text="my mail is mark", final=False)
    await expect(page.get_by_text("my mail is mark")).to_be_visible()
    await side.say(type="transcript", id="1", role="caller", text=f"my mail is {mail}", final=True)
    await side.say(type="summary", agent="Peter", variables={"lead_email": mail}, missing=["date"])
    transcript = page.get_by_role("region", name="Transcript")
    await expect(transcript.get_by_role("listitem")).to_have_text([f"Youmy mail is {mail}"])
    summary = page.get_by_role("region", name="Summary")
    await expect(summary.get_by_role("definition")).to_have_text(mail)
    await expect(summary.get_by_role("listitem")).to_have_text("Date")
    await expect(page.get_by_role("heading", name="Peter")).to_be_visible()
    await page.set_viewport_size({"width": 360, "height": 640})
    await expect(page.get_by_role("button", name="Hang up")).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_marks_say_what_was_heard(page: Page, side: OtherSide) -> None:
    await call(page, side)
    await side.until(lambda: side.frames)
    await side.play(tone(440, 0.3, SERVER_RATE))
    await side.say(type="mark", id="whole")
    await side.until(lambda: {"type": "played", "id": "whole"} in side.messages)
    heard_before = len(side.frames)
    await side.play(tone(440, 5.0, SERVER_RATE))
    await side.say(type="mark", id="cut")
    # The caller's own frames tell the time: fifty are a second.
    await side.until(lambda: len(side.frames) >= heard_before + 50)
    await side.say(type="clear")
    await side.until(lambda: side.messages[-1]["type"] == "cleared")
    assert side.messages[-1]["id"] == "cut"
    assert 100 < side.messages[-1]["playedMs"] < 5000


async def test_a_lost_connection_is_resumed_and_the_microphone_stays(page: Page, side: OtherSide) -> None:
    await call(page, side)
    await side.until(lambda: side.frames)
    await side.say(type="state", state="listening")
    await page.get_by_role("button", name="Mute").click()
    await side.until(lambda: side.messages == [{"type": "mute", "muted": True}])
    side.open_to_calls.clear()
    await side.cut()
    await expect(page.get_by_role("status")).to_have_text("Reconnecting…")
    side.open_to_calls.set()
    await side.until(lambda: len(side.messages) == 2)
    assert side.credentials == ["bearer.first-token", "resume.resume-1"]
    assert side.messages[1] == {"type": "mute", "muted": True}
    await expect(page.get_by_role("status")).to_have_text("Listening")
    frames = len(side.frames)
    await side.until(lambda: len(side.frames) > frames + 10)


async def test_hanging_up_and_being_hung_up(page: Page, side: OtherSide) -> None:
    await call(page, side)
    await side.until(lambda: side.frames)
    await page.get_by_role("button", name="Hang up").click()
    await side.until(lambda: side.messages == [{"type": "hangup"}])
    await page.get_by_role("button", name="Call again").click()
    await side.until(lambda: len(side.credentials) == 2)
    await side.say(type="ended", reason="time_limit")
    await expect(page.get_by_text("The call reached its time limit.")).to_be_visible()


async def test_nothing_is_sent_before_the_caller_agrees(page: Page, side: OtherSide) -> None:
    side.ticket = {"consentText": "We keep it for 30 days."}
    await call(page, side)
    await expect(page.get_by_text("We keep it for 30 days.")).to_be_visible()
    assert side.credentials == []
    await page.get_by_role("button", name="Agree and call").click()
    await side.until(lambda: side.frames)


async def test_who_may_not_call_is_told_why_and_when(page: Page, side: OtherSide) -> None:
    side.refusal = web.json_response({}, status=429, headers={"Retry-After": "70"})
    await call(page, side)
    await expect(page.get_by_role("alert")).to_contain_text("Too many calls just now")
    await expect(page.get_by_role("button", name="Call again in 1:")).to_be_disabled()
    side.refusal = web.json_response({}, status=403)
    await call(page, side)
    await expect(page.get_by_role("alert")).to_contain_text("Calls are not allowed from this page")
    await page.goto(f"{side.url}/call")
    await expect(page.get_by_role("alert")).to_contain_text("This link is not complete")


async def test_a_refused_microphone_is_explained_and_opens_no_call(page: Page, side: OtherSide) -> None:
    await page.context.clear_permissions()
    await call(page, side)
    await expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked")
    assert side.requests == []


async def test_the_page_joins_a_livekit_room(page: Page, side: OtherSide, tmp_path: Path) -> None:
    need_server()
    async with asyncio.timeout(40), livekit_server(tmp_path) as server:
        side.ticket = {"transport": "livekit", "serverUrl": server.url, "participantToken": server.token("caller", "r")}
        async with server.joined("agent", "r", agent=True) as room:
            heard: asyncio.Future[rtc.Track] = asyncio.get_running_loop().create_future()
            room.on("track_subscribed", lambda track, *_: heard.set_result(track))
            await call(page, side)
            assert loudest_hz(await second_half_second(await heard), PAGE_RATE) == pytest.approx(SPOKEN_HZ, abs=5)
            me = room.local_participant
            await me.set_attributes({"lk.agent.state": "thinking"})
            await expect(page.get_by_role("status")).to_have_text("Thinking")
            await me.send_text("Hello, this is Peter.", topic="lk.transcription", attributes={"lk.segment_id": "s1"})
            for text, final in (("good", "false"), ("Good morning.", "true")):
                of_caller = {"lk.segment_id": "s2", "lk.transcription_final": final}
                writer = await me.stream_text(topic="lk.transcription", sender_identity="caller", attributes=of_caller)
                await writer.write(text)
                await writer.aclose()
            await expect(page.get_by_role("listitem")).to_have_text(["AgentHello, this is Peter.", "YouGood morning."])
            summary = {"agent": "Peter", "variables": {"name": "Mark"}, "missing": []}
            await me.publish_data(json.dumps(summary), topic="conversation-summary")
            await expect(page.get_by_role("definition")).to_have_text("Mark")
        await expect(page.get_by_role("status")).to_have_text("Calling…")


async def second_half_second(track: rtc.Track) -> bytes:
    """PCM16 LE mono at the page's rate; the first half second may have the track's beginning in it."""
    stream = rtc.AudioStream(track, sample_rate=PAGE_RATE, num_channels=1)
    samples = bytearray()
    try:
        async for event in stream:
            samples += event.frame.data.tobytes()
            if len(samples) >= 2 * PAGE_RATE:
                break
    finally:
        await stream.aclose()
    return bytes(samples[PAGE_RATE:])
