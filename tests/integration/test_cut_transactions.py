"""Transactions that are cut off: by the server, and by whoever waited for them."""

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

import pytest

from tenantry.domain.errors import DatabaseUnavailable
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest


def wait_unread(pid: int) -> None:
    """Wait for the end of a process with the loop standing still, so that what it sent lies there unread."""
    with suppress(ProcessLookupError):
        while True:
            with suppress(PermissionError):
                os.kill(pid, 0)
            time.sleep(0.001)


@pytest.mark.parametrize("steps_later", [None, 0, 1, 2, 3])
async def test_a_connection_that_the_server_closes_is_a_database_that_is_away(
    database: Database, tenant: TenantForTest, steps_later: int | None
) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.tenant(tenant.id) as tx:
            pid = await tx.value("SELECT pg_backend_pid()")
            asking = asyncio.create_task(tx.value("SELECT pg_sleep(60)")) if steps_later is None else None
            async with database.tenant(tenant.id) as other:
                await other.value("SELECT pg_terminate_backend($1)", pid)
            wait_unread(pid)
            # The loop reads the goodbye in one of its steps, and the end in another.
            for _ in range(steps_later or 0):
                await asyncio.sleep(0)
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


async def asleep(database: Database, tenant: TenantForTest, pid: int) -> None:
    """Wait until the server's process sleeps: what it is told to cancel before, it never hears of."""
    async with database.tenant(tenant.id) as tx:
        while await tx.value("SELECT wait_event FROM pg_stat_activity WHERE pid = $1", pid) != "PgSleep":
            await asyncio.sleep(0.01)


async def database_is_asked(database: Database) -> None:
    in_use = database.connections_in_use()
    while database.connections_in_use() == in_use:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.mark.parametrize("in_its_first_statement", [True, False])
async def test_a_transaction_is_rolled_back_however_often_it_is_cancelled(
    database: Database, tenant: TenantForTest, in_its_first_statement: bool
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        async with database.tenant(tenant.id) as tx:
            begun.set_result(await tx.value("SELECT pg_backend_pid()"))
            await tx.value("SELECT pg_sleep(60)")

    waiting = asyncio.create_task(wait())
    if in_its_first_statement:
        await database_is_asked(database)
    else:
        await asleep(database, tenant, await begun)
    while not waiting.done():
        waiting.cancel()
        await asyncio.sleep(0)
    assert waiting.cancelled()
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT 1") == 1
    asyncio.get_running_loop().set_exception_handler(None)
    assert complaints == []
