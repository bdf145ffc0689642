"""The interface of every model: a request in, a stream of events out."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.calendar import BookingNotice
from tenantry.domain.tools import ToolCallRequest, ToolResult, ToolSpec
from tenantry.domain.values import Known, VariableValue


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation as a model sees it. An `assistant` message may carry the tool calls that it
    made; a `tool` message answers the one with `tool_call_id`."""

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCallRequest, ...] = ()
    tool_call_id: str | None = None
    tool_result: ToolResult | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """All a model may know for one step of a turn. `messages` ends with the contact's message, or with the results of
    the tools that the model asked for. `state` is what the same model left with `StateSaved`. `now` is aware, in the
    agent's time zone; `contact_time_zone` is the contact's (IANA), None where it is not known. `user_id` is the owner
    that tools act for. `notices` are what the contact is to be told of; `channel` is what they are reached over."""

    agent: AgentDefinition
    system_prompt: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSpec, ...]
    known: Known
    now: datetime
    user_id: str
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notices: tuple[BookingNotice, ...] = ()
    contact_time_zone: str | None = None
    channel: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of what is said to the contact."""

    text: str


@dataclass(frozen=True, slots=True)
class VariableNoted:
    """A variable was given, corrected or confirmed; `value` None means it was taken back."""

    name: str
    value: VariableValue | None


@dataclass(frozen=True, slots=True)
class QuickReplies:
    """Short answers the contact may choose from, replacing any before."""

    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateSaved:
    """What the model wants to find in `ModelRequest.state` at its next step; JSON values only."""

    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ConversationEnded:
    """The contact is done, and what was said in this step was the goodbye."""


@dataclass(frozen=True, slots=True)
class FieldsNoted:
    """The agent's turn fields of this step: the valid values by name, and by name what is wrong with the others."""

    values: Mapping[str, Any]
    faults: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UsageReported:
    """What a request to the provider cost, in tokens as it counts them, and in millionths of a US dollar where it
    says so itself."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class VariableRefused:
    """A value that the model gave for a variable is not of its type; `fault` says in a few words what is wrong."""

    name: str
    fault: str


@dataclass(frozen=True, slots=True)
class RawOutput:
    """What the model wrote in one request, as it came, for who wants to understand the turn; also where a fault
    follows."""

    text: str


ModelEvent = (
    TextDelta
    | VariableNoted
    | VariableRefused
    | QuickReplies
    | StateSaved
    | ConversationEnded
    | ToolCallRequest
    | FieldsNoted
    | UsageReported
    | RawOutput
)

# `refused`: no connection, or the provider will not answer this request. `timeout`: no first token in time, or the
# whole took too long. `stalled`: silence after the first token. `cut`: the answer ended before its end.
# `circuit_open`: the provider failed so often just now that it was not asked.
FaultKind = Literal[
    "refused",
    "timeout",
    "stalled",
    "cut",
    "rate_limited",
    "server",
    "auth",
    "bad_answer",
    "context_too_long",
    "not_found",
    "circuit_open",
]


class ModelFault(Exception):
    """A model gave no answer, or not all of it."""

    def __init__(
        self, kind: FaultKind, message: str, *, retry_after: float | None = None, retryable: bool = False
    ) -> None:
        """`message` holds no secret and nothing of the conversation, so it may be logged. `retry_after` is in
        seconds, as the provider asked; `retryable` says that the same request may work at the same endpoint soon."""
        self.kind: FaultKind = kind
        self.message = message
        self.retry_after = retry_after
        self.retryable = retryable
        super().__init__(f"{kind}: {message}")


class Model(Protocol):
    """A language model, or what stands in for one."""

    @property
    def name(self) -> str:
        """How settings, the API and the records name the model."""
        ...

    def prompt(self, request: ModelRequest) -> str:
        """The system prompt as the model is sent it; empty for one that reads none."""
        ...

    def respond(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """One step: events until the model is done or waits for the tools that it asked for.

        Raises ModelFault, which may come after some of the events: what was said then stays said.
        """
        ...
