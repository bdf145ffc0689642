"""What a turn tells while it runs, and when it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from tenantry.domain.conversation import EventType, TurnResult


class LiveEvent(NamedTuple):
    """One thing that happens in a turn: a `delta` {"text"}, or what the conversation's record will hold once the turn
    is stored, in that order and form."""

    type: EventType
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TurnDone:
    """The turn is stored."""

    turn_id: UUID
    conversation_id: UUID
    agent_id: UUID
    result: TurnResult
