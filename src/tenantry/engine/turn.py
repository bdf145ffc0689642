"""The only entry of the engine: from one inbound message to what came of it, in three short steps."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog

from tenantry.auth.budgets import Reservation
from tenantry.auth.identity import claimed_tenant, identify
from tenantry.domain.access import Principal
from tenantry.domain.conversation import StopReason, TurnResult, TurnStatus, Usage
from tenantry.domain.errors import ConversationBusy, ConversationDeleted, TenantryError
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Tenant
from tenantry.domain.trace import TurnReport, TurnTrace
from tenantry.engine.accept import Accepted, Intake, Work, accept, replayed, resume
from tenantry.engine.admission import admit
from tenantry.engine.draft import Clock, Draft
from tenantry.engine.events import TurnDone
from tenantry.engine.hand_over import hand_over
from tenantry.engine.inbound import Inbound
from tenantry.engine.leases import Leases
from tenantry.engine.live import LiveTurn, LiveTurns, Stopped
from tenantry.engine.persistence import persist
from tenantry.engine.resources import Resources
from tenantry.engine.think import think
from tenantry.engine.tool_loop import Toolbox
from tenantry.storage.repositories import booking_notices, conversations, turns
from tenantry.storage.repositories.tool_calls import LeaseLost
from tenantry.storage.repositories.turns import AlreadyAccepted, Outcome
from tenantry.storage.repositories.usage import UsageRow
from tenantry.storage.tenancy import TenantTx
from tenantry.tools.hand_off.tool import HandedOver

log = structlog.get_logger()

Observer = Callable[[TurnReport], None]

MAX_ATTEMPTS = 20
WAIT_S = 60.0
_POLL_S = 0.25
_LAST_TURNS_S = 10.0


class Engine:
    """Runs turns for one process, each as a task of its own that outlives whoever asked. Every turn it works on carries
    the process's lease."""

    def __init__(self, resources: Resources, *, sole: bool = False, observers: Sequence[Observer] = ()) -> None:
        """`sole` says that no other process can be working on the database; `observers` are told of stored turns."""
        self.db = resources.db
        self.leases = Leases(resources.db, new_id())
        self.live = LiveTurns()
        self.sole = sole
        self._resources = resources
        self._observers = tuple(observers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._handed: dict[tuple[UUID, UUID], Work] = {}

    async def begin(self, inbound: Inbound) -> LiveTurn:
        """Accept the message and begin to answer it; a replay under the same idempotency key is the turn it had. Its
        `result` raises ConversationBusy when earlier messages take too long; the message then stays in the queue. It
        raises ConversationDeleted when the contact is deleted meanwhile.

        Raises NotFound, ModelNotAllowed, IdempotencyKeyReused, TurnInProgress, DatabaseUnavailable.
        """
        began = time.perf_counter()
        await admit(inbound, self._resources.limiter, self._resources.hasher)
        try:
            accepted, reservation = await self._accept(inbound)
        except (AlreadyAccepted, TenantryError) as error:
            accepted, reservation = await self._replayed(inbound, error), None
        return self._begun(inbound, accepted, reservation, began)

    async def begin_as(self, key: str, made: Callable[[Principal], Inbound]) -> LiveTurn:
        """As `begin`, for what the holder of the key sends: who that is, is found in the transaction that keeps the
        message. `made` gives the message for them, or raises why they may not send it. Raises Unauthenticated too."""
        began = time.perf_counter()
        inbound: Inbound | None = None
        intake: Intake | None = None
        accepted: Accepted | None = None
        try:
            async with self.db.tenant(claimed_tenant(key)) as tx:
                inbound = made(await identify(tx, key))
                await admit(inbound, self._resources.limiter, self._resources.hasher)
                intake = self._intake_at_hand(inbound.principal.tenant)
                if intake is not None:
                    accepted = await accept(tx, inbound, intake)
            if accepted is None:
                accepted, reservation = await self._accept(inbound)
                return self._begun(inbound, accepted, reservation, began)
        except (AlreadyAccepted, TenantryError) as error:
            self._release(intake)
            if inbound is None:
                raise
            return self._begun(inbound, await self._replayed(inbound, error), None, began)
        except BaseException:
            self._release(intake)
            raise
        return self._begun(inbound, accepted, intake.reservation if intake else None, began)

    def _begun(self, inbound: Inbound, accepted: Accepted, reservation: Reservation | None, began: float) -> LiveTurn:
        for turn_id in accepted.interrupted:
            if (earlier := self.live.get(accepted.turn.tenant_id, turn_id)) is not None:
                earlier.stop("interrupted")
        if (running := self.live.get(accepted.turn.tenant_id, accepted.turn.id)) is not None:
            return running
        live = LiveTurn(accepted.turn, accepted.seq)
        live.reservation = reservation
        live.labels = {"traceparent": inbound.traceparent} if inbound.traceparent else {}
        turn = accepted.turn
        if turn.status is TurnStatus.DONE and turn.result is not None:
            live.say(turn.result.reply)
            live.finish(TurnDone.of(turn, turn.result, accepted.agent_id))
        else:
            self._launch(live, accepted.work, (time.perf_counter() - began) * 1000)
        return live

    async def take_up(self, turn_id: UUID, tenant_id: UUID) -> bool:
        """Finish a turn that its process left, when it is its conversation's next; whether it was."""
        if self.live.get(tenant_id, turn_id) is not None:
            return False
        async with self.db.tenant(tenant_id) as tx:
            turn = await turns.start(tx, turn_id, self.leases.id, sole=self.sole)
            work = await resume(tx, turn, self._resources.definitions) if turn else None
        if work is None:
            return False
        live = self.live.get(tenant_id, turn_id)
        if live is None:
            live = LiveTurn(work.turn, work.seq)
            self._launch(live, work, 0.0)
        else:
            # A retry of the same message has come meanwhile, and waits for the turn.
            self._handed[tenant_id, turn_id] = work
            self.live.notify(tenant_id, work.conversation.id)
        await live.result()
        return True

    async def stop(self, tenant_id: UUID, turn_id: UUID, reason: StopReason) -> bool:
        """End an unfinished turn where it stands; False when it is done."""
        async with self.db.tenant(tenant_id) as tx:
            asked = await turns.stop(tx, turn_id, reason)
        if (live := self.live.get(tenant_id, turn_id)) is not None:
            live.stop(reason)
        return asked

    def forget_contact(self, tenant_id: UUID, contact_id: UUID, conversation_ids: Iterable[UUID]) -> None:
        """Let go of a contact that was deleted: its turns end, and what is kept of its own agents goes."""
        for conversation_id in conversation_ids:
            for live in self.live.of_conversation(tenant_id, conversation_id):
                live.stop("cancelled")
            self.live.notify(tenant_id, conversation_id)
        self._resources.definitions.forget_contact(tenant_id, contact_id)

    async def renew_leases(self) -> None:
        """Say that our turns are being worked on, and end those that were asked to end through another process."""
        for (tenant_id, turn_id), reason in (await self.leases.renew()).items():
            if (live := self.live.get(tenant_id, turn_id)) is not None:
                live.stop(reason)

    async def close(self) -> None:
        """Wait a little for the turns that run, then leave the rest to whoever takes them up."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_TURNS_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _replayed(self, inbound: Inbound, error: AlreadyAccepted | TenantryError) -> Accepted:
        """The turn that the idempotency key had, whatever became of its agent since; else the error is raised."""
        if inbound.idempotency_key is not None:
            async with self.db.tenant(inbound.principal.tenant_id) as tx:
                earlier = await replayed(tx, inbound)
            if earlier is not None:
                return earlier
        raise error if isinstance(error, TenantryError) else ConversationBusy(retry_after=1) from error

    def _intake_at_hand(self, tenant: Tenant) -> Intake | None:
        """What a message is taken in with, where nothing has to be read for it first."""
        models = self._resources.models.at_hand(tenant)
        if models is None or not self._resources.budgets.at_hand(tenant):
            return None
        return Intake(self._resources, models, self.leases.id)

    def _release(self, intake: Intake | None) -> None:
        if intake is not None and intake.reservation is not None:
            self._resources.budgets.settle(intake.reservation)

    async def _accept(self, inbound: Inbound) -> tuple[Accepted, Reservation | None]:
        tenant, resources = inbound.principal.tenant, self._resources
        # Before the transaction: a connection must not be waited for while another is held.
        await resources.budgets.prepare(tenant)
        intake = Intake(resources, await resources.models.of(self.db, tenant), self.leases.id)
        try:
            async with self.db.tenant(tenant.id) as tx:
                accepted = await accept(tx, inbound, intake)
        except BaseException:
            self._release(intake)
            raise
        return accepted, intake.reservation

    def _launch(self, live: LiveTurn, work: Work | None, accept_ms: float) -> None:
        self.live.add(live)
        task = asyncio.create_task(self._run(live, work, accept_ms))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, live: LiveTurn, work: Work | None, accept_ms: float) -> None:
        began, again = time.perf_counter(), False
        try:
            with self.leases.hold(live.turn):
                while not live.ended:
                    found = work or await self._wait(live, WAIT_S, again=again)
                    if isinstance(found, TurnDone):
                        live.say(found.result.reply)
                        live.finish(found)
                        break
                    clock = Clock(accept_ms, (time.perf_counter() - began) * 1000)
                    try:
                        live.finish(await self._drive(live, found, clock))
                    except LeaseLost:
                        work, again = None, True
        except asyncio.CancelledError:
            live.fail(ConversationBusy(retry_after=5))
            raise
        except Exception as error:
            if not isinstance(error, TenantryError):
                log.error("turn failed", turn_id=str(live.turn.id), exc_info=error)
            live.fail(error)
        finally:
            self.live.remove(live)
            self._handed.pop((live.turn.tenant_id, live.turn.id), None)
            if live.reservation is not None:
                self._resources.budgets.settle(live.reservation, live.done.result.usage if live.done else None)

    async def _wait(self, live: LiveTurn, seconds: float, *, again: bool) -> Work | TurnDone:
        """Until the turn is ours to run, or done by someone else; with `again`, our own attempt at it was given up."""
        turn = live.turn
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            if (handed := self._handed.pop((turn.tenant_id, turn.id), None)) is not None:
                return handed
            async with self.db.tenant(turn.tenant_id) as tx:
                current = await turns.get(tx, turn.id)
                if current is None:
                    raise ConversationDeleted
                if current.status is TurnStatus.DONE and current.result is not None:
                    talk = await conversations.with_agent(tx, turn.conversation_id)
                    if live.begun:
                        live.restart(current.attempts)
                    return TurnDone.of(turn, current.result, talk.serving.agent_id)
                started = await turns.start(tx, turn.id, self.leases.id, sole=self.sole, again=again)
                if started is not None:
                    return await resume(tx, started, self._resources.definitions)
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise ConversationBusy(retry_after=5)
            await self.live.changed(turn.tenant_id, turn.conversation_id, min(left, _POLL_S))

    async def _drive(self, live: LiveTurn, work: Work, clock: Clock) -> TurnDone:
        live.begin_attempt(work.turn)
        draft = Draft(
            work=work,
            live=live,
            clock=clock,
            known=dict(work.conversation.known),
            policy_state=work.conversation.policy_state,
        )
        tools = Toolbox(draft, self._resources, self.leases)
        if work.turn.attempts > MAX_ATTEMPTS:
            draft.degraded.append("attempts_exhausted")
            await tools.wind_up(settle=False)
        elif live.stop_reason is not None:
            await tools.wind_up(settle=True)
        else:
            try:
                await think(draft, self._resources, tools)
            except Stopped:
                log.info("turn stopped", turn_id=str(work.turn.id), reason=live.stop_reason)
        return await self._store(draft)

    async def _store(self, draft: Draft) -> TurnDone:
        work, turn, began = draft.work, draft.work.turn, draft.clock.now()
        result = draft.result()
        outcome = Outcome(
            result, draft.known, draft.policy_state, draft.events, draft.trace(), tuple(_usage_rows(draft))
        )
        await persist(self.db, turn.tenant_id, partial(self._finish, work, outcome, draft.handed_over))
        draft.clock.spent("store", began)
        self._tell(draft, replace(outcome.trace, times=draft.times()), result)
        return TurnDone.of(turn, result, work.agent.id)

    async def _finish(self, work: Work, outcome: Outcome, handed: HandedOver | None, tx: TenantTx) -> None:
        turn = work.turn
        if await turns.finish(tx, turn, self.leases.id, outcome) is not None:
            if work.notices:
                await booking_notices.told(tx, [notice.id for notice in work.notices])
            if handed is not None:
                await hand_over(tx, work, handed, outcome.known, self._resources.definitions)
            return
        # Stored before by this very attempt, and nobody knew whether it was committed; or another process's by now.
        current = await turns.get(tx, turn.id)
        if current is None:
            raise ConversationDeleted
        if current.result is None or current.attempts != turn.attempts:
            raise LeaseLost

    def _tell(self, draft: Draft, trace: TurnTrace, result: TurnResult) -> None:
        if not self._observers:
            return
        work = draft.work
        report = TurnReport(
            tenant_id=work.turn.tenant_id,
            agent_id=work.agent.id,
            owner_member_id=work.conversation.owner_member_id,
            conversation_id=work.conversation.id,
            turn_id=work.turn.id,
            channel=work.conversation.channel,
            begun_at=work.turn.received_at,
            result=result,
            trace=trace,
            labels={"tenant": work.tenant.slug, **draft.live.labels},
        )
        for observer in self._observers:
            observer(report)


def _usage_rows(draft: Draft) -> Iterator[UsageRow]:
    """What each model that was asked used; a turn that asked none counts under the one that it was meant for."""
    conversation, turn = draft.work.conversation, draft.work.turn
    for model, used in (draft.usage or {turn.model: Usage()}).items():
        yield UsageRow(
            turn_id=turn.id,
            model=model,
            agent_id=conversation.agent_id,
            owner_member_id=conversation.owner_member_id,
            conversation_id=conversation.id,
            channel=conversation.channel,
            usage=used,
        )
