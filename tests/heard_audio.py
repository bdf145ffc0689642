"""What is heard of a track: its loudness over time, and the utterances in it."""

from dataclasses import dataclass, field

import numpy as np

RATE = 16_000
STEP_S = 0.02
STEP = int(RATE * STEP_S)
AUDIBLE_RMS = 200.0  # of 32,768; the noise that callers' microphones make is far below, every voiced sound above
GAP_S = 0.6  # between two utterances, longer than between the sentences of one
_WINDOW = 100  # steps in which at least one arrived without delay


@dataclass(frozen=True)
class Sound:
    """An utterance: when it began and ended, in seconds of the monotonic clock, and what was recognised of it."""

    began: float
    ended: float
    text: str = ""


@dataclass
class Heard:
    """16-bit mono PCM at 16,000 Hz, step by step of 20 ms, whose times are those of their samples: that one step
    arrives late delays no other."""

    pcm: bytearray = field(default_factory=bytearray)
    loudness: list[float] = field(default_factory=list)
    _offsets: list[float] = field(default_factory=list)
    _first: int | None = None
    _last: int = 0

    def add(self, step: bytes, arrived: float) -> tuple[int, int] | None:
        """Take the next 20 ms; the first and the last step of an utterance when this shows that it is over."""
        at = len(self.loudness)
        samples = np.frombuffer(step, "<i2").astype(np.float32)
        rms = float(np.sqrt(np.mean(samples * samples))) if len(samples) else 0.0
        self.pcm += step
        self.loudness.append(rms)
        self._offsets.append(arrived - (at + 1) * STEP_S)
        if rms >= AUDIBLE_RMS:
            self._first, self._last = at if self._first is None else self._first, at
        elif self._first is not None and (at - self._last) * STEP_S >= GAP_S:
            ended, self._first = (self._first, self._last), None
            return ended
        return None

    def over(self) -> tuple[int, int] | None:
        """The track is over: the utterance that this cut off, if any."""
        if self._first is None:
            return None
        cut, self._first = (self._first, self._last), None
        return cut

    @property
    def speaks_since(self) -> float | None:
        """When the utterance that goes on now began; None when nobody speaks."""
        return None if self._first is None else self.time_of(self._first)

    def time_of(self, step: int) -> float:
        """When a step began, in seconds of the monotonic clock."""
        return min(self._offsets[step : step + _WINDOW]) + step * STEP_S

    def audio_of(self, first: int, last: int) -> bytes:
        """The PCM of an utterance, with a bit of what is around it."""
        around = int(0.2 / STEP_S)
        return bytes(self.pcm[max(0, first - around) * STEP * 2 : (last + around) * STEP * 2])
