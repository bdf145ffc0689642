"""What a turn tells while it runs, and when it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from tenantry.domain.conversation import EventType, Turn, TurnResult


class LiveEvent(NamedTuple):
    """One thing that happens in a turn: a `delta` {"text"}, or what the conversation's record will hold once the turn
    is stored, in that order and form."""

    type: EventType
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TurnDone:
    """The turn is stored; `agent_id` is who answered."""

    turn_id: UUID
    conversation_id: UUID
    agent_id: UUID
    result: TurnResult

    @classmethod
    def of(cls, turn: Turn, result: TurnResult, agent_id: UUID) -> "TurnDone":
        """The end of the turn; `agent_id` is the conversation's now, for a turn that was stored without its own."""
        return cls(turn.id, turn.conversation_id, result.agent_id or agent_id, result)
