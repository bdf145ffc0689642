"""What the turns' routes give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from tenantry.domain.conversation import Turn, TurnResult
from tenantry.domain.routing import Routed
from tenantry.domain.trace import TurnTrace


class TurnOut(BaseModel):
    """A turn. `result` is there when it is done; `stop` says that it is to end where it stands."""

    id: UUID
    conversation_id: UUID
    number: int
    status: Literal["queued", "running", "done"]
    model: str
    attempts: int
    stop: Literal["interrupted", "cancelled"] | None
    received_at: datetime
    result: TurnResult | None

    @classmethod
    def of(cls, turn: Turn) -> "TurnOut":
        """The turn as it is shown."""
        return cls(
            id=turn.id,
            conversation_id=turn.conversation_id,
            number=turn.number,
            status=turn.status.value,
            model=turn.model,
            attempts=turn.attempts,
            stop=turn.stop,
            received_at=turn.received_at,
            result=turn.result,
        )


class MessageOut(BaseModel):
    """What was said before the turn."""

    number: int
    role: Literal["contact", "agent"]
    content: str


class ExplanationOut(BaseModel):
    """How a turn came about: `agent_id` and `agent_version` are who answered, `routing` is how the conversation found
    the agent that it began with, `history` is what the models saw of the conversation before it; `trace` holds the
    exact system prompts, the tools, what the turn itself added to the messages, every model attempt with its raw
    output, every tool call, the memory used, tokens, cost, and milliseconds of each stage."""

    turn: TurnOut
    agent_id: UUID
    agent_version: int | None
    routing: Routed | None
    history: list[MessageOut]
    trace: TurnTrace


class UnknownCallOut(BaseModel):
    """A tool call of which nobody knows what came of it: it was cut off, or its service did not answer."""

    conversation_id: UUID
    turn_id: UUID
    step: int
    name: str
    arguments: Mapping[str, Any]
    claimed_at: datetime


class UnknownCallPage(BaseModel):
    """Such calls, the newest first; `next_before` is what to send as `before` for the next page."""

    items: list[UnknownCallOut]
    next_before: datetime | None
