"""`/api/v1/turns` and `/api/v1/tool-calls`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from tenantry.api.common import Db, Limit, TheEngine
from tenantry.api.problems import problems
from tenantry.api.turns.schemas import ExplanationOut, MessageOut, TurnOut, UnknownCallOut, UnknownCallPage
from tenantry.auth.principals import CanReadConversations, CanReply
from tenantry.domain.access import Principal
from tenantry.domain.conversation import Conversation, Turn
from tenantry.domain.errors import Conflict, NotFound
from tenantry.storage.repositories import conversations, tool_calls, turns
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1", tags=["turns"])


@router.get("/turns/{turn_id}")
async def read_turn(turn_id: UUID, who: CanReadConversations, db: Db) -> TurnOut:
    """One turn, and what came of it when it is done."""
    async with db.tenant(who.tenant_id) as tx:
        turn, _ = await _visible(tx, turn_id, who)
    return TurnOut.of(turn)


@router.post("/turns/{turn_id}/cancel")
async def cancel_turn(turn_id: UUID, who: CanReply, engine: TheEngine) -> TurnOut:
    """End a turn where it stands: the reply is what was said until now, tools that were begun are brought to their end.
    One that is done stays as it is."""
    async with engine.db.tenant(who.tenant_id) as tx:
        await _visible(tx, turn_id, who)
    await engine.stop(who.tenant_id, turn_id, "cancelled")
    async with engine.db.tenant(who.tenant_id) as tx:
        turn, _ = await _visible(tx, turn_id, who)
    return TurnOut.of(turn)


@router.get("/turns/{turn_id}/explain", responses=problems(Conflict))
async def explain_turn(turn_id: UUID, who: CanReadConversations, db: Db) -> ExplanationOut:
    """How a turn came about: prompt, tools, raw output, tool calls, models, timings, tokens and cost."""
    async with db.tenant(who.tenant_id) as tx:
        turn, conversation = await _visible(tx, turn_id, who)
        trace = await turns.trace(tx, turn_id)
        if trace is None:
            raise Conflict("This turn is not done yet; ask again when it is.", retry_after=1)
        history = await conversations.messages_before(
            tx, turn.conversation_id, trace.history_to + 1, trace.history_count
        )
    return ExplanationOut(
        turn=TurnOut.of(turn),
        agent_id=(turn.result and turn.result.agent_id) or conversation.agent_id,
        agent_version=turn.result.agent_version if turn.result else None,
        routing=conversation.routed,
        history=[MessageOut(number=m.number, role=m.role, content=m.content) for m in history],
        trace=trace,
    )


@router.get("/tool-calls")
async def list_unknown_calls(
    who: CanReadConversations,
    db: Db,
    before: Annotated[AwareDatetime | None, Query(description="Only calls made before this moment.")] = None,
    limit: Limit = 50,
) -> UnknownCallPage:
    """Tool calls with an unknown outcome, for a person to look at: nothing makes them again."""
    async with db.tenant(who.tenant_id) as tx:
        found = await tool_calls.unknown(tx, sees_only=who.sees_only, before=before, limit=limit)
    items = [
        UnknownCallOut(
            conversation_id=call.conversation_id,
            turn_id=call.turn_id,
            step=call.step,
            name=call.name,
            arguments=call.arguments,
            claimed_at=call.claimed_at,
        )
        for call in found
    ]
    return UnknownCallPage(items=items, next_before=items[-1].claimed_at if len(items) == limit else None)


async def _visible(tx: TenantTx, turn_id: UUID, who: Principal) -> tuple[Turn, Conversation]:
    turn = await turns.get(tx, turn_id)
    conversation = turn and await conversations.get(tx, turn.conversation_id, sees_only=who.sees_only)
    if turn is None or conversation is None:
        raise NotFound
    return turn, conversation
