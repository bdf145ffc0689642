"""Jobs: as certain as the transaction that enqueues them, and run until they are done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tenantry.domain.ids import new_id
from tenantry.storage import jobs
from tenantry.storage.jobs import JobRunner, Later
from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest


class Runners:
    """Runs one kind of job, in as many runners as are begun."""

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        self.name = name
        self.ran: list[tuple[UUID, UUID]] = []
        self.does: Callable[[int], Awaitable[None]] = self.nothing
        self._running: list[tuple[JobRunner, asyncio.Task[None]]] = []

    async def nothing(self, count: int) -> None:
        pass

    async def handle(self, tenant_id: UUID, subject: UUID) -> None:
        self.ran.append((tenant_id, subject))
        await self.does(len(self.ran))

    def begin(self) -> tuple[JobRunner, asyncio.Task[None]]:
        runner = JobRunner(self.database, {self.name: self.handle}, heartbeat_s=1)
        self._running.append((runner, asyncio.create_task(runner.run_for_ever())))
        return self._running[-1]

    async def end(self) -> None:
        for runner, task in self._running:
            await runner.stop()
            await task

    async def left(self) -> int:
        async with self.database.operator() as tx:
            return await tx.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = $1", self.name)

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not true() or await self.left():
                await asyncio.sleep(0.02)


@pytest.fixture
async def runners(database: Database):  # type: ignore[no-untyped-def]
    made = Runners(database, f"test_{new_id().hex}")
    yield made
    await made.end()


async def enqueue(runners: Runners, tenant: TenantForTest, subject: UUID | None = None) -> UUID:
    subject = subject or new_id()
    async with runners.database.tenant(tenant.id) as tx:
        await jobs.enqueue(tx, runners.name, subject)
    return subject


async def test_a_job_is_run_with_its_tenant_and_subject(runners: Runners, tenant: TenantForTest) -> None:
    runners.begin()
    subjects = [await enqueue(runners, tenant) for _ in range(30)]
    await runners.until(lambda: len(runners.ran) >= 30)
    assert sorted(runners.ran) == sorted((tenant.id, subject) for subject in subjects)


async def test_what_is_rolled_back_leaves_no_job(runners: Runners, tenant: TenantForTest) -> None:
    with pytest.raises(ZeroDivisionError):
        async with runners.database.tenant(tenant.id) as tx:
            await jobs.enqueue(tx, runners.name, new_id())
            raise ZeroDivisionError
    assert await runners.left() == 0


async def test_several_runners_run_each_job_once(runners: Runners, tenant: TenantForTest) -> None:
    for _ in range(3):
        runners.begin()
    for _ in range(60):
        await enqueue(runners, tenant)
    await runners.until(lambda: len(runners.ran) >= 60)
    assert len(set(runners.ran)) == len(runners.ran) == 60


async def test_a_job_that_fails_or_has_to_wait_is_run_again(runners: Runners, tenant: TenantForTest) -> None:
    async def fails(count: int) -> None:
        if count == 1:
            raise Later("not_yet", 0.1)
        if count == 2:
            raise ValueError("words of a person")

    runners.does = fails
    runners.begin()
    await enqueue(runners, tenant)
    await runners.until(lambda: len(runners.ran) == 3)
    async with runners.database.operator() as tx:
        kept = await tx.rows("SELECT traceback::text AS text FROM pgqueuer_log WHERE entrypoint = $1", runners.name)
    assert not any("words of a person" in row["text"] for row in kept if row["text"])


async def test_a_job_that_is_cut_off_by_the_end_of_its_process_is_not_lost(
    runners: Runners, tenant: TenantForTest
) -> None:
    begun = asyncio.Event()

    async def hangs(count: int) -> None:
        if count == 1:
            begun.set()
            await asyncio.sleep(3600)

    runners.does = hangs
    runner, _ = runners.begin()
    await enqueue(runners, tenant)
    await begun.wait()
    await runner.stop(patience_s=0.1)
    assert await runners.left() == 1
    runners.begin()
    await runners.until(lambda: len(runners.ran) == 2)


async def test_a_tenant_sees_no_jobs_and_makes_none_of_another(runners: Runners, make_tenant: MakeTenant) -> None:
    ours, theirs = await make_tenant(), await make_tenant()
    await enqueue(runners, theirs)
    async with runners.database.tenant(ours.id) as tx:
        for statement in (
            "SELECT id FROM pgqueuer",
            "DELETE FROM pgqueuer",
            "UPDATE pgqueuer SET priority = 1",
            "INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'x')",
            "SELECT * FROM pgqueuer_log",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with tx.savepoint():
                    await tx.execute(statement)
        await jobs.enqueue(tx, runners.name, theirs.id)
    async with runners.database.operator() as tx:
        rows = await tx.rows("SELECT tenant_id, payload FROM pgqueuer WHERE entrypoint = $1 ORDER BY id", runners.name)
    assert [row["tenant_id"] for row in rows] == [theirs.id, ours.id]
    assert rows[1]["payload"] == ours.id.bytes + theirs.id.bytes


async def test_nobody_enqueues_without_a_tenant(runners: Runners) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        async with runners.database.untenanted() as tx:
            await tx.execute("SET LOCAL app.tenant_id = ''")
            await jobs.enqueue(tx, runners.name, new_id())
