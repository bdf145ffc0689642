"""The real LiveKit server that tests of calls use: only on loopback, real media, and no room without its token."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import psutil
import pytest
from livekit import rtc

from tests.livekit_server import LiveKitServer, livekit_server, need_server

RATE = 48_000
FRAME = RATE // 50
TONE_HZ = 700.0
HEARD_S = 0.5


@pytest.fixture(scope="module")
async def livekit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKitServer]:
    need_server()
    async with livekit_server(tmp_path_factory.mktemp("livekit")) as server:
        yield server


async def play_tone(source: rtc.AudioSource) -> None:
    """Plays until it is cancelled; the source holds back whoever gives it more than it has room for."""
    at = 0
    while True:
        wave = np.sin(2 * np.pi * TONE_HZ * (at + np.arange(FRAME)) / RATE) * 12_000
        await source.capture_frame(rtc.AudioFrame(wave.astype(np.int16).tobytes(), RATE, 1, FRAME))
        at += FRAME


async def hear(room: rtc.Room) -> np.ndarray:
    """Half a second of the first audio that is not silence, as samples of RATE."""
    track: asyncio.Future[rtc.Track] = asyncio.get_running_loop().create_future()
    room.on("track_subscribed", lambda heard, *_: track.done() or track.set_result(heard))
    for participant in room.remote_participants.values():
        for publication in participant.track_publications.values():
            if publication.track and not track.done():
                track.set_result(publication.track)
    stream = rtc.AudioStream(await track, sample_rate=RATE, num_channels=1)
    samples = np.empty(0, np.int16)
    try:
        async for event in stream:
            frame = np.frombuffer(event.frame.data, np.int16)
            if len(samples) or np.abs(frame).max() > 1000:
                samples = np.concatenate([samples, frame])
            if len(samples) >= RATE * HEARD_S:
                break
    finally:
        await stream.aclose()
    return samples


async def test_one_participant_hears_the_tone_of_another(livekit: LiveKitServer) -> None:
    async with (
        asyncio.timeout(20),
        livekit.joined("listener", "r") as listener,
        livekit.joined("speaker", "r") as speaker,
    ):
        source = rtc.AudioSource(RATE, 1)
        await speaker.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("tone", source))
        playing = asyncio.create_task(play_tone(source))
        heard = await hear(listener)
        playing.cancel()
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    loudest = np.fft.rfftfreq(len(heard), 1 / RATE)[spectrum.argmax()]
    assert loudest == pytest.approx(TONE_HZ, abs=5)


def test_it_listens_on_loopback_only(livekit: LiveKitServer) -> None:
    listening = [c for c in psutil.Process(livekit.pid).net_connections() if c.status in ("LISTEN", "NONE")]
    assert len(listening) == 2
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


async def test_altered_and_expired_tokens_enter_no_room(livekit: LiveKitServer) -> None:
    good = livekit.token("caller", "r")
    head, claims, signature = livekit.token("caller", "another").split(".")
    tokens = {
        "good": good,
        "another room's claims": f"{head}.{claims}.{good.split('.')[2]}",
        "another signature": f"{head}.{claims}.{signature[::-1]}",
        "another secret": livekit.token("caller", "r", secret="s" * 64),
        # The server allows for a minute of clocks that differ.
        "expired": livekit.token("caller", "r", lives_s=-180),
        "none": "",
    }
    async with aiohttp.ClientSession() as session:
        answered = {
            name: (await session.get(f"{livekit.http_url}/rtc/validate", params={"access_token": jwt})).status
            for name, jwt in tokens.items()
        }
    assert answered == {name: 200 if name == "good" else 401 for name in tokens}
