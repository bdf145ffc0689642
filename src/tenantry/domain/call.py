"""Calls: a room, a caller, and one process at a time that speaks for the agent."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Literal
from uuid import UUID

Transport = Literal["livekit", "websocket"]
# By which LiveKit knows our workers.
AGENT_NAME = "tenantry"


class CallStatus(StrEnum):
    """Opened and not answered yet, answered by an agent, or over."""

    WAITING = "waiting"
    ACTIVE = "active"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a call is over."""

    CALLER_LEFT = "caller_left"
    GOODBYE = "goodbye"
    SILENCE = "silence"
    TIME_LIMIT = "time_limit"
    HUNG_UP = "hung_up"  # by who runs the agent
    NOT_JOINED = "not_joined"
    AGENT_LOST = "agent_lost"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `room` and `participant` are its names at the transport; `kinds` are what workers may be held to: the
    purpose it was opened for, and the tags of its agent. `claims` counts the call processes it had, of which the last
    one alone may speak for it, and `dispatches` how often one was asked for. `agent_seen_at` and `caller_seen_at` are
    when each was last known to be there. `local` says whether all speech stayed on our machines. `hang_up` is the
    reason for which it is to end."""

    tenant_id: UUID
    id: UUID
    conversation_id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    room: str
    participant: str
    transport: Transport
    kinds: tuple[str, ...]
    site_id: UUID | None
    status: CallStatus
    recognition: str
    speech: str
    local: bool | None
    claims: int
    dispatches: int
    created_at: datetime
    dispatched_at: datetime | None
    answered_at: datetime | None
    agent_seen_at: datetime | None
    caller_seen_at: datetime | None
    hang_up: EndReason | None
    ended_at: datetime | None
    end_reason: EndReason | None


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the agent said at one place of a call, the first at position 1; of a turn, or with no `turn_id` beside them,
    as the greeting is. `heard` is what of it the caller heard. `timings` are milliseconds by stage: `end_of_turn` (the
    caller's last word to the decision that they are done), `recognition`, `first_text`, `first_audio`, and
    `voice_to_voice` (the caller's last word to the first audible one of the agent)."""

    position: int
    turn_id: UUID | None
    said: str
    heard: str
    interrupted: bool
    timings: Mapping[str, float]
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallerWords:
    """What the caller said in one go: the message of the turn with this number in its conversation."""

    turn_id: UUID
    number: int
    text: str
    said_at: datetime


def in_order(words: Sequence[CallerWords], utterances: Sequence[Utterance]) -> list[CallerWords | Utterance]:
    """Both sides of a call, each in its order, as they followed each other: what the caller said stands before what the
    agent answered it, and after all that the agent said before."""
    waiting, found = deque(words), list[CallerWords | Utterance]()
    numbers = {each.turn_id: each.number for each in words}
    for utterance in utterances:
        answered = numbers.get(utterance.turn_id, -1) if utterance.turn_id else -1
        while waiting and waiting[0].number <= answered:
            found.append(waiting.popleft())
        found.append(utterance)
    return [*found, *waiting]


def typical_timings(utterances: Sequence[Utterance]) -> dict[str, float]:
    """The median of each stage's milliseconds, over the utterances that have it."""
    stages: dict[str, list[float]] = {}
    for utterance in utterances:
        for stage, took in utterance.timings.items():
            stages.setdefault(stage, []).append(took)
    return {stage: round(median(took), 1) for stage, took in sorted(stages.items())}


@dataclass(frozen=True, slots=True)
class Site:
    """A web site that may open calls from a browser by its public key: from its `origins` (scheme, host and port)
    alone, to whom routing leads or to one of `agent_ids` by name."""

    tenant_id: UUID
    id: UUID
    name: str
    public_key: str
    origins: tuple[str, ...]
    agent_ids: tuple[UUID, ...]
    created_at: datetime
