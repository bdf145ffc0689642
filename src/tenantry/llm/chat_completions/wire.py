"""The shape of what comes over the wire; what we do not use is not named and so not decoded."""

import msgspec


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
    """Tokens, as the provider counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


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
