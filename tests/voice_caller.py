"""Somebody who calls: joins a real room, speaks, hears, and understands what they hear."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from livekit import rtc

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tests.heard_audio import AUDIBLE_RMS, RATE, STEP, STEP_S, Heard, Sound
from tests.speech import spoken

_AT_ONCE = 5  # steps that are given to LiveKit, and taken from it, in one go
_NOISE = np.random.default_rng(7).integers(-4, 5, _AT_ONCE * STEP, dtype="<i2")
# LiveKit's own threads keep time; so much is given to them ahead, however late this process is.
_AHEAD_S = 0.3
_QUEUE_MS = 60_000


@dataclass(frozen=True)
class Transcript:
    """A text of the room's transcription: whose words they are, in which segment, and whether they may still change."""

    identity: str
    segment: str
    text: str
    final: bool


@dataclass
class Experience:
    """All that a caller lived through. Times are seconds of the monotonic clock; `said` and `heard` are in order, and
    `heard` has what the caller recognised. `left` is why the room was over, if it is."""

    identity: str = ""
    joined: float = 0.0
    said: list[Sound] = field(default_factory=list)
    heard: list[Sound] = field(default_factory=list)
    transcripts: list[Transcript] = field(default_factory=list)
    summaries: list[dict[str, Any]] = field(default_factory=list)
    states: list[tuple[float, str]] = field(default_factory=list)
    left: str | None = None

    def voice_to_voice(self) -> list[float]:
        """For each of the caller's utterances that was answered: seconds from its last audible sample to the first
        audible one of the answer."""
        delays: list[float] = []
        ends = [said.began for said in self.said[1:]] + [float("inf")]
        for said, before in zip(self.said, ends, strict=True):
            answers = [sound.began for sound in self.heard if said.ended <= sound.began < before]
            delays += [answers[0] - said.ended] if answers else []
        return delays

    def first_word(self) -> float:
        """Seconds from joining to the first audible sample of the agent."""
        return self.heard[0].began - self.joined

    def written(self) -> str:
        """What the agent said last, as the room's transcription has it."""
        texts = [text.text for text in self.transcripts if text.final and text.identity != self.identity]
        return texts[-1] if texts else ""

    def words(self) -> str:
        """Everything the agent said, as it was recognised."""
        return " ".join(sound.text for sound in self.heard)


class Unheard(AssertionError):
    """What a caller waited for was not said."""


class Caller:
    """One caller in one room."""

    def __init__(self, room: rtc.Room, speech: SpeechClient) -> None:
        self.lived = Experience()
        self._room = room
        self._speech = speech
        self._changed = asyncio.Condition()
        self._to_say: np.ndarray | None = None
        self._tracks: list[Heard] = []
        self._recognising = 0
        self._tasks: set[asyncio.Task[None]] = set()
        room.on("track_subscribed", lambda track, *_: self._start(self._listen(track)))
        room.on("data_received", self._on_data)
        room.on("participant_attributes_changed", self._on_attributes)
        room.on("disconnected", self._on_disconnected)
        room.register_text_stream_handler("lk.transcription", lambda *given: self._start(self._read(*given)))

    @classmethod
    @asynccontextmanager
    async def joined(cls, url: str, token: str, speech: SpeechClient) -> AsyncIterator["Caller"]:
        """Join a room with a token and open the microphone; leaves at the end."""
        room = rtc.Room()
        caller = cls(room, speech)
        try:
            await room.connect(url, token)
            caller.lived.identity = room.local_participant.identity
            caller.lived.joined = time.monotonic()
            source = rtc.AudioSource(RATE, 1, queue_size_ms=_QUEUE_MS)
            track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            await room.local_participant.publish_track(track, options)
            caller._start(caller._microphone(source))
            yield caller
        finally:
            await room.disconnect()
            for task in caller._tasks:
                task.cancel()
            await asyncio.gather(*caller._tasks, return_exceptions=True)

    async def says(self, text: str, *, over: bool = False) -> None:
        """Speak; waits for the agent to be done first, unless it is to be interrupted. Returns once it is said.

        Raises: TimeoutError when the agent speaks for a minute.
        """
        pcm = np.frombuffer(await spoken(self._speech, text), "<i2")
        if not over:
            await self._until(self._agent_is_done, 60)
        said = len(self.lived.said)
        self._to_say = np.pad(pcm, (0, -len(pcm) % STEP))
        await self._until(lambda: len(self.lived.said) > said, 60)
        self.lived.said[-1] = replace(self.lived.said[-1], text=text)
        await asyncio.sleep(self.lived.said[-1].ended - time.monotonic())

    async def hears(self, *words: str, within: float = 60.0) -> str:
        """Wait until the agent has said all of these, in any order, since the caller last spoke; what it said.

        Raises: Unheard, with what was heard instead.
        """
        since = self.lived.said[-1].began if self.lived.said else 0.0

        def heard() -> str:
            return " ".join(sound.text for sound in self.lived.heard if sound.ended > since)

        try:
            await self._until(lambda: all(_plain(word) in _plain(heard()) for word in words), within)
        except TimeoutError:
            raise Unheard(f"{words} in {heard()!r} within {within} s; {self._last_lines()}") from None
        return heard()

    async def hears_out(self, *, within: float = 60.0) -> str:
        """Wait until the agent has answered what the caller said last, and is done; what it said.

        Raises: Unheard.
        """
        since = self.lived.said[-1].ended if self.lived.said else 0.0

        def answer() -> list[Sound]:
            return [sound for sound in self.lived.heard if sound.began > since]

        try:
            await self._until(lambda: bool(answer()) and self._agent_is_done() and not self._recognising, within)
        except TimeoutError:
            unfinished = f"speaks since {self._speaks_since()}, {self._recognising} to recognise"
            raise Unheard(
                f"nothing whole within {within} s, but {answer()}; {unfinished}; {self._last_lines()}"
            ) from None
        return " ".join(sound.text for sound in answer())

    def _last_lines(self) -> str:
        """What went on last, for whoever has to find out why nothing was heard."""
        lived = self.lived
        written = [text.text for text in lived.transcripts if text.final][-4:]
        return f"transcripts: {written}; said {lived.said[-1:]}; states {lived.states[-3:]}; left: {lived.left}"

    async def is_spoken_to(self, *, within: float = 60.0) -> float:
        """Wait until the agent is speaking; since when it does. Raises TimeoutError."""
        since: list[float] = []

        def speaks() -> bool:
            at = self._speaks_since()
            since.extend([at] if at is not None else [])
            return bool(since)

        await self._until(speaks, within)
        return since[0]

    async def is_left(self, *, within: float = 60.0) -> str:
        """Wait until the room is over for the caller; why. Raises TimeoutError."""
        await self._until(lambda: self.lived.left is not None, within)
        return self.lived.left or ""

    def _agent_is_done(self) -> bool:
        done = self.lived.left or not self.lived.states or self.lived.states[-1][1] == "listening"
        return bool(done) and self._speaks_since() is None

    def _speaks_since(self) -> float | None:
        return next((track.speaks_since for track in self._tracks if track.speaks_since is not None), None)

    async def _microphone(self, source: rtc.AudioSource) -> None:
        """Gives a silent room's noise, and what is to be said."""
        while True:
            if self._to_say is not None:
                samples, self._to_say = self._to_say, None
                begins = time.monotonic() + source.queued_duration
                loudness = np.sqrt(np.mean(samples.reshape(-1, STEP).astype(np.float32) ** 2, axis=1))
                voiced = np.flatnonzero(loudness >= AUDIBLE_RMS) * STEP_S + begins
                self.lived.said.append(Sound(float(voiced[0]), float(voiced[-1]) + STEP_S))
                await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, len(samples)))
                await self._tell()
            elif source.queued_duration < _AHEAD_S:
                await source.capture_frame(rtc.AudioFrame(_NOISE.tobytes(), RATE, 1, len(_NOISE)))
            else:
                await asyncio.sleep(_AT_ONCE * STEP_S)

    async def _listen(self, track: rtc.Track) -> None:
        if track.kind != rtc.TrackKind.KIND_AUDIO:
            return
        hearing = Heard()
        self._tracks.append(hearing)
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=int(_AT_ONCE * STEP_S * 1000))
        try:
            async for event in stream:
                self._hear(hearing, bytes(event.frame.data), time.monotonic())
        finally:
            self._tracks.remove(hearing)
            self._finish(hearing)
            await stream.aclose()

    def _hear(self, hearing: Heard, pcm: bytes, arrived: float) -> None:
        spoke, size = hearing.speaks_since is not None, STEP * 2
        for at in range(0, len(pcm), size):
            ended = hearing.add(pcm[at : at + size], arrived - (len(pcm) - at - size) / size * STEP_S)
            if ended is not None:
                self._start(self._understand(hearing, *ended))
        if spoke != (hearing.speaks_since is not None):
            self._start(self._tell())

    def _finish(self, hearing: Heard) -> None:
        if cut := hearing.over():
            self._start(self._understand(hearing, *cut))

    async def _understand(self, hearing: Heard, first: int, last: int) -> None:
        self._recognising += 1
        try:
            text = await self._speech.transcribe(hearing.audio_of(first, last))
        finally:
            self._recognising -= 1
        self.lived.heard.append(Sound(hearing.time_of(first), hearing.time_of(last + 1), text))
        self.lived.heard.sort(key=lambda sound: sound.began)
        await self._tell()

    async def _read(self, reader: rtc.TextStreamReader, identity: str) -> None:
        text = await reader.read_all()
        attributes = reader.info.attributes or {}
        segment, final = attributes.get("lk.segment_id", ""), attributes.get("lk.transcription_final") == "true"
        self.lived.transcripts.append(Transcript(identity, segment, text, final))
        await self._tell()

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic == "conversation-summary":
            self.lived.summaries.append(json.loads(packet.data))
            self._start(self._tell())

    def _on_attributes(self, changed: dict[str, str], _: rtc.Participant) -> None:
        if state := changed.get("lk.agent.state"):
            self.lived.states.append((time.monotonic(), state))
            self._start(self._tell())

    def _on_disconnected(self, reason: int) -> None:
        for hearing in self._tracks:
            self._finish(hearing)
        self.lived.left = rtc.DisconnectReason.Name(reason)
        self._start(self._tell())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, condition: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(condition)


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
