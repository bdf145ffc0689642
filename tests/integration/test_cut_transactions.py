"""Transactions that are cut off: by the server, and by whoever waited for them."""

import asyncio
from typing import Any

import pytest

from tenantry.domain.errors import DatabaseUnavailable
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest


@pytest.mark.parametrize("asked_meanwhile", [True, False])
async def test_a_connection_that_the_server_closes_is_a_database_that_is_away(
    database: Database, tenant: TenantForTest, asked_meanwhile: bool
) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.tenant(tenant.id) as tx:
            pid = await tx.value("SELECT pg_backend_pid()")
            asking = asyncio.create_task(tx.value("SELECT pg_sleep(60)")) if asked_meanwhile else None
            async with database.tenant(tenant.id) as other:
                await other.value("SELECT pg_terminate_backend($1)", pid)
                while await other.value("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
                    await asyncio.sleep(0.01)
            await (asking or tx.value("SELECT 1"))
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT 1") == 1


async def test_a_statement_that_the_server_cuts_off_is_a_database_that_is_away(
    database: Database, tenant: TenantForTest
) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.tenant(tenant.id) as tx:
            await tx.execute("SET LOCAL statement_timeout = '10ms'")
            await tx.value("SELECT pg_sleep(60)")


async def test_a_transaction_is_rolled_back_however_often_it_is_cancelled(
    database: Database, tenant: TenantForTest
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    begun = asyncio.Event()

    async def wait() -> None:
        async with database.tenant(tenant.id) as tx:
            begun.set()
            await tx.value("SELECT pg_sleep(60)")

    waiting = asyncio.create_task(wait())
    await begun.wait()
    while not waiting.done():
        waiting.cancel()
        await asyncio.sleep(0)
    assert waiting.cancelled()
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT 1") == 1
    asyncio.get_running_loop().set_exception_handler(None)
    assert complaints == []
