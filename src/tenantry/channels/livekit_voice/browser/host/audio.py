"""The page's microphone and speaker as LiveKit Agents wants them."""

import asyncio
import time
from typing import Any

from livekit import rtc
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

from tenantry.channels.livekit_voice.browser.pipe import Kind, Pipe

IN_RATE = 16_000  # Hz
OUT_RATE = 24_000  # Hz
_SAMPLE_BYTES = 2
_SECOND = OUT_RATE * _SAMPLE_BYTES  # bytes
_CHUNK = _SECOND // 50  # 20 ms
_AHEAD_S = 0.2  # what is sent before it is played, so that a clear has little to take back
_PAGE_S = 0.08  # from sending to playing: the page's jitter buffer, and the way there
_ANSWER_S = 1.0  # a page that has not answered a mark so long after it should have is not waited for
_WAITING_FRAMES = 1500  # half a minute of the caller's audio


class CallerAudio(AudioInput):
    """What the page's microphone hears."""

    def __init__(self) -> None:
        super().__init__(label="page")
        self._frames: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue(_WAITING_FRAMES)

    def push(self, pcm: bytes) -> None:
        """Take what came, 16-bit mono PCM at 16,000 Hz; a process that is far behind drops it."""
        samples = len(pcm) // _SAMPLE_BYTES
        if samples and not self._frames.full():
            self._frames.put_nowait(rtc.AudioFrame(pcm[: samples * _SAMPLE_BYTES], IN_RATE, 1, samples))

    def end(self) -> None:
        """Nothing more will come."""
        if self._frames.full():
            self._frames.get_nowait()
        self._frames.put_nowait(None)

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await self._frames.get()
        if frame is None:
            raise StopAsyncIteration
        return frame


class _Segment:
    """What the agent says without a break, and how far that is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting = bytearray()
        self.sent = 0  # bytes
        self.run_from = 0  # bytes, where what was sent without a gap begins
        self.run_at: float | None = None  # the clock, when that begins to be played
        self.complete = False
        self.marked = False
        self.cut_at: float | None = None  # the clock, when the rest of it was dropped
        self.changed = asyncio.Event()
        self.answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    @property
    def sent_s(self) -> float:
        return self.sent / _SECOND


class SpokenAudio(AudioOutput):
    """Sends what the agent says as it is played, never much ahead, and knows what of it was heard by the page's
    answers, or by the clock where the page does not answer. While the caller is away, it waits."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(label="page", capabilities=AudioOutputCapabilities(pause=True), sample_rate=OUT_RATE)
        self._pipe = pipe
        self._clock = asyncio.get_running_loop().time
        self._segment: _Segment | None = None
        self._dropping = False  # what still comes of a segment that was cut
        self._count = 0
        self._played_until = 0.0  # the clock, when all that was sent will have been played
        self._running = asyncio.Event()
        self._paused, self._away = False, False
        self._running.set()

    def answered(self, message: dict[str, Any]) -> None:
        """The page says how far it played: `played`, or `cleared` with `playedMs`; other messages are none of this."""
        segment = self._segment
        if segment is None or message.get("id") != segment.name or segment.answer.done():
            return
        answers = {"played": segment.sent_s * 1000, "cleared": message.get("playedMs")}
        played_ms = answers.get(message["type"])
        if isinstance(played_ms, int | float):
            segment.answer.set_result(min(max(played_ms / 1000, 0.0), segment.sent_s))

    def caller_there(self, there: bool) -> None:
        """Go on, or wait for the caller."""
        self._away = not there
        self._run_or_wait()

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a frame of the segment, at any pace."""
        if (before := self._segment) is not None and before.complete and before.task is not None:
            await before.task
        await super().capture_frame(frame)
        if self._dropping:
            return
        if self._segment is None:
            self._count += 1
            self._segment = _Segment(str(self._count))
            self._segment.task = asyncio.create_task(self._play(self._segment))
        self._segment.waiting += frame.data.cast("B")
        self._segment.changed.set()

    def flush(self) -> None:
        """The segment is complete."""
        super().flush()
        self._dropping = False
        if self._segment is not None:
            self._segment.complete = True
            self._segment.changed.set()

    def clear_buffer(self) -> None:
        """Stop playing at once, and forget the rest of the segment."""
        segment = self._segment
        if segment is None or segment.cut_at is not None:
            return
        self._dropping = not segment.complete
        segment.waiting.clear()
        segment.cut_at = self._clock()
        segment.changed.set()
        self._pipe.tell({"type": "clear"})

    def pause(self) -> None:
        """Send nothing more for now; what is sent is played."""
        super().pause()
        self._paused = True
        self._run_or_wait()

    def resume(self) -> None:
        """Go on where `pause` was."""
        super().resume()
        self._paused = False
        self._run_or_wait()

    def _run_or_wait(self) -> None:
        if self._paused or self._away:
            self._running.clear()
        else:
            self._running.set()
        if self._segment is not None:
            self._segment.changed.set()

    async def _play(self, segment: _Segment) -> None:
        while segment.cut_at is None and (segment.waiting or not segment.complete):
            segment.changed.clear()
            ahead = self._played_until - self._clock() - _AHEAD_S
            if not self._running.is_set() or not segment.waiting:
                await segment.changed.wait()
            elif ahead > 0:
                await _either(segment.changed, ahead)
            else:
                await self._send(segment)
        self._pipe.tell({"type": "mark", "id": segment.name})
        played = await self._played(segment)
        self._segment = None
        self._tell_run(segment, played)
        self.on_playback_finished(playback_position=played, interrupted=segment.cut_at is not None)

    async def _send(self, segment: _Segment) -> None:
        chunk = bytes(segment.waiting[:_CHUNK])
        del segment.waiting[:_CHUNK]
        at = max(self._played_until, self._clock() + _PAGE_S)
        if segment.run_at is None or at > self._played_until:
            self._tell_run(segment, segment.sent_s)
            segment.run_from, segment.run_at = segment.sent, at
        self._played_until = at + len(chunk) / _SECOND
        if not segment.sent:
            self.on_playback_started(created_at=time.time())
        segment.sent += len(chunk)
        self._pipe.send(Kind.AUDIO, chunk)
        await self._pipe.drain()

    def _tell_run(self, segment: _Segment, until_s: float) -> None:
        """What was played without a gap, up to here; a recording has it where it was played."""
        begin = segment.run_from / _SECOND
        if segment.run_at is not None and until_s > begin:
            started_at = time.time() - self._clock() + segment.run_at
            self.on_playback_progressed(started_at=started_at, offset=begin, duration=until_s - begin)

    async def _played(self, segment: _Segment) -> float:
        """The seconds of the segment that were played, as soon as that is known."""
        while segment.cut_at is None and not segment.answer.done():
            left = self._played_until + _ANSWER_S - self._clock()
            if left <= 0:
                return segment.sent_s
            segment.changed.clear()
            await _first(segment.answer, segment.changed, left)
        if segment.cut_at is None:
            return segment.sent_s
        by_clock = max(segment.sent_s - max(self._played_until - segment.cut_at, 0.0), 0.0)
        self._played_until = segment.cut_at
        await asyncio.wait([segment.answer], timeout=_ANSWER_S / 2)
        return segment.answer.result() if segment.answer.done() else by_clock


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


async def _first(answer: asyncio.Future[float], event: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait([answer, waiting], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
