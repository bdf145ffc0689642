"""How an agent sounds and listens on calls."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen

_config: dict[str, Any] = {"extra": "forbid"}

SpeechProvider = Literal["local", "deepgram", "openai", "cartesia", "elevenlabs"]


@dataclass(frozen=True, slots=True)
class SpeechEngine:
    """Who turns speech into text, or text into speech. `model` and `voice` are the provider's own names, empty for its
    defaults; `secret` names the sealed secret of the agent's owner, or of the tenant, that holds the provider's key."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _config

    provider: SpeechProvider = "local"
    model: Annotated[str, MaxLen(200)] = ""
    voice: Annotated[str, MaxLen(200)] = ""
    secret: Annotated[str, MaxLen(64)] = ""


@dataclass(frozen=True, slots=True)
class Voice:
    """The agent on a call. `instructions` direct how it speaks, where the engine takes directions; `speed` is relative
    to the voice's own. After `silence_s` seconds in which nobody speaks it asks whether the caller is there, and after
    `silences` such times it says goodbye and ends the call, as it does after `max_minutes`. `pause_ms` is how long the
    caller is silent before it is their end of turn. With `record`, calls are recorded once the caller was told
    `consent`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _config

    recognition: SpeechEngine = field(default_factory=SpeechEngine)
    speech: SpeechEngine = field(default_factory=SpeechEngine)
    instructions: Annotated[str, MaxLen(2000)] = ""
    speed: Annotated[float, Ge(0.5), Le(2.0)] = 1.0
    interruptible: bool = True
    pause_ms: Annotated[int, Ge(100), Le(5000)] = 500
    silence_s: Annotated[int, Ge(3), Le(300)] = 12
    silences: Annotated[int, Ge(1), Le(10)] = 2
    silence_prompt: Annotated[str, MaxLen(500)] = ""
    goodbye: Annotated[str, MaxLen(500)] = ""
    max_minutes: Annotated[int, Ge(1), Le(240)] = 30
    record: bool = False
    consent: Annotated[str, MaxLen(1000)] = ""
