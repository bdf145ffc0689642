"""Many processes need one token at the same moment; one of them dies while it renews it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tenantry.credentials.connections import ConnectionKey
from tenantry.domain.connection import Health
from tenantry.server.runtime import Runtime
from tests.conftest import TenantForTest
from tests.integration.connecting import Signed, in_process, sign_in
from tests.integration.token_workers import Work
from tests.token_server import TokenServer, token_server

PROCESSES = 20
TURNS = 50


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with token_server() as made:
        yield made


@pytest.fixture
async def signed(runtime: Runtime, tenant: TenantForTest, server: TokenServer) -> AsyncIterator[Signed]:
    key = ConnectionKey(tenant.id, tenant.members["mark"], "microsoft")
    made = in_process(runtime.db, runtime.resources.vault, key, server)
    await sign_in(made, server)
    yield made
    await made.close()


class Workers:
    """Processes of `token_workers`, all connected and waiting."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, work: Work) -> "Workers":
        arguments = (sys.executable, "-m", "tests.integration.token_workers", work.argument())
        pipe = asyncio.subprocess.PIPE
        made = cls(
            await asyncio.create_subprocess_exec(
                *arguments, stdin=pipe, stdout=pipe, env={**os.environ, "PYTHONPATH": "src:."}, start_new_session=True
            )
        )
        for _ in range(work.processes):
            assert await made.stdout.readline() == b"ready\n"
        return made

    def go(self) -> None:
        """Have all of them begin."""
        self.stdin.close()

    async def results(self) -> list[dict[str, Any]]:
        """What each of them came to."""
        told = [json.loads(line) async for line in self.stdout]
        await self.process.wait()
        return told

    async def kill(self) -> None:
        """End all of them as the kernel does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()


def work(signed: Signed, server: TokenServer, home: Path, *, processes: int, turns: int) -> Work:
    assert signed.key.owner_member_id is not None
    owner = str(signed.key.owner_member_id)
    return Work(processes, turns, 2, str(home), str(signed.key.tenant_id), owner, server.url)


async def test_twenty_processes_at_the_end_of_a_token_ask_for_one(
    signed: Signed, server: TokenServer, session_home: Path
) -> None:
    workers = await Workers.start(work(signed, server, session_home, processes=PROCESSES, turns=TURNS))
    await signed.set("expires_at = now() + interval '500 milliseconds'")
    workers.go()
    told = await workers.results()
    assert [each["errors"] for each in told] == [[]] * PROCESSES
    assert sum(each["done"] for each in told) == PROCESSES * TURNS
    assert server.refreshes == server.requests == 1
    # The one from before and the one after, for all of them.
    tokens = {token for each in told for token in each["tokens"]}
    assert len(tokens) == 2
    assert "Bearer access-first" in tokens


async def test_who_is_killed_while_renewing_is_followed_by_the_next_when_the_lease_ends(
    signed: Signed, server: TokenServer, session_home: Path
) -> None:
    waiting = await Workers.start(work(signed, server, session_home, processes=PROCESSES, turns=TURNS))
    await signed.set("expires_at = now()")
    server.open.clear()
    first = await Workers.start(work(signed, server, session_home, processes=1, turns=1))
    first.go()
    await server.asked.wait()
    waiting.go()
    await first.kill()
    server.open.set()
    # Its lease is what keeps the others from asking; the end of it is moved nearer for this test.
    assert server.requests == 1
    async with signed.db.tenant(signed.key.tenant_id) as tx:
        held = await tx.value(
            "SELECT lease_until > now() + interval '10 s' FROM connections WHERE tenant_id = $1", tx.tenant_id
        )
    assert held
    await signed.set("lease_until = now() + interval '700 milliseconds'")
    told = await waiting.results()
    assert [each["errors"] for each in told] == [[]] * PROCESSES
    assert sum(each["done"] for each in told) == PROCESSES * TURNS
    assert server.requests == 2
    assert server.refreshes == 1
    assert (await signed.known()).health == Health.OK
