"""A call is claimed before it is made, and an attempt that was cut off is seen by the next."""

from uuid import UUID

import pytest

from tenantry.auth.principals import authenticate
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest
from tenantry.engine.accept import accept
from tenantry.engine.inbound import Inbound
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import tool_calls
from tenantry.storage.repositories.tool_calls import Claim
from tests.conftest import TenantForTest

ORDER = ToolCallRequest("1", "order_photos", {"email": "ada@example.com"})
OTHER = ToolCallRequest("1", "get_valuation", {"place": "12 Elm Street"})


@pytest.fixture
async def turn_id(runtime: Runtime, tenant: TenantForTest) -> UUID:
    """A turn of the tenant that is running."""
    who = await authenticate(runtime.db, tenant.key)
    async with runtime.db.tenant(tenant.id) as tx:
        accepted = await accept(tx, Inbound(who, "http", "hello", lead_id="ada"), runtime.resources, new_id())
    return accepted.turn.id


async def claim(runtime: Runtime, tenant: TenantForTest, turn_id: UUID, request: ToolCallRequest) -> Claim:
    async with runtime.db.tenant(tenant.id) as tx:
        return await tool_calls.claim(tx, turn_id, 0, request)


async def test_an_attempt_that_was_cut_off(runtime: Runtime, tenant: TenantForTest, turn_id: UUID) -> None:
    assert await claim(runtime, tenant, turn_id, ORDER) == Claim()
    assert await claim(runtime, tenant, turn_id, ORDER) == Claim(repeated=True)
    assert await claim(runtime, tenant, turn_id, ORDER) == Claim(repeated=True)


async def test_an_attempt_that_came_to_an_end(runtime: Runtime, tenant: TenantForTest, turn_id: UUID) -> None:
    await claim(runtime, tenant, turn_id, ORDER)
    async with runtime.db.tenant(tenant.id) as tx:
        await tool_calls.finish(tx, turn_id, 0, {"status": "ok"})
    found = await claim(runtime, tenant, turn_id, ORDER)
    assert found.earlier is not None
    assert found.earlier.output == {"status": "ok"}


@pytest.mark.parametrize("finished", [True, False])
async def test_a_model_that_takes_another_way(
    runtime: Runtime, tenant: TenantForTest, turn_id: UUID, finished: bool
) -> None:
    await claim(runtime, tenant, turn_id, ORDER)
    if finished:
        async with runtime.db.tenant(tenant.id) as tx:
            await tool_calls.finish(tx, turn_id, 0, {"status": "ok"})
    assert await claim(runtime, tenant, turn_id, OTHER) == Claim()
    assert await claim(runtime, tenant, turn_id, OTHER) == Claim(repeated=True)
    async with runtime.db.tenant(tenant.id) as tx:
        row = await tx.one("SELECT name, status FROM tool_calls WHERE turn_id = $1", turn_id)
    assert (row["name"], row["status"]) == ("get_valuation", "claimed")
