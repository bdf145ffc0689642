"""What callers heard of the agent: kept for each utterance, and all that the history has of one they cut short."""

import asyncio
from contextlib import suppress
from uuid import UUID

from tenantry.channels.livekit_voice.access import CallHolder
from tenantry.domain.call import Utterance
from tenantry.domain.conversation import TurnStatus
from tenantry.domain.errors import ConversationBusy, NotFound, TenantryError
from tenantry.engine.turn import Engine
from tenantry.storage.repositories import calls, conversations, turns

_POLL_S = 0.25
_LONGEST_S = 15.0


async def keep(engine: Engine, holder: CallHolder, said: Utterance) -> None:
    """Keep the utterance, once. One that was interrupted ends its turn where it stands; the history then has of it
    what was heard.

    Raises CallEnded, NotFound for a turn of another conversation, and ConversationBusy when the turn does not end.
    """
    async with engine.db.tenant(holder.tenant_id) as tx:
        call = await holder.call(tx)
        turn = await turns.get(tx, said.turn_id) if said.turn_id else None
    if said.turn_id is not None and (turn is None or turn.conversation_id != call.conversation_id):
        raise NotFound("There is no such turn in this call.")
    cut = turn is not None and said.interrupted
    if turn is not None and cut:
        await _end(engine, holder.tenant_id, call.conversation_id, turn.id)
    async with engine.db.tenant(holder.tenant_id) as tx:
        if cut:
            # Before the call's own rows, as whoever erases the conversation does.
            await conversations.lock(tx, call.conversation_id, sees_only=None)
        call = await holder.call(tx)
        if await calls.add_utterance(tx, call.id, said) and turn is not None and cut:
            await calls.take_back(tx, call.conversation_id, turn.id, said.heard)


async def unspoken(engine: Engine, holder: CallHolder) -> tuple[UUID, str] | None:
    """The last turn's reply where nobody has said that it was spoken, once that turn is done. Raises CallEnded, and
    ConversationBusy when it takes too long."""
    async with engine.db.tenant(holder.tenant_id) as tx:
        call = await holder.call(tx)
        running = await turns.last_unfinished(tx, call.conversation_id)
    if running is not None:
        await _wait(engine, holder.tenant_id, call.conversation_id, running)
    async with engine.db.tenant(holder.tenant_id) as tx:
        return await calls.unspoken(tx, call)


async def _end(engine: Engine, tenant_id: UUID, conversation_id: UUID, turn_id: UUID) -> None:
    """Stop the turn, and wait until it is stored with what was said of it."""
    if await engine.stop(tenant_id, turn_id, "interrupted"):
        await _wait(engine, tenant_id, conversation_id, turn_id)


async def _wait(engine: Engine, tenant_id: UUID, conversation_id: UUID, turn_id: UUID) -> None:
    """Until the turn is stored."""
    try:
        async with asyncio.timeout(_LONGEST_S):
            while not await _stored(engine, tenant_id, turn_id):
                if (live := engine.live.get(tenant_id, turn_id)) is None:
                    await engine.live.changed(tenant_id, conversation_id, _POLL_S)
                    continue
                with suppress(TenantryError):
                    await live.result()
    except TimeoutError:
        raise ConversationBusy(retry_after=1) from None


async def _stored(engine: Engine, tenant_id: UUID, turn_id: UUID) -> bool:
    async with engine.db.tenant(tenant_id) as tx:
        turn = await turns.get(tx, turn_id)
    return turn is None or turn.status is TurnStatus.DONE
