"""The two local models: moonshine hears, hibari speaks. Blocking; run them on threads of their own."""

import threading
from typing import Any, cast

import numpy as np
from hibari import Hibari
from hibari import voices as installed
from moonshine_voice import ModelArch, Transcriber, get_model_path

from tenantry.channels.livekit_voice.speech.wire import IN_RATE, Refused

_find_voice = cast(Any, installed).voice_path
DEFAULT_VOICE = "heart"


class UnknownVoice(Refused):
    """This voice's model is not on this machine; use one that is, or put its file into hibari's folder."""


class Ear:
    """English speech to text. Not thread-safe: the model mixes up what two threads give it at once."""

    def __init__(self) -> None:
        options = {"return_audio_data": "false"}
        self._model = Transcriber(get_model_path("tiny-en"), ModelArch.TINY, options=options)

    def hear(self, pcm: bytes) -> str:
        """The words in 16-bit PCM at 16,000 Hz; empty where nobody speaks."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        heard = self._model.transcribe_without_streaming(samples.tolist(), IN_RATE)
        return " ".join(line.text.strip() for line in heard.lines).strip()


class Mouth:
    """English text to speech; threads may share it."""

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
        audio: Any = self.load(voice)(piece, speed=speed)
        return (np.clip(audio, -1.0, 1.0) * 32767).astype("<i2").tobytes()
