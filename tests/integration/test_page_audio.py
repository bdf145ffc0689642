"""The page's speaker tells when it played what, so that a recording is in step with the call."""

import asyncio
import socket
import time

import pytest
from livekit import rtc
from livekit.agents.voice.io import PlaybackProgressedEvent

from tenantry.channels.livekit_voice.browser.host.audio import OUT_RATE, SpokenAudio
from tenantry.channels.livekit_voice.browser.pipe import Kind, Pipe

SAID_S = 0.6
HELD_S = 0.5
WITHIN_S = 10


async def test_what_was_played_before_and_after_a_pause_is_told_apart() -> None:
    ours, theirs = socket.socketpair()
    pipe, page = await Pipe.of(ours), await Pipe.of(theirs)
    speaker, runs = SpokenAudio(pipe), list[PlaybackProgressedEvent]()
    speaker.on("playback_progressed", runs.append)
    samples = int(SAID_S * OUT_RATE)
    begun_at = time.time()
    async with asyncio.timeout(WITHIN_S):
        await speaker.capture_frame(rtc.AudioFrame(bytes(2 * samples), OUT_RATE, 1, samples))
        speaker.flush()
        frame = await page.read()
        assert frame is not None
        assert frame[0] is Kind.AUDIO
        speaker.pause()
        asyncio.get_running_loop().call_later(HELD_S, speaker.resume)
        while frame is not None and frame[0] is not Kind.TEXT:
            frame = await page.read()
        speaker.answered({"type": "played", "id": "1"})
        assert (await speaker.wait_for_playout()).playback_position == pytest.approx(SAID_S)
    before, after = runs
    assert (before.offset, after.offset) == (0, before.duration)
    assert before.duration + after.duration == pytest.approx(SAID_S)
    assert before.started_at - begun_at == pytest.approx(0.08, abs=0.1)
    assert after.started_at - (before.started_at + before.duration) >= HELD_S / 3
    await pipe.close()
    await page.close()
