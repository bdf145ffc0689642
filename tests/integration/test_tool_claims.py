"""A call is claimed before it is made, under the lease of its turn, and an attempt that was cut off is seen."""

from uuid import UUID

import pytest

from tenantry.auth.identity import authenticate
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.engine.accept import Intake, accept
from tenantry.engine.inbound import Inbound
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import tool_calls, turns
from tenantry.storage.repositories.tool_calls import LeaseLost, RecordedCall
from tests.conftest import TenantForTest

ORDER = ToolCallRequest("1", "order_photos", {"email": "ada@example.com"})
OTHER = ToolCallRequest("2", "get_valuation", {"place": "12 Elm Street"})
LEASE = new_id()


@pytest.fixture
async def turn_id(runtime: Runtime, tenant: TenantForTest) -> UUID:
    """A turn of the tenant that is running."""
    who = await authenticate(runtime.db, tenant.key)
    models = await runtime.resources.models.of(runtime.db, who.tenant)
    async with runtime.db.tenant(tenant.id) as tx:
        accepted = await accept(
            tx, Inbound(who, "http", "hello", lead_id="ada"), Intake(runtime.resources, models, LEASE)
        )
    return accepted.turn.id


async def claim(
    runtime: Runtime, tenant: TenantForTest, turn_id: UUID, first: int, *calls: ToolCallRequest, lease: UUID = LEASE
) -> None:
    async with runtime.db.tenant(tenant.id) as tx:
        await tool_calls.claim(tx, turn_id, lease, first, calls, "m")


async def recorded(runtime: Runtime, tenant: TenantForTest, turn_id: UUID) -> tuple[RecordedCall, ...]:
    async with runtime.db.tenant(tenant.id) as tx:
        return await tool_calls.recorded(tx, turn_id)


async def test_what_was_claimed_and_what_came_of_it(runtime: Runtime, tenant: TenantForTest, turn_id: UUID) -> None:
    await claim(runtime, tenant, turn_id, 0, ORDER, OTHER)
    async with runtime.db.tenant(tenant.id) as tx:
        await tool_calls.finish(tx, turn_id, 0, {"status": "ok"})
    assert await recorded(runtime, tenant, turn_id) == (
        RecordedCall(0, "order_photos", {"email": "ada@example.com"}, "m", ToolResult({"status": "ok"})),
        RecordedCall(1, "get_valuation", {"place": "12 Elm Street"}, "m", None),
    )


async def test_a_step_is_claimed_once(runtime: Runtime, tenant: TenantForTest, turn_id: UUID) -> None:
    await claim(runtime, tenant, turn_id, 0, ORDER)
    with pytest.raises(LeaseLost):
        await claim(runtime, tenant, turn_id, 0, OTHER)
    with pytest.raises(LeaseLost):
        await claim(runtime, tenant, turn_id, 0, OTHER, OTHER)
    assert [call.name for call in await recorded(runtime, tenant, turn_id)] == ["order_photos"]


async def test_a_process_that_lost_its_lease_claims_nothing(
    runtime: Runtime, tenant: TenantForTest, turn_id: UUID
) -> None:
    other = new_id()
    async with runtime.db.tenant(tenant.id) as tx:
        assert await turns.start(tx, turn_id, other, sole=True) is not None
    with pytest.raises(LeaseLost):
        await claim(runtime, tenant, turn_id, 0, ORDER)
    await claim(runtime, tenant, turn_id, 0, ORDER, lease=other)


async def test_the_first_word_counts_unless_it_was_that_nobody_knows(
    runtime: Runtime, tenant: TenantForTest, turn_id: UUID
) -> None:
    """Two processes may have made one call: one that stood still, and the one that took its turn."""
    await claim(runtime, tenant, turn_id, 0, ORDER)
    words = [{"status": "unknown"}, {"status": "ok", "order": 7}, {"status": "unknown"}, {"status": "failed"}]
    async with runtime.db.tenant(tenant.id) as tx:
        kept = [await tool_calls.finish(tx, turn_id, 0, word) for word in words]
    assert kept == [words[0], words[1], words[1], words[1]]


async def test_a_claim_keeps_the_turn_for_the_time_of_a_lease(
    runtime: Runtime, tenant: TenantForTest, turn_id: UUID
) -> None:
    async with runtime.db.tenant(tenant.id) as tx:
        await tx.execute("UPDATE turns SET lease_expires_at = now() - interval '1 s' WHERE id = $1", turn_id)
    await claim(runtime, tenant, turn_id, 0, ORDER)
    async with runtime.db.tenant(tenant.id) as tx:
        assert await turns.start(tx, turn_id, new_id(), sole=False) is None
