"""`/api/v1/conversations`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tenantry.api.common import Cursor, Db, Limit, cut_page
from tenantry.api.conversations.schemas import ConversationOut, ConversationPage, EventOut, EventPage
from tenantry.auth.principals import CanReadConversations
from tenantry.domain.access import Principal
from tenantry.domain.conversation import Conversation
from tenantry.domain.errors import NotFound
from tenantry.storage.repositories import conversations
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


@router.get("")
async def list_conversations(
    who: CanReadConversations, db: Db, agent_id: UUID | None = None, cursor: Cursor = None, limit: Limit = 50
) -> ConversationPage:
    """The conversations that the key can see, newest first."""
    async with db.tenant(who.tenant_id) as tx:
        found = await conversations.list_page(
            tx, sees_only=who.sees_only, agent_id=agent_id, before=cursor, limit=limit + 1
        )
    page, next_cursor = cut_page(found, limit, lambda conversation: conversation.id)
    return ConversationPage(items=[ConversationOut.of(c) for c in page], next_cursor=next_cursor)


@router.get("/{conversation_id}")
async def read_conversation(conversation_id: UUID, who: CanReadConversations, db: Db) -> ConversationOut:
    """One conversation with all that is known by now."""
    async with db.tenant(who.tenant_id) as tx:
        return ConversationOut.of(await _visible(tx, conversation_id, who))


@router.get("/{conversation_id}/events")
async def read_events(
    conversation_id: UUID,
    who: CanReadConversations,
    db: Db,
    after: Annotated[int, Query(ge=0, le=2**62, description="Only events after this sequence number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> EventPage:
    """What happened, in order, after a sequence number."""
    async with db.tenant(who.tenant_id) as tx:
        await _visible(tx, conversation_id, who)
        events = await conversations.events_after(tx, conversation_id, after, limit)
    return EventPage(items=[EventOut.of(event) for event in events], last_seq=events[-1].seq if events else after)


async def _visible(tx: TenantTx, conversation_id: UUID, who: Principal) -> Conversation:
    conversation = await conversations.get(tx, conversation_id, sees_only=who.sees_only)
    if conversation is None:
        raise NotFound
    return conversation
