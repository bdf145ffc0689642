"""The shape of what comes over the wire; what we do not use is not named and so not decoded."""

import math
from typing import Any

import msgspec

_MICROS = 1_000_000
_DEAREST = 1e6  # dollars for one request; more is no cost


class FunctionDelta(msgspec.Struct, gc=False):
    """A piece of a function's name and arguments."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(msgspec.Struct, gc=False):
    """A piece of the tool call with this index."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct, gc=False):
    """What one chunk adds to the answer. Reasoning has two names, by provider; it is not shown to anyone."""

    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class Choice(msgspec.Struct, gc=False):
    """The one choice that we ask for."""

    delta: Delta | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct, gc=False):
    """Tokens, as the provider counts them, and what OpenRouter says that they cost, in US dollars. What each provider
    adds in a form of its own is read with care, and never makes the answer none."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Any = None
    cost: Any = None

    @property
    def cached_tokens(self) -> int:
        """Those of the prompt that the provider had read before."""
        details: Any = self.prompt_tokens_details
        cached: Any = details.get("cached_tokens") if isinstance(details, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return cached if isinstance(cached, int) and not isinstance(cached, bool) and cached > 0 else 0

    @property
    def cost_micros(self) -> int | None:
        """Millionths of a US dollar; None where the provider does not say."""
        cost = self.cost
        if isinstance(cost, bool) or not isinstance(cost, int | float):
            return None
        return round(cost * _MICROS) if math.isfinite(cost) and 0 <= cost <= _DEAREST else None


class ErrorBody(msgspec.Struct, gc=False):
    """An error in the words of the provider; `message` may hold what the contact wrote."""

    message: str | None = None
    code: int | str | None = None
    type: str | None = None


class Chunk(msgspec.Struct, gc=False):
    """One event of the stream."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: ErrorBody | str | None = None


class ErrorAnswer(msgspec.Struct, gc=False):
    """The body of an answer that is no stream."""

    error: ErrorBody | str | None = None
    message: str | None = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_error = msgspec.json.Decoder(ErrorAnswer).decode
