"""What is kept of how a turn was answered, so that it can be explained and measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.domain.conversation import TurnResult, Usage


@dataclass(frozen=True, slots=True)
class ModelAttempt:
    """One step of one model. `outcome` is "ok", "stopped" or the kind of fault; times are in milliseconds, `at_ms`
    from when the turn was begun; `first_ms` is when the first words came, None where none did. `prompt` is the index
    into the trace's prompts, `messages` how many of the trace's messages it saw."""

    model: str
    outcome: str
    at_ms: float
    took_ms: float
    first_ms: float | None = None
    prompt: int = 0
    messages: int = 0
    usage: Usage = field(default_factory=Usage)
    output: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ToolStep:
    """One tool call: in what time what came of it. `replayed` ones took their outcome from an earlier attempt."""

    step: int
    name: str
    arguments: Mapping[str, Any]
    output: Mapping[str, Any]
    at_ms: float
    took_ms: float
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds of each stage of a turn: accepting the message, waiting for earlier turns, making prompts, the
    models, the tools, storing; `first_text_ms` from the begin of the turn to the first words, None where none were
    said."""

    accept: float = 0.0
    wait: float = 0.0
    prompt: float = 0.0
    models: float = 0.0
    tools: float = 0.0
    store: float = 0.0
    first_text: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryUsed:
    """A memory block that the prompt held."""

    label: str
    scope: str
    value: str


@dataclass(frozen=True, slots=True)
class TurnTrace:
    """How one attempt at a turn went. `prompts` are the system prompts, each once; `history_to` is the number of the
    conversation's last message before the turn's own, of which `history_count` were in the prompt; `messages` are
    those that the turn itself added, as the models saw them."""

    attempt: int
    prompts: tuple[str, ...] = ()
    tools: tuple[Any, ...] = ()
    history_to: int = 0
    history_count: int = 0
    messages: tuple[Any, ...] = ()
    memory: tuple[MemoryUsed, ...] = ()
    models: tuple[ModelAttempt, ...] = ()
    calls: tuple[ToolStep, ...] = ()
    times: StageTimes = field(default_factory=StageTimes)


@dataclass(frozen=True, slots=True)
class TurnReport:
    """A stored turn as it is told to whoever measures. Its trace knows how long the storing took; `labels` name the
    tenant and, where the message continued one, the trace (`traceparent`)."""

    tenant_id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    conversation_id: UUID
    turn_id: UUID
    channel: str
    begun_at: datetime
    result: TurnResult
    trace: TurnTrace
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
