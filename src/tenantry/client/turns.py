"""Turns: their state, how they came about, how to end them, and tool calls that nobody knows the end of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.client.transport import Transport
from tenantry.domain.conversation import Message, TurnResult
from tenantry.domain.trace import TurnTrace

_PATH = "/api/v1/turns"


@dataclass(frozen=True, slots=True)
class Turn:
    """A message and what came of it: queued, running or done, with its `result`; `stop` says that it is to end where
    it stands."""

    id: UUID
    conversation_id: UUID
    number: int
    status: str
    model: str
    attempts: int
    stop: str | None
    received_at: datetime
    result: TurnResult | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a turn came about: what was said before it, and its trace."""

    turn: Turn
    agent_id: UUID
    history: tuple[Message, ...]
    trace: TurnTrace


@dataclass(frozen=True, slots=True)
class UnknownCall:
    """A tool call of which nobody knows what came of it."""

    conversation_id: UUID
    turn_id: UUID
    step: int
    name: str
    arguments: Mapping[str, Any]
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class UnknownCallPage:
    """Such calls, newest first; `next_before` is what to give as `before` for the next page."""

    items: tuple[UnknownCall, ...]
    next_before: datetime | None


class Turns:
    """`/api/v1/turns` and `/api/v1/tool-calls`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, turn_id: UUID) -> Turn:
        """One turn."""
        return await self._transport.call("GET", f"{_PATH}/{turn_id}", Turn)

    async def cancel(self, turn_id: UUID) -> Turn:
        """End a turn where it stands; one that is done stays as it is."""
        return await self._transport.call("POST", f"{_PATH}/{turn_id}/cancel", Turn, repeatable=True)

    async def explain(self, turn_id: UUID) -> Explanation:
        """How a turn came about: prompts, messages, models, tool calls, memory, timings, tokens and cost."""
        return await self._transport.call("GET", f"{_PATH}/{turn_id}/explain", Explanation)

    async def unknown_calls(self, *, before: datetime | None = None, limit: int = 50) -> UnknownCallPage:
        """Tool calls with an unknown outcome, for a person to look at."""
        params = {"before": before, "limit": limit}
        return await self._transport.call("GET", "/api/v1/tool-calls", UnknownCallPage, params=params)
