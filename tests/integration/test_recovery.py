"""Turns that a dead process left: taken up by another, in order, once."""

from dataclasses import replace
from uuid import UUID

from tenantry.auth.identity import authenticate
from tenantry.domain.conversation import TurnStatus
from tenantry.domain.ids import new_id
from tenantry.domain.trace import TurnTrace
from tenantry.engine.accept import Accepted, Intake, accept
from tenantry.engine.inbound import Inbound
from tenantry.engine.recovery import take_up
from tenantry.engine.turn import MAX_ATTEMPTS, Engine
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import turns
from tenantry.storage.repositories.turns import Outcome
from tests.conftest import TenantForTest


async def _leave(runtime: Runtime, tenant: TenantForTest, messages: list[str], lease_id: UUID) -> list[Accepted]:
    """Accept messages of one conversation as a process would that dies right after."""
    who = await authenticate(runtime.db, tenant.key)
    left: list[Accepted] = []
    for number, message in enumerate(messages):
        inbound = Inbound(
            who, "http", message, lead_id="ada", conversation_ref="c", idempotency_key=f"{lease_id}-{number}"
        )
        models = await runtime.resources.models.of(runtime.db, who.tenant)
        async with runtime.db.tenant(tenant.id) as tx:
            left.append(await accept(tx, inbound, Intake(runtime.resources, models, lease_id)))
    return left


async def _expire(runtime: Runtime, tenant: TenantForTest) -> None:
    async with runtime.db.tenant(tenant.id) as tx:
        await tx.execute("UPDATE turns SET lease_expires_at = now() - interval '1 s' WHERE status <> 'done'")


async def _statuses(runtime: Runtime, tenant: TenantForTest) -> list[str]:
    async with runtime.db.tenant(tenant.id) as tx:
        return [row["status"] for row in await tx.rows("SELECT status FROM turns ORDER BY number")]


async def test_abandoned_turns_are_finished_in_order(runtime: Runtime, tenant: TenantForTest) -> None:
    left = await _leave(runtime, tenant, ["one", "two", "three"], new_id())
    assert [item.turn.status for item in left] == [TurnStatus.RUNNING, TurnStatus.QUEUED, TurnStatus.QUEUED]
    await take_up(Engine(runtime.resources), sole=False)
    assert await _statuses(runtime, tenant) == ["running", "queued", "queued"]  # their lease still counts
    await _expire(runtime, tenant)
    await take_up(Engine(runtime.resources), sole=False)
    assert await _statuses(runtime, tenant) == ["done"] * 3
    async with runtime.db.tenant(tenant.id) as tx:
        ended = await tx.rows("SELECT number FROM turns ORDER BY finished_at")
        messages = await tx.rows("SELECT number FROM messages ORDER BY number")
    assert [row["number"] for row in ended] == [1, 2, 3]
    assert [row["number"] for row in messages] == [1, 2, 3, 4, 5, 6]


async def test_the_only_process_need_not_wait_for_leases(runtime: Runtime, tenant: TenantForTest) -> None:
    await _leave(runtime, tenant, ["one", "two"], new_id())
    await take_up(Engine(runtime.resources, sole=True), sole=True)
    assert await _statuses(runtime, tenant) == ["done", "done"]


async def test_a_retry_under_the_same_key_finishes_what_was_left(runtime: Runtime, tenant: TenantForTest) -> None:
    lease_id = new_id()
    left = await _leave(runtime, tenant, ["one"], lease_id)
    await _expire(runtime, tenant)
    who = await authenticate(runtime.db, tenant.key)
    inbound = Inbound(who, "http", "one", lead_id="ada", conversation_ref="c", idempotency_key=f"{lease_id}-0")
    done = await (await runtime.engine.begin(inbound)).result()
    assert done.turn_id == left[0].turn.id
    assert await (await runtime.engine.begin(inbound)).result() == done


async def test_a_process_that_lost_its_lease_stores_nothing(runtime: Runtime, tenant: TenantForTest) -> None:
    left = await _leave(runtime, tenant, ["one"], new_id())
    await _expire(runtime, tenant)
    await take_up(Engine(runtime.resources), sole=False)
    turn = left[0].turn
    async with runtime.db.tenant(tenant.id) as tx:
        stored = await turns.get(tx, turn.id)
        assert stored is not None
        assert stored.result is not None
        late = replace(stored.result, reply="too late")
        assert await turns.finish(tx, turn, new_id(), Outcome(late, {}, {}, [], TurnTrace(1))) is None
        assert (await turns.get(tx, turn.id)) == stored


async def test_a_turn_that_kills_its_process_ends_in_a_fixed_reply(runtime: Runtime, tenant: TenantForTest) -> None:
    left = await _leave(runtime, tenant, ["poison"], new_id())
    for _ in range(MAX_ATTEMPTS):
        await _expire(runtime, tenant)
        async with runtime.db.tenant(tenant.id) as tx:
            assert await turns.start(tx, left[0].turn.id, new_id(), sole=False) is not None
    await _expire(runtime, tenant)
    await take_up(Engine(runtime.resources), sole=False)
    async with runtime.db.tenant(tenant.id) as tx:
        turn = await turns.get(tx, left[0].turn.id)
    assert turn is not None
    assert turn.result is not None
    assert turn.result.degraded == ("attempts_exhausted", "fixed_reply")


async def test_leases_are_renewed_while_a_turn_is_worked_on(runtime: Runtime, tenant: TenantForTest) -> None:
    engine = Engine(runtime.resources)
    left = await _leave(runtime, tenant, ["one"], engine.leases.id)
    await _expire(runtime, tenant)
    with engine.leases.hold(left[0].turn):
        await engine.leases.renew(older_than_s=0)
        await take_up(Engine(runtime.resources), sole=False)
        assert await _statuses(runtime, tenant) == ["running"]
    await _expire(runtime, tenant)
    await take_up(Engine(runtime.resources), sole=False)
    assert await _statuses(runtime, tenant) == ["done"]
