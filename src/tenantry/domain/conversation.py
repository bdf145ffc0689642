"""Conversations and what they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from tenantry.domain.routing import Routed
from tenantry.domain.values import VariableValue


@dataclass(frozen=True, slots=True)
class Conversation:
    """A contact's talk with one agent over one channel. `external_id` is the caller's own id of it. The owner is that
    of the agent when the conversation came to it, and is whom every tool acts for. `routed` is how it found the agent
    that it began with, None where that was not kept; `hand_offs` counts how often it went over to another since.
    `contact_since` is when the contact was first met; `contact_time_zone` the zone (IANA) that they are in, where that
    was said."""

    tenant_id: UUID
    id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    contact_id: UUID
    channel: str
    external_id: str | None
    topic: str | None
    routed: Routed | None
    hand_offs: int
    known: Mapping[str, VariableValue]
    policy_state: Mapping[str, Any]
    last_turn: int
    last_event: int
    created_at: datetime
    updated_at: datetime
    contact_since: datetime
    contact_time_zone: str | None = None


class EventType(StrEnum):
    """What may happen in a conversation."""

    MESSAGE_RECEIVED = "message.received"
    VARIABLE_NOTED = "variable.noted"
    TOOL_CALLED = "tool.called"
    TOOL_FINISHED = "tool.finished"
    FIELDS_NOTED = "fields.noted"
    HANDED_OVER = "conversation.handed_over"
    REPLY = "reply"
    HEARD = "reply.heard"  # the caller interrupted: what of the reply they heard
    DELTA = "delta"  # a piece of the reply while it grows; never stored


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a conversation's ordered record; `seq` starts at 1 and has no gaps."""

    seq: int
    turn_id: UUID
    type: str
    data: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said. Number 2n-1 is the contact's message of turn n, number 2n the agent's reply to it."""

    number: int
    role: Literal["contact", "agent"]
    content: str


class TurnStatus(StrEnum):
    """Queued behind another turn of its conversation, being thought about, or answered."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ToolCallRecord:
    """A tool call of a turn as it is shown: what was asked, what came of it."""

    name: str
    arguments: Mapping[str, Any]
    output: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What providers counted; `cached_tokens` are those of the input that were not read anew, `cost_micros` is in
    millionths of a US dollar."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cost_micros + other.cost_micros,
        )


StopReason = Literal["interrupted", "cancelled"]

# The channel of calls: what comes over it was spoken and what goes is spoken.
VOICE = "voice"


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What came of a turn. `variables` are all values known by now, `missing` the names of the required variables that
    are not known or not confirmed. `degraded` names each step down that the answer took, in order. `fields` are the
    agent's turn fields that the model gave and that are valid; `model` is the one that spoke last, `usage` what all
    steps used. `stopped` says who ended the answer before its end: a newer message, or whoever cancelled it. `agent_id`
    and `agent_version` are who answered. `ended` says that the contact is done."""

    reply: str
    quick_replies: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    missing: tuple[str, ...] = ()
    tool_calls: tuple[ToolCallRecord, ...] = ()
    degraded: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: str = ""
    usage: Usage = Usage()
    stopped: StopReason | None = None
    agent_id: UUID | None = None
    agent_version: int | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One inbound message and what came of it: the unit of durability. An unfinished turn is driven by whoever holds
    its lease; `attempts` counts how often it was begun; `stop` says that it is to end where it stands."""

    tenant_id: UUID
    id: UUID
    conversation_id: UUID
    number: int
    status: TurnStatus
    request_hash: bytes
    model: str
    attempts: int
    received_at: datetime
    result: TurnResult | None
    stop: StopReason | None = None
