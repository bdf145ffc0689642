"""A line on which a test says words and reads what the agent speaks, without models of speech and faster than they."""

import asyncio
import math
import time
from array import array
from collections.abc import Mapping
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, APIConnectOptions
from livekit.agents.tts import TTS, AudioEmitter, ChunkedStream, TTSCapabilities
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

from tenantry.channels.livekit_voice.worker.line import AudioLine

RATE = 24_000
AGENT_HZ = 440


def tone(hz: int, samples: int, rate: int) -> bytes:
    """A tone that is easily told from others, 16-bit PCM; silence at 0 Hz."""
    return array("h", (round(8000 * math.sin(2 * math.pi * hz * i / rate)) for i in range(samples))).tobytes()


class Silent(AudioInput):
    """Hears nothing, for ever."""

    def __init__(self) -> None:
        super().__init__(label="silence")

    async def __anext__(self) -> rtc.AudioFrame:
        return await asyncio.Event().wait()  # type: ignore[return-value]


class Loudspeaker(AudioOutput):
    """Plays at once; while `held`, what it has stays unplayed until it is cleared."""

    def __init__(self) -> None:
        super().__init__(label="loudspeaker", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE)
        self.held = False
        self.playing = asyncio.Event()
        self._pushed = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._pushed:
            self.on_playback_started(created_at=time.time())
            self.playing.set()
        self._pushed += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._pushed and not self.held:
            self._finish(interrupted=False)

    def clear_buffer(self) -> None:
        if self._pushed:
            self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool) -> None:
        pushed, self._pushed = self._pushed, 0.0
        self.playing.clear()
        self.on_playback_finished(playback_position=0.3 if interrupted else pushed, interrupted=interrupted)


class SpokenLine(AudioLine):
    """`said` is all that the voice was given to speak, `sent` the data messages."""

    def __init__(self, hears: AudioInput | None = None, loudspeaker: Loudspeaker | None = None) -> None:
        self.loudspeaker = loudspeaker or Loudspeaker()
        self.sent: list[tuple[str, Mapping[str, Any]]] = []
        self.started: asyncio.Future[AgentSession[None]] = asyncio.get_running_loop().create_future()
        super().__init__(hears or Silent(), self.loudspeaker, None, self._send)

    async def start(self, session: AgentSession[None], agent: Agent) -> None:
        await super().start(session, agent)
        self.started.set_result(session)

    async def say(self, words: str) -> None:
        """The caller says this, and the agent has answered it."""
        session = await self.started
        await session.generate_reply(user_input=words)

    async def _send(self, topic: str, message: Mapping[str, Any]) -> None:
        self.sent.append((topic, message))


class Voice(TTS[str]):
    """Speaks a tone of a tenth of a second for each word."""

    def __init__(self) -> None:
        super().__init__(capabilities=TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1)
        self.said: list[str] = []

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> ChunkedStream:
        self.said.append(text)
        return _Spoken(tts=self, input_text=text, conn_options=conn_options)


class _Spoken(ChunkedStream):
    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(request_id="1", sample_rate=RATE, num_channels=1, mime_type="audio/pcm")
        output_emitter.push(tone(AGENT_HZ, RATE // 10 * len(self.input_text.split()), RATE))
        output_emitter.flush()
