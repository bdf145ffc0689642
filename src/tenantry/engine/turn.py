"""The only entry of the engine: one inbound message to what came of it, in three short steps."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from uuid import UUID
from weakref import WeakValueDictionary

from tenantry.domain.conversation import Turn, TurnResult, TurnStatus
from tenantry.domain.errors import ConversationBusy
from tenantry.domain.ids import new_id
from tenantry.engine.accept import Accepted, Work, accept, resume
from tenantry.engine.events import TurnAccepted, TurnDone, TurnEvent
from tenantry.engine.inbound import Inbound
from tenantry.engine.leases import Leases
from tenantry.engine.resources import Resources
from tenantry.engine.think import Draft, think
from tenantry.storage.repositories import turns, usage
from tenantry.storage.repositories.turns import AlreadyAccepted
from tenantry.storage.repositories.usage import UsageRow

MAX_ATTEMPTS = 5
WAIT_S = 60.0
_POLL_S = 0.25


class Engine:
    """Runs turns for one process. Every turn it works on carries the process's lease."""

    def __init__(self, resources: Resources) -> None:
        self.db = resources.db
        self._resources = resources
        self.leases = Leases(resources.db, new_id())
        # Held by those who wait, so that nothing is left of a conversation that nobody waits for.
        self._finished: WeakValueDictionary[UUID, asyncio.Event] = WeakValueDictionary()

    async def run_turn(self, inbound: Inbound) -> AsyncGenerator[TurnEvent]:
        """Accept the message, think, store; events as they happen, `TurnDone` last.

        A replay under the same idempotency key yields the outcome of the turn it had. Raises what `accept` raises,
        ConversationBusy when earlier messages take too long (this one stays in the queue), DatabaseUnavailable.
        """
        accepted = await self._accept(inbound)
        turn = accepted.turn
        yield TurnAccepted(turn.id, turn.conversation_id)
        with self.leases.hold(turn):
            work = accepted.work or await self._wait(turn, WAIT_S)
            if isinstance(work, TurnDone):
                yield work
                return
            async for event in self._drive(work):
                yield event

    async def finish_abandoned(self, turn_id: UUID, tenant_id: UUID, *, sole: bool) -> bool:
        """Take up a turn that its process left, when it is its conversation's next; whether it was. With `sole`, no
        other process is alive, so leases that did not run out yet count for nothing."""
        async with self.db.tenant(tenant_id) as tx:
            turn = await turns.start(tx, turn_id, self.leases.id, sole=sole)
            work = await resume(tx, turn) if turn else None
        if work is None:
            return False
        with self.leases.hold(work.turn):
            async for _ in self._drive(work):
                pass
        return True

    async def _accept(self, inbound: Inbound) -> Accepted:
        try:
            async with self.db.tenant(inbound.principal.tenant_id) as tx:
                return await accept(tx, inbound, self._resources, self.leases.id)
        except AlreadyAccepted:
            async with self.db.tenant(inbound.principal.tenant_id) as tx:
                return await accept(tx, inbound, self._resources, self.leases.id)

    async def _wait(self, turn: Turn, seconds: float) -> Work | TurnDone:
        """Until the turn is ours to run, or done by someone else."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            async with self.db.tenant(turn.tenant_id) as tx:
                current = await turns.get(tx, turn.id)
                if current is not None and current.status is TurnStatus.DONE and current.result is not None:
                    work = await resume(tx, current)
                    return TurnDone(turn.id, turn.conversation_id, work.agent.id, current.result)
                started = await turns.start(tx, turn.id, self.leases.id, sole=False)
                if started is not None:
                    return await resume(tx, started)
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise ConversationBusy(retry_after=5)
            await self._next_finished(turn.conversation_id, min(left, _POLL_S))

    async def _next_finished(self, conversation_id: UUID, seconds: float) -> None:
        """Until a turn of the conversation ends in this process, or the time is over: it may end in another one."""
        event = self._finished.setdefault(conversation_id, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _drive(self, work: Work) -> AsyncGenerator[TurnEvent]:
        draft = Draft(known=dict(work.conversation.known), policy_state=work.conversation.policy_state)
        try:
            if work.turn.attempts > MAX_ATTEMPTS:
                draft.degraded.append("attempts_exhausted")
            else:
                async for event in think(work, self._resources, draft):
                    yield event
            yield await self._store(work, draft)
        finally:
            if finished := self._finished.pop(work.conversation.id, None):
                finished.set()

    async def _store(self, work: Work, draft: Draft) -> TurnDone:
        result = draft.result(work)
        turn = work.turn
        async with self.db.tenant(turn.tenant_id) as tx:
            stored = await turns.finish(
                tx,
                turn,
                self.leases.id,
                result=result,
                known=draft.known,
                policy_state=draft.policy_state,
                events=draft.events,
            )
            if stored is None:
                # Our lease ran out and another process took the turn: what it stored is what counts.
                current = await turns.get(tx, turn.id)
                if current is None or current.result is None:
                    raise ConversationBusy(retry_after=5)
                result = current.result
            else:
                await usage.insert(tx, [_usage_row(work, result)])
        return TurnDone(turn.id, turn.conversation_id, work.agent.id, result)


def _usage_row(work: Work, result: TurnResult) -> UsageRow:
    conversation = work.conversation
    return UsageRow(
        turn_id=work.turn.id,
        model=result.model or work.turn.model,
        agent_id=conversation.agent_id,
        owner_member_id=conversation.owner_member_id,
        conversation_id=conversation.id,
        channel=conversation.channel,
        usage=result.usage,
    )
