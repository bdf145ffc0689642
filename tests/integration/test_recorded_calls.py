"""Recorded calls: both sides in one file and in step, nothing before the consent, and never at the cost of the call."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from livekit import rtc
from livekit.agents.voice.io import AudioInput
from livekit.agents.voice.recorder_io import recorder_io
from numpy.typing import NDArray
from structlog.testing import capture_logs

from tenantry.channels.livekit_voice.worker import call as calling
from tenantry.channels.livekit_voice.worker import recording
from tenantry.channels.livekit_voice.worker.call import LineBroken
from tenantry.client import TenantryClient
from tenantry.client.call_session import CallSession
from tenantry.client.errors import ApiError, ServerUnreachable
from tenantry.credentials import call_recordings
from tenantry.domain.call import EndReason
from tenantry.server.runtime import Runtime
from tests.conftest import TenantForTest
from tests.integration.call_parties import opened, worker
from tests.integration.conftest import Call
from tests.integration.spoken_call import CallServer, CallUnderTest, called
from tests.integration.spoken_line import AGENT_HZ, Loudspeaker, SpokenLine, Voice, tone
from tests.integration.test_reply_api import make_agent

pytestmark = pytest.mark.realtime

CONSENT = "This call is recorded."
RECORDED = {"record": True, "consent": CONSENT}
EARLY_HZ, CALLER_HZ = 1000, 2000
FRAME_S, HEARD_RATE = 0.02, 16_000
FILE_RATE = 48_000  # what Opus is decoded at
LOUD = 0.03  # of a tone, whose own is 0.12
PAUSE_FRAMES = 5
IN_STEP_S = 0.2


class Microphone(AudioInput):
    """Hears one tone all the time, as fast as time passes."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self.hz = EARLY_HZ
        self._next = time.monotonic()
        self._heard = 0

    async def __anext__(self) -> rtc.AudioFrame:
        self._heard += 1
        self._next += FRAME_S
        await asyncio.sleep(self._next - time.monotonic())
        samples = int(FRAME_S * HEARD_RATE)
        return rtc.AudioFrame(tone(self.hz, samples, HEARD_RATE), HEARD_RATE, 1, samples)

    async def frames(self, count: int) -> None:
        """So many more frames were heard."""
        until = self._heard + count
        while self._heard < until:
            await asyncio.sleep(FRAME_S)


class PacedLoudspeaker(Loudspeaker):
    """Plays as fast as time passes. `played` has when each segment began."""

    def __init__(self) -> None:
        super().__init__()
        self.played: list[float] = []

    def on_playback_started(self, *, created_at: float) -> None:
        self.played.append(created_at)
        super().on_playback_started(created_at=created_at)

    def _finish(self, *, interrupted: bool) -> None:
        left = self.played[-1] + self._pushed - time.time()
        asyncio.get_running_loop().call_later(left, partial(super()._finish, interrupted=interrupted))


@dataclass
class RecordedCall:
    """A call over a line of real sound. `finished` counts what the agent has said to its end."""

    call: CallUnderTest
    microphone: Microphone
    loudspeaker: PacedLoudspeaker
    key: str
    finished: int = 0

    async def spoke(self, times: int) -> None:
        """The agent has said so many things."""
        await self.call.until(lambda: self.finished >= times)

    async def file(self) -> bytes:
        """The recording as the owner gets it."""
        async with TenantryClient.open(self.call.server.url, self.key) as client:
            return b"".join([piece async for piece in client.calls.recording(self.call.claim.call_id)])


Ring = Callable[[dict[str, Any]], Awaitable[RecordedCall]]


@pytest.fixture
async def ring(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, session_home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ring]:
    """A call to an agent of this voice, whose process has begun."""
    async with AsyncExitStack() as stack:

        async def ring_(voice: dict[str, Any]) -> RecordedCall:
            agent_id = await make_agent(call, tenant.key, greeting="Good morning!", voice=voice)
            made = await opened(call, tenant.key, agentId=agent_id)
            server = CallServer(runtime, tenant, url, await stack.enter_async_context(worker(url, session_home)))
            microphone, loudspeaker = Microphone(), PacedLoudspeaker()
            line = SpokenLine(microphone, loudspeaker)
            ringing = await stack.enter_async_context(called(server, made["callId"], line, Voice(), monkeypatch))
            recorded = RecordedCall(ringing, microphone, loudspeaker, tenant.key)

            def finished(_: object) -> None:
                recorded.finished += 1
                microphone.hz = 0

            loudspeaker.on("playback_finished", finished)
            ringing.run()
            return recorded

        yield ring_


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces are left often, and again at once; calls end at once."""
    monkeypatch.setattr(calling, "_BEAT_S", 0.2)
    monkeypatch.setattr(recorder_io, "WRITE_INTERVAL", 0.2)
    monkeypatch.setattr(recording, "_PIECE_S", 0.3)
    monkeypatch.setattr(recording, "_PAUSES_S", (0.01,))


async def test_both_sides_are_in_one_file_and_in_step(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    leave, tries = CallSession.record, list[int]()

    async def leave_the_second_time(session: CallSession, part: int, audio: bytes) -> None:
        tries.append(part)
        if len(tries) == 1:
            raise ServerUnreachable("http://nowhere", "it is away")
        await leave(session, part, audio)

    monkeypatch.setattr(CallSession, "record", leave_the_second_time)
    recorded = await ring(RECORDED)
    await recorded.spoke(2)
    recorded.microphone.hz, called_at = CALLER_HZ, time.time()
    await recorded.microphone.frames(25)
    recorded.microphone.hz = 0
    # It is left while the call goes on, and the rest of it at the end.
    await recorded.call.until(lambda: len(tries) > 2)
    assert tries[:3] == [0, 0, 1]
    monkeypatch.setattr(recording, "_PIECE_S", 60)
    await recorded.call.line.say("hello")
    assert (await recorded.call.hang_up()).end_reason is EndReason.HUNG_UP
    caller, agent = sides(await recorded.file())
    assert [utterance.said for utterance in await recorded.call.told()][:2] == [CONSENT, "Good morning!"]
    assert not starts(caller, EARLY_HZ), "the caller was recorded before they were told"
    assert not starts(caller, AGENT_HZ)
    assert not starts(agent, CALLER_HZ)
    (called_out,) = starts(caller, CALLER_HZ)
    greeted, answered = starts(agent, AGENT_HZ)
    _, greeted_at, answered_at = recorded.loudspeaker.played
    assert called_out - greeted == pytest.approx(called_at - greeted_at, abs=IN_STEP_S)
    assert answered - called_out == pytest.approx(answered_at - called_at, abs=IN_STEP_S)


async def test_a_server_that_takes_no_more_does_not_disturb_the_call(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_recordings, "CALL_BYTES", 0)
    with capture_logs() as logs:
        recorded = await ring(RECORDED)
        await recorded.spoke(2)
        await recorded.call.until(lambda: stopped(logs) != [])
        await recorded.call.line.say("hello")
        assert (await recorded.call.hang_up()).end_reason is EndReason.HUNG_UP
    assert [entry["code"] for entry in stopped(logs)] == ["payload_too_large"]
    assert len(await recorded.call.told()) == 3


async def test_nothing_is_recorded_by_a_process_that_has_not_told_of_it(ring: Ring) -> None:
    recorded = await ring(RECORDED)
    call = recorded.call
    await call.until(call.line.loudspeaker.playing.is_set)
    call.line.breaks()
    with pytest.raises(LineBroken):
        await call.over()
    await nothing_is_kept(recorded)
    # The next one tells of it too.
    call.claim, call.line = await call.server.broker.claim(call.ticket), SpokenLine()
    call.run()
    await call.until(lambda: len(call.voice.said) > 1)
    assert (call.claim.greeting, call.voice.said) == ("", [CONSENT, CONSENT])
    call.line.breaks()
    with pytest.raises(LineBroken):
        await call.over()


async def test_nothing_is_recorded_where_the_agent_does_not_say_so(ring: Ring) -> None:
    recorded = await ring({"consent": CONSENT})
    await recorded.spoke(1)
    await recorded.call.hang_up()
    assert recorded.call.voice.said == ["Good morning!"]
    await nothing_is_kept(recorded)


async def nothing_is_kept(recorded: RecordedCall) -> None:
    with pytest.raises(ApiError) as missing:
        await recorded.file()
    assert missing.value.code == "not_found"


def stopped(logs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for entry in logs if entry["event"] == "recording_stopped"]


def sides(file: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The samples of a stereo file, left and right."""
    with av.open(io.BytesIO(file)) as container:
        assert container.streams.audio[0].layout.name == "stereo"
        whole = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    return whole[0], whole[1]


def starts(sound: NDArray[np.float32], hz: int) -> list[float]:
    """When a tone begins, in seconds from the begin of the file."""
    size = int(FILE_RATE * FRAME_S)
    windows = sound[: len(sound) // size * size].reshape(-1, size)
    wave = np.exp(-2j * np.pi * hz * np.arange(size) / FILE_RATE)
    loud = np.abs(windows @ wave) / size > LOUD
    # A window or two of another sound are no pause.
    heard = np.flatnonzero(loud)
    return [float(at * FRAME_S) for at in heard[np.diff(heard, prepend=-99) > PAUSE_FRAMES]]
