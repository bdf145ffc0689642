"""The tools that a model asks for: claimed, run side by side, told."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from tenantry.credentials.booking_references import BookingReferences
from tenantry.domain.conversation import EventType
from tenantry.domain.storable import storable
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.domain.trace import ToolStep
from tenantry.engine.draft import Draft
from tenantry.engine.leases import Leases
from tenantry.engine.live import Stopped
from tenantry.engine.persistence import persist
from tenantry.engine.resources import Resources
from tenantry.llm.registry import FORM_POLICY
from tenantry.storage.repositories import tool_calls
from tenantry.storage.repositories.tool_calls import RecordedCall
from tenantry.storage.tenancy import TenantTx
from tenantry.tools.attempts import UNKNOWN
from tenantry.tools.base import ToolContext
from tenantry.tools.registry import call_tool

# Of one turn; more wait, so that one model's zeal does not take every connection.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What runs the tools of one attempt at a turn, under the lease of its process."""

    draft: Draft
    resources: Resources
    leases: Leases

    async def run(self, calls: Sequence[ToolCallRequest], model: str) -> None:
        """Carry out what a model asked for in one step; the results become messages, in the order of the calls.

        Raises Stopped before anything is begun, LeaseLost, DatabaseUnavailable.
        """
        draft = self.draft
        if draft.live.stop_reason is not None:
            raise Stopped
        draft.add_calls(tuple(calls))
        began = draft.clock.now()
        earlier = [self._replayed(call) for call in calls]
        fresh = [call for call, result in zip(calls, earlier, strict=True) if result is None]
        first = draft.next_step
        if fresh:
            claim = partial(_claim, draft.work.turn.id, self.leases.id, first, fresh, model)
            with self.leases.renewing(draft.work.turn.tenant_id, draft.work.turn.id):
                await persist(self.resources.db, draft.work.turn.tenant_id, claim)
            draft.next_step += len(fresh)
        gate = asyncio.Semaphore(_AT_ONCE)
        made = iter(await self._all(gate, first, fresh))
        for call, result in zip(calls, earlier, strict=True):
            draft.add_result(call.id, result or next(made))
        draft.clock.spent("tools", began)

    async def take_up(self) -> None:
        """Go on from the calls that an earlier attempt made: what came of them is told, and those that were cut off
        are brought to an end, each by its own tool's care for what may have happened."""
        draft = self.draft
        recorded = draft.work.recorded
        if not recorded:
            return
        by_policy = recorded[-1].model == FORM_POLICY
        for call in recorded:
            settled = call if call.result is not None else await self._settle(call)
            if by_policy and call.model == FORM_POLICY:
                # It asks for the very same calls again, from the same words.
                draft.replays.append(settled)
            else:
                self._tell_replayed(settled)
        draft.next_step = recorded[-1].step + 1

    async def wind_up(self, *, settle: bool) -> None:
        """Tell what came of an earlier attempt's calls where no model is asked any more: those that were cut off are
        brought to an end or, without `settle`, left as unknown for a person to look at."""
        for call in self.draft.work.recorded:
            if call.result is not None:
                self._tell_replayed(call)
            elif settle:
                self._tell_replayed(await self._settle(call))
            else:
                result = await self._keep(call.step, UNKNOWN)
                self._tell_replayed(RecordedCall(call.step, call.name, call.arguments, call.model, result))

    async def _all(self, gate: asyncio.Semaphore, first: int, calls: Sequence[ToolCallRequest]) -> list[ToolResult]:
        for step, call in enumerate(calls, first):
            self._tell_called(step, call.name, call.arguments)
        runs = (self._one(gate, step, call) for step, call in enumerate(calls, first))
        # Each is brought to its end, whatever becomes of another: what was begun has to be known.
        ended = await asyncio.gather(*runs, return_exceptions=True)
        failed = next((result for result in ended if isinstance(result, BaseException)), None)
        if failed is not None:
            raise failed
        return [result for result in ended if isinstance(result, ToolResult)]

    async def _one(self, gate: asyncio.Semaphore, step: int, call: ToolCallRequest) -> ToolResult:
        async with gate:
            began = self.draft.clock.now()
            result = await self._made(step, call, repeated=False)
            took = self.draft.clock.now() - began
            self.draft.ended(ToolStep(step, call.name, call.arguments, result.output, began, took))
            return result

    async def _made(self, step: int, call: ToolCallRequest, *, repeated: bool) -> ToolResult:
        self.leases.check(self.draft.work.turn)
        return await self._keep(step, storable(await call_tool(self._context(step, repeated=repeated), call)))

    async def _keep(self, step: int, result: ToolResult) -> ToolResult:
        turn = self.draft.work.turn
        return await persist(self.resources.db, turn.tenant_id, partial(_finish, turn.id, step, result))

    async def _settle(self, call: RecordedCall) -> RecordedCall:
        request = ToolCallRequest(f"call_{call.step}", call.name, call.arguments)
        result = await self._made(call.step, request, repeated=True)
        return RecordedCall(call.step, call.name, call.arguments, call.model, result)

    def _context(self, step: int, *, repeated: bool) -> ToolContext:
        work = self.draft.work
        return ToolContext(
            db=self.resources.db,
            outbound=self.resources.outbound,
            calendars=self.resources.calendars,
            agent=work.agent,
            conversation_id=work.conversation.id,
            owner_member_id=work.conversation.owner_member_id,
            contact_id=work.conversation.contact_id,
            turn_id=work.turn.id,
            step=step,
            now=datetime.now(UTC),
            actor=work.actor,
            references=BookingReferences(self.resources.hasher),
            contact_time_zone=work.conversation.contact_time_zone,
            repeated=repeated,
            secrets=self.resources.secrets.of(work.turn.tenant_id, work.conversation.owner_member_id),
        )

    def _replayed(self, call: ToolCallRequest) -> ToolResult | None:
        replays = self.draft.replays
        if not replays or (replays[0].name, replays[0].arguments) != (call.name, call.arguments):
            return None
        earlier = replays.pop(0)
        self._tell_called(earlier.step, earlier.name, earlier.arguments)
        self._tell_ended(earlier)
        return earlier.result

    def _tell_replayed(self, call: RecordedCall) -> None:
        request = ToolCallRequest(f"call_{call.step}", call.name, call.arguments)
        self.draft.add_calls((request,))
        self._tell_called(call.step, call.name, call.arguments)
        self._tell_ended(call)
        self.draft.add_result(request.id, call.result or ToolResult())

    def _tell_called(self, step: int, name: str, arguments: object) -> None:
        self.draft.tell(EventType.TOOL_CALLED, {"step": step, "name": name, "arguments": arguments})

    def _tell_ended(self, call: RecordedCall) -> None:
        output = (call.result or ToolResult()).output
        step = ToolStep(call.step, call.name, call.arguments, output, self.draft.clock.now(), 0.0, replayed=True)
        self.draft.ended(step)


async def _claim(
    turn_id: UUID, lease_id: UUID, first: int, calls: Sequence[ToolCallRequest], model: str, tx: TenantTx
) -> None:
    await tool_calls.claim(tx, turn_id, lease_id, first, calls, model)


async def _finish(turn_id: UUID, step: int, result: ToolResult, tx: TenantTx) -> ToolResult:
    return ToolResult(await tool_calls.finish(tx, turn_id, step, result.output))
