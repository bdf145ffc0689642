"""Which speech engines an agent's configuration leads to, with which keys and options."""

import inspect
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import pytest
from livekit.agents import inference

from tenantry.channels.livekit_voice.worker import engines as engine_registry
from tenantry.channels.livekit_voice.worker.engines import EngineParts, Speech, speech_of
from tenantry.client.call_session import Claim, SpeechKeys
from tenantry.domain.errors import ConfigurationError
from tenantry.domain.voice import SpeechEngine, Voice

CLAIM = Claim(
    call_id=uuid4(),
    call_token="token",
    claim=1,
    conversation_id=uuid4(),
    room="room",
    participant="caller",
    transport="livekit",
    agent_id=uuid4(),
    agent_name="Anna",
    language="en-GB",
    voice=Voice(),
    keys=SpeechKeys(),
    greeting="",
    next_position=1,
    ends_in_s=60.0,
)


@pytest.fixture
async def parts() -> AsyncIterator[EngineParts]:
    async with aiohttp.ClientSession() as http:
        yield EngineParts(Path("/nowhere"), http, inference.VAD())


def engines(parts: EngineParts, provider: Any, **voice: Any) -> Speech:
    keys = SpeechKeys(recognition="key of the ear", speech="key of the mouth")
    chosen = Voice(
        recognition=SpeechEngine(provider, model="ear-1"),
        speech=SpeechEngine(provider, model="mouth-1", voice="someone"),
        **voice,
    )
    return speech_of(claim_with(voice=chosen, keys=keys), parts)


def claim_with(**changes: Any) -> Claim:
    return msgspec.structs.replace(CLAIM, **changes)


async def test_an_agent_that_says_nothing_of_it_hears_and_speaks_on_this_machine(parts: EngineParts) -> None:
    speech = speech_of(claim_with(voice=replace(Voice(), speed=1.2)), parts)
    assert (speech.recognition.provider, speech.synthesis.provider) == ("local", "local")
    assert speech.synthesis.speed == 1.2  # type: ignore[attr-defined]
    speech.direct("slowly")


@pytest.mark.parametrize("provider", ["deepgram", "openai", "cartesia", "elevenlabs"])
async def test_each_provider_is_its_plugin_with_its_own_key(parts: EngineParts, provider: str) -> None:
    speech = engines(parts, provider)
    for engine, key in ((speech.recognition, "key of the ear"), (speech.synthesis, "key of the mouth")):
        assert type(engine).__module__.startswith(f"livekit.plugins.{provider}")
        assert key in keys_within(engine)


@pytest.mark.parametrize("provider", ["deepgram", "openai", "cartesia", "elevenlabs"])
async def test_a_provider_without_its_key_is_told_so(parts: EngineParts, provider: Any) -> None:
    voice = Voice(recognition=SpeechEngine(provider), speech=SpeechEngine(provider))
    with pytest.raises(ConfigurationError, match=provider):
        speech_of(claim_with(voice=voice), parts)


async def test_directions_are_given_to_engines_that_take_them(parts: EngineParts) -> None:
    speech = engines(parts, "openai", instructions="Warmly.", speed=1.1)
    options = speech.synthesis._opts  # type: ignore[attr-defined]
    assert (options.model, options.voice, options.speed, options.instructions) == ("mouth-1", "someone", 1.1, "Warmly.")
    speech.direct("Now slowly.")
    assert options.instructions == "Warmly.\nNow slowly."

    speech = engines(parts, "cartesia", instructions="Be calm and kind.")
    options = speech.synthesis._opts  # type: ignore[attr-defined]
    assert options.emotion == ["Calm"]
    speech.direct("sound excited")
    assert options.emotion == ["Excited"]
    speech.direct("speak with care for the caller")
    assert options.emotion == ["Excited"]


async def test_speed_stays_within_what_an_engine_can(parts: EngineParts) -> None:
    assert engines(parts, "elevenlabs", speed=2.0).synthesis._opts.voice_settings.speed == 1.2  # type: ignore[attr-defined]


async def test_the_language_is_the_agents(parts: EngineParts) -> None:
    assert engines(parts, "deepgram").recognition._opts.language == "en-GB"  # type: ignore[attr-defined]


def test_plugins_are_only_imported_by_calls_that_use_them() -> None:
    assert not re.search(r"^(from|import) livekit\.plugins", inspect.getsource(engine_registry), re.MULTILINE)


def keys_within(engine: object) -> str:
    """All that the engine's own attributes show, and its client's key."""
    shown = [repr(vars(engine)), repr(vars(getattr(engine, "_opts", engine)) if hasattr(engine, "_opts") else "")]
    if (client := getattr(engine, "_client", None)) is not None:
        shown.append(str(client.api_key))
    return " ".join(shown)
