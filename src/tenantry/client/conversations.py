"""Conversations: what was said, what is known, and what happens while it happens."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from tenantry.client.errors import ServerUnreachable
from tenantry.client.sse import ServerEvent
from tenantry.client.transport import Transport, given
from tenantry.domain.conversation import Event
from tenantry.domain.values import VariableValue

_PATH = "/api/v1/conversations"
# Seconds before a broken stream is asked for again; it is given up when nothing came in all of them.
_WAITS = (0.2, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation; `external_id` is the caller's own id of it, `last_event` the number of its newest event."""

    id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    contact_id: UUID
    channel: str
    external_id: str | None
    topic: str | None
    variables: Mapping[str, VariableValue]
    turns: int
    last_event: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AcceptedTurn:
    """A message that is kept and being answered; `cursor` is where its answer begins in the stream."""

    turn_id: UUID
    cursor: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order; `last_seq` is what to give as `after` for those that follow."""

    items: tuple[Event, ...]
    last_seq: int


class Beginning(TypedDict, total=False):
    """What may be said of a conversation when it begins: with which agent or, where none is named, what the tenant's
    routing goes by; and with whom (`lead_id`, `lead_email`)."""

    agent_id: UUID | None
    lead_id: str | None
    lead_email: str | None
    external_id: str | None
    topic: str | None
    purpose: str | None
    language: str | None
    tags: Sequence[str] | None
    metadata: Mapping[str, Any] | None


class Conversations:
    """`/api/v1/conversations`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, agent_id: UUID | None = None) -> AsyncGenerator[Conversation]:
        """The conversations that the key can see, newest first."""
        return self._transport.pages(_PATH, Conversation, agent_id=agent_id)

    async def get(self, conversation_id: UUID) -> Conversation:
        """One conversation with all that is known by now."""
        return await self._transport.call("GET", f"{_PATH}/{conversation_id}", Conversation)

    async def begin(self, **beginning: Unpack[Beginning]) -> Conversation:
        """Begin a conversation, or find the one that the contact has under this `external_id`."""
        return await self._transport.call("POST", _PATH, Conversation, body=given(**beginning))

    async def send(
        self, conversation_id: UUID, text: str, *, model: str | None = None, idempotency_key: str | None = None
    ) -> AcceptedTurn:
        """Say something in a conversation; `follow` brings the answer."""
        body = given(text=text, model=model, idempotency_key=idempotency_key)
        return await self._transport.call(
            "POST",
            f"{_PATH}/{conversation_id}/messages",
            AcceptedTurn,
            body=body,
            repeatable=idempotency_key is not None,
        )

    async def events(self, conversation_id: UUID, *, after: int = 0, limit: int = 100) -> EventPage:
        """What happened, in order, after a sequence number."""
        params = {"after": after, "limit": limit}
        return await self._transport.call("GET", f"{_PATH}/{conversation_id}/events", EventPage, params=params)

    async def follow(
        self, conversation_id: UUID, *, after: str = "0", follow: bool = True
    ) -> AsyncGenerator[ServerEvent]:
        """What happens, replies while they grow, from a cursor on; without `follow` only what is there. A stream that
        breaks off is taken up after its last event, so that nothing comes twice and nothing is missed."""
        path, waits = f"{_PATH}/{conversation_id}/stream", iter(_WAITS)
        while True:
            try:
                params = {"after": after, "follow": follow}
                async for event in self._transport.stream("GET", path, params=params):
                    after, waits = event.cursor, iter(_WAITS)
                    yield event
                if not follow:
                    return
            except ServerUnreachable:
                if (wait := next(waits, None)) is None:
                    raise
                await asyncio.sleep(wait)
