"""`/api/v1/conversations`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, WebSocket, status
from fastapi.responses import StreamingResponse

from tenantry.api.common import Cursor, Db, EngineResources, Limit, TheEngine, cut_page
from tenantry.api.conversations.schemas import (
    ConversationCreate,
    ConversationOut,
    ConversationPage,
    EventOut,
    EventPage,
    MessageIn,
    TurnAcceptedOut,
)
from tenantry.api.conversations.socket import converse
from tenantry.api.conversations.stream import STREAM, inbound_message, sse_of
from tenantry.api.problems import problems
from tenantry.api.sse import sse_response
from tenantry.auth.principals import CanReadConversations, CanReply
from tenantry.domain.access import Principal
from tenantry.domain.conversation import Conversation
from tenantry.domain.errors import (
    AgentNotPublished,
    BudgetExhausted,
    NotFound,
    RateLimited,
    TurnInProgress,
)
from tenantry.engine.accept import open_conversation
from tenantry.engine.inbound import Inbound, clean_email, clean_metadata, clean_reference, clean_tags
from tenantry.engine.watching import Position, watch
from tenantry.storage.repositories import conversations
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])

BEGUN = problems(AgentNotPublished, TurnInProgress, RateLimited, BudgetExhausted)


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


@router.post("", status_code=status.HTTP_201_CREATED, responses=problems(NotFound, AgentNotPublished))
async def create_conversation(body: ConversationCreate, who: CanReply, resources: EngineResources) -> ConversationOut:
    """Begin a conversation, for a chat that sends its messages one by one."""
    inbound = Inbound(
        principal=who,
        channel="api",
        message="",
        agent_id=body.agent_id,
        conversation_ref=clean_reference("external_id", body.external_id),
        lead_id=clean_reference("lead_id", body.lead_id),
        lead_email=clean_email("lead_email", body.lead_email),
        topic=clean_reference("topic", body.topic),
        purpose=clean_reference("purpose", body.purpose),
        language=clean_reference("language", body.language),
        tags=clean_tags("tags", body.tags),
        metadata=clean_metadata("metadata", body.metadata),
    )
    async with resources.db.tenant(who.tenant_id) as tx:
        return ConversationOut.of(await open_conversation(tx, inbound, resources))


@router.post("/{conversation_id}/messages", status_code=status.HTTP_202_ACCEPTED, responses=BEGUN)
async def send_message(conversation_id: UUID, body: MessageIn, who: CanReply, engine: TheEngine) -> TurnAcceptedOut:
    """Say something in a conversation; the answer comes in its stream."""
    live = await engine.begin(inbound_message(who, conversation_id, body))
    return TurnAcceptedOut(turn_id=live.turn.id, cursor=str(Position(live.seq)))


@router.get("/{conversation_id}/stream", response_class=StreamingResponse, responses=STREAM)
async def stream_conversation(
    conversation_id: UUID,
    who: CanReadConversations,
    engine: TheEngine,
    after: Annotated[str, Query(max_length=100, description="The `id` of the last event that came; 0 for all.")] = "0",
    follow: Annotated[bool, Query(description="Whether to wait for what comes.")] = True,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> StreamingResponse:
    """What happens in a conversation as server-sent events, replies while they grow, from a cursor on."""
    position = Position.parse(last_event_id or after)
    async with engine.db.tenant(who.tenant_id) as tx:
        await _visible(tx, conversation_id, who)
    return sse_response(sse_of(watch(engine, who, conversation_id, position, follow=follow)))


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


@router.websocket("/{conversation_id}/socket")
async def conversation_socket(websocket: WebSocket, conversation_id: UUID) -> None:
    """The same stream both ways (docs/how-to/streaming.md)."""
    await converse(websocket, conversation_id)


async def _visible(tx: TenantTx, conversation_id: UUID, who: Principal) -> Conversation:
    conversation = await conversations.get(tx, conversation_id, sees_only=who.sees_only)
    if conversation is None:
        raise NotFound
    return conversation
