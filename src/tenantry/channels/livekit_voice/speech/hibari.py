"""Text to speech with hibari, on one thread per request."""

import threading
from typing import Any, cast

import numpy as np
from hibari import Hibari
from hibari import voices as installed

from tenantry.channels.livekit_voice.speech.wire import DEFAULT_VOICE, OUT_RATE, Refused

# The model puts 0.3 s of silence before each piece, which a caller would wait for, and 0.4 s behind it.
_BLOCK = OUT_RATE // 100  # samples; 10 ms
_AUDIBLE = 0.002  # root mean square of a block, of 1
_BEFORE, _BEHIND = 3, 25  # blocks of it that are kept: soft onsets, and the pause between two sentences

# The package has no types for it.
_find_voice = cast(Any, installed).voice_path


class UnknownVoice(Refused):
    """This voice's model is not on this machine; use one that is, or put its file into hibari's folder."""


class Voices:
    """The voices that are on this machine, each loaded when it is first asked for; threads may share them."""

    def __init__(self) -> None:
        self._voices: dict[str, Any] = {}
        self._loading = threading.Lock()
        self.load(DEFAULT_VOICE)

    def load(self, voice: str) -> Any:
        """The voice's model, warm. Raises UnknownVoice: none is ever downloaded."""
        with self._loading:
            if voice not in self._voices:
                if voice not in installed.VOICES:
                    raise UnknownVoice(f"There is no voice {voice!r}; there are {', '.join(installed.VOICES)}.")
                try:
                    path = str(_find_voice(voice, download_missing=False))
                except FileNotFoundError as error:
                    raise UnknownVoice(
                        f"The voice {voice!r} is not on this machine; use {DEFAULT_VOICE!r}, or fetch it once with "
                        f"`hibari hello --voice {voice}`."
                    ) from error
                model = Hibari(voice, model=path)
                model("A first sentence takes long, and it should not be the caller's.")
                self._voices[voice] = model
            return self._voices[voice]

    def say(self, piece: str, voice: str, speed: float) -> bytes:
        """16-bit PCM at 24,000 Hz of one piece (`pieces`); empty when nothing in it can be said."""
        audio = _trimmed(np.asarray(self.load(voice)(piece, speed=speed)))
        return (np.clip(audio, -1.0, 1.0) * 32767).astype("<i2").tobytes()


def _trimmed(audio: np.ndarray) -> np.ndarray:
    """Without most of the silence at both ends."""
    blocks = audio[: len(audio) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    audible = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) >= _AUDIBLE)
    if not len(audible):
        return audio[:0]
    return audio[max(audible[0] - _BEFORE, 0) * _BLOCK : (audible[-1] + 1 + _BEHIND) * _BLOCK]
