"""The speech engines by what an agent's configuration says; a provider's plug-in is imported by calls that use it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
from livekit.agents import vad
from livekit.agents.stt import STT
from livekit.agents.tts import TTS

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.livekit_stt import LocalSTT
from tenantry.channels.livekit_voice.speech.livekit_tts import LocalTTS
from tenantry.client.call_session import Claim
from tenantry.domain.errors import ConfigurationError
from tenantry.domain.voice import SpeechEngine, SpeechProvider, Voice


@dataclass(frozen=True, slots=True)
class Speech:
    """The engines of a call. `direct` gives the speaking one directions ("slowly and warmly") for its next words, where
    it takes any."""

    recognition: STT[Any]
    synthesis: TTS[Any]
    direct: Callable[[str], None]

    def prepare(self, words: str) -> None:
        """Have words spoken sooner that will be asked for in a moment, where the engine can."""
        if words and isinstance(self.synthesis, LocalTTS):
            self.synthesis.prepare(words)


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What engines are made with: the machine's speech server, a session for HTTP, and a voice activity detector."""

    speech_socket: Path
    http: aiohttp.ClientSession
    vad: vad.VAD


def speech_of(claim: Claim, parts: EngineParts) -> Speech:
    """The engines that the claim's agent uses. Raises ConfigurationError where a key is missing."""
    voice, language = claim.voice, claim.language
    recognize = _RECOGNITION[voice.recognition.provider]
    speak = _SYNTHESIS[voice.speech.provider]
    synthesis, direct = speak(voice, language, claim.keys.speech, parts)
    return Speech(recognize(voice.recognition, language, claim.keys.recognition, parts), synthesis, direct)


def _local_recognition(engine: SpeechEngine, language: str, key: str | None, parts: EngineParts) -> STT[Any]:
    return LocalSTT(SpeechClient(parts.speech_socket), vad=parts.vad, language=language)


def _local_synthesis(voice: Voice, language: str, key: str | None, parts: EngineParts) -> "_Synthesis":
    chosen = {"voice": voice.speech.voice} if voice.speech.voice else {}
    return LocalTTS(SpeechClient(parts.speech_socket), speed=voice.speed, **chosen), _no_directions


def _deepgram_recognition(engine: SpeechEngine, language: str, key: str | None, parts: EngineParts) -> STT[Any]:
    from livekit.plugins import deepgram

    return deepgram.STT(
        api_key=key or _no_key("deepgram"), language=language, http_session=parts.http, **_named(model=engine.model)
    )


def _deepgram_synthesis(voice: Voice, language: str, key: str | None, parts: EngineParts) -> "_Synthesis":
    from livekit.plugins import deepgram

    # Its voices are models.
    model = voice.speech.voice or voice.speech.model
    made = deepgram.TTS(
        api_key=key or _no_key("deepgram"),
        speed=None if voice.speed == 1.0 else voice.speed,
        http_session=parts.http,
        **_named(model=model),
    )
    return made, _no_directions


def _openai_recognition(engine: SpeechEngine, language: str, key: str | None, parts: EngineParts) -> STT[Any]:
    from livekit.plugins import openai

    return openai.STT(api_key=key or _no_key("openai"), language=language.split("-")[0], **_named(model=engine.model))


def _openai_synthesis(voice: Voice, language: str, key: str | None, parts: EngineParts) -> "_Synthesis":
    from livekit.plugins import openai

    made = openai.TTS(
        api_key=key or _no_key("openai"),
        speed=voice.speed,
        **_named(model=voice.speech.model, voice=voice.speech.voice, instructions=voice.instructions),
    )

    def direct(directions: str) -> None:
        made.update_options(instructions="\n".join(filter(None, (voice.instructions, directions))))

    return made, direct


def _cartesia_recognition(engine: SpeechEngine, language: str, key: str | None, parts: EngineParts) -> STT[Any]:
    from livekit.plugins import cartesia

    return cartesia.STT(
        api_key=key or _no_key("cartesia"),
        language=language.split("-")[0],
        http_session=parts.http,
        **_named(model=engine.model),
    )


def _cartesia_synthesis(voice: Voice, language: str, key: str | None, parts: EngineParts) -> "_Synthesis":
    from livekit.plugins import cartesia

    made = cartesia.TTS(
        api_key=key or _no_key("cartesia"),
        language=language.split("-")[0],
        speed=None if voice.speed == 1.0 else voice.speed,
        http_session=parts.http,
        # It takes no sentences of directions, but the name of an emotion.
        **_named(model=voice.speech.model, voice=voice.speech.voice, emotion=_emotion(voice.instructions)),
    )

    def direct(directions: str) -> None:
        if emotion := _emotion(directions):
            made.update_options(emotion=emotion)

    return made, direct


def _elevenlabs_recognition(engine: SpeechEngine, language: str, key: str | None, parts: EngineParts) -> STT[Any]:
    from livekit.plugins import elevenlabs

    return elevenlabs.STT(
        api_key=key or _no_key("elevenlabs"),
        language_code=language.split("-")[0],
        http_session=parts.http,
        **_named(model=engine.model),
    )


def _elevenlabs_synthesis(voice: Voice, language: str, key: str | None, parts: EngineParts) -> "_Synthesis":
    from livekit.plugins import elevenlabs

    settings: dict[str, Any] = {}
    if voice.speed != 1.0:
        # Its own defaults for the rest, which have to be said with the speed; it goes from 0.8 to 1.2.
        speed = min(max(voice.speed, 0.8), 1.2)
        settings["voice_settings"] = elevenlabs.VoiceSettings(stability=0.5, similarity_boost=0.75, speed=speed)
    made = elevenlabs.TTS(
        api_key=key or _no_key("elevenlabs"),
        http_session=parts.http,
        **settings,
        **_named(model=voice.speech.model, voice_id=voice.speech.voice),
    )
    return made, _no_directions


_Synthesis = tuple[TTS[Any], Callable[[str], None]]
_RECOGNITION: dict[SpeechProvider, Callable[[SpeechEngine, str, str | None, EngineParts], STT[Any]]] = {
    "local": _local_recognition,
    "deepgram": _deepgram_recognition,
    "openai": _openai_recognition,
    "cartesia": _cartesia_recognition,
    "elevenlabs": _elevenlabs_recognition,
}
_SYNTHESIS: dict[SpeechProvider, Callable[[Voice, str, str | None, EngineParts], _Synthesis]] = {
    "local": _local_synthesis,
    "deepgram": _deepgram_synthesis,
    "openai": _openai_synthesis,
    "cartesia": _cartesia_synthesis,
    "elevenlabs": _elevenlabs_synthesis,
}


def _named(**values: Any) -> dict[str, Any]:
    """Those that are said; a plug-in's own defaults stand for the others."""
    return {name: value for name, value in values.items() if value}


def _no_directions(_: str) -> None:
    """This engine takes none."""


def _emotion(directions: str) -> str:
    """The first of the emotions' names in the directions, else nothing."""
    from typing import get_args

    from livekit.plugins.cartesia.models import TTSVoiceEmotion

    said = directions.lower()
    return next((name for name in get_args(TTSVoiceEmotion) if name.lower() in said), "")


def _no_key(provider: str) -> NoReturn:
    raise ConfigurationError(f"The agent speaks or listens by {provider}, but its secret holds no key.")
