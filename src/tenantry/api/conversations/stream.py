"""A conversation's stream on the wire, and the messages that go into it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from tenantry.api.conversations.schemas import MessageIn
from tenantry.api.sse import COMMENT, EVENTS, sse
from tenantry.domain.access import Principal
from tenantry.engine.inbound import Inbound, clean_message, clean_reference
from tenantry.engine.watching import StreamEvent

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": EVENTS,
        "description": "Events named as in the conversation's record, `delta` for pieces of a reply, and "
        "`turn.restarted` when a turn's events and text begin anew. Each has an `id` to go on from.",
    }
}


def event_data(event: StreamEvent) -> dict[str, Any]:
    """What an event holds, with the turn that it is of."""
    return {**event.data, "turn_id": event.turn_id}


async def sse_of(batches: AsyncGenerator[list[StreamEvent]]) -> AsyncGenerator[bytes]:
    """The stream as server-sent events, with a comment where there is nothing to tell."""
    async with aclosing(batches):
        async for batch in batches:
            yield b"".join(sse(e.type, event_data(e), str(e.position)) for e in batch) or COMMENT


def inbound_message(who: Principal, conversation_id: UUID, message: MessageIn) -> Inbound:
    """The message as the engine takes it. Raises InvalidInput."""
    return Inbound(
        principal=who,
        channel="api",
        message=clean_message(message.text),
        conversation_id=conversation_id,
        model=message.model,
        idempotency_key=clean_reference("idempotency_key", message.idempotency_key),
    )
