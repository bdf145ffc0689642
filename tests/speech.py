"""The real speech server for tests, and what they say and hear with it."""

import numpy as np

from tenantry.channels.livekit_voice.speech.client import SpeechClient


async def spoken(speech: SpeechClient, text: str) -> bytes:
    """16-bit mono PCM at 16,000 Hz of somebody who says `text`."""
    return at_16_khz(b"".join([piece async for piece in speech.synthesize(text)]))


def at_16_khz(pcm: bytes) -> bytes:
    """16-bit mono PCM at 24,000 Hz, at 16,000 Hz."""
    samples = np.frombuffer(pcm, "<i2")
    times = np.arange(len(samples) * 2 // 3) * 1.5
    return np.interp(times, np.arange(len(samples)), samples).astype("<i2").tobytes()


def word_errors(said: str, heard: str) -> float:
    """The word error rate: edits that make `heard` of `said`, for each word of `said`."""
    wanted, got = _words(said), _words(heard)
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        above, row = row, [i]
        for j, other in enumerate(got, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1] / max(len(wanted), 1)


def _words(text: str) -> list[str]:
    joined = text.lower().replace("-", "")
    return "".join(c if c.isalnum() else " " for c in joined).split()
