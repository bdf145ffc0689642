"""The callers of the tests: what they say arrives, and when they heard something is right."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import numpy as np
import pytest
from livekit import api, rtc

from tenantry.channels.livekit_voice.speech.launching import speech_server
from tests.conftest import new_home
from tests.heard_audio import GAP_S, RATE, STEP, STEP_S, Heard
from tests.livekit_server import LiveKitServer, livekit_server, need_server
from tests.voice_callers import CallersProcess, callers_process

pytestmark = pytest.mark.realtime

DELAY_S = 2.5
SAYS = ("My house is at nine Oak Avenue.", "The garden is full of yellow roses.")


def token(server: LiveKitServer, who: str, room: str) -> str:
    made = api.AccessToken(server.api_key, server.api_secret).with_identity(who).with_ttl(timedelta(minutes=1))
    return made.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()


@pytest.fixture(scope="module")
async def livekit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKitServer]:
    need_server()
    async with livekit_server(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@pytest.fixture(scope="module")
async def callers() -> AsyncIterator[CallersProcess]:
    with new_home() as home:
        async with speech_server(home) as path, callers_process(path) as process:
            yield process


@asynccontextmanager
async def echo(server: LiveKitServer, room_name: str) -> AsyncIterator[None]:
    """A participant that says what it hears once more, `DELAY_S` later, and sends one summary."""
    room = rtc.Room()
    source = rtc.AudioSource(RATE, 1, queue_size_ms=int(DELAY_S * 1000) + 1000)
    tasks: list[asyncio.Task[None]] = []

    async def repeat(track: rtc.Track) -> None:
        silence = bytes(int(RATE * DELAY_S) * 2)
        await source.capture_frame(rtc.AudioFrame(silence, RATE, 1, len(silence) // 2))
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                await source.capture_frame(event.frame)
        finally:
            await stream.aclose()

    room.on("track_subscribed", lambda track, *_: tasks.append(asyncio.create_task(repeat(track))))
    await room.connect(server.url, token(server, "echo", room_name))
    try:
        track = rtc.LocalAudioTrack.create_audio_track("echo", source)
        await room.local_participant.publish_track(track)
        yield
        await room.local_participant.publish_data(b'{"ended": false}', topic="conversation-summary")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await room.disconnect()


async def test_callers_hear_an_echo_of_their_own_words_when_it_came(
    livekit: LiveKitServer, callers: CallersProcess
) -> None:
    async def call(number: int) -> None:
        room = f"echo-{number}"
        async with echo(livekit, room):
            caller = await callers.join(livekit.url, token(livekit, "caller", room))
            await caller.says(SAYS[number])
            await caller.hears(*SAYS[number].rstrip(".").split())
        lived = await caller.lived()
        await caller.leave()
        (said,), (heard,) = lived.said, lived.heard
        assert heard.began - said.began == pytest.approx(DELAY_S, abs=0.35)
        assert lived.voice_to_voice() == [heard.began - said.ended]
        assert heard.ended - heard.began == pytest.approx(said.ended - said.began, abs=0.4)
        assert lived.identity == "caller"

    await asyncio.gather(call(0), call(1))


def test_steps_that_arrive_late_do_not_move_what_was_heard() -> None:
    heard = Heard()
    tone = (np.sin(np.arange(STEP)) * 3000).astype("<i2").tobytes()
    late = {60: 0.4, 61: 0.38, 120: 0.9}
    utterances: list[tuple[int, int]] = []
    for step in range(200):
        arrived = 100 + (step + 1) * STEP_S + late.get(step, 0.0)
        if ended := heard.add(tone if 60 <= step < 90 else bytes(STEP * 2), arrived):
            utterances.append(ended)
            assert step == 89 + math.ceil(GAP_S / STEP_S)
    assert utterances == [(60, 89)]
    assert heard.time_of(60) == pytest.approx(100 + 60 * STEP_S)
