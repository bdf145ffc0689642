"""A real worker at a real LiveKit server: what its call processes know, and how it ends."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from livekit import api, rtc

from tenantry.credentials.call_tickets import worker_key_of
from tenantry.credentials.master_key import load_master_key
from tenantry.domain.call import Call as CallRow
from tenantry.domain.call import EndReason
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import calls
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.call_parties import opened, ticket_of
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent
from tests.livekit_server import LiveKitServer, livekit_server, need_server

pytestmark = pytest.mark.realtime

WITHIN_S = 90
DATABASE_URL = "postgresql://somebody:canary-of-the-database@127.0.0.1:5/nothing"
MODEL_KEY = "sk-canary-of-the-model"
OTHERS_KEY = "sk-canary-of-another-tenant"


@pytest.fixture
async def livekit(tmp_path: Path) -> AsyncIterator[LiveKitServer]:
    need_server()
    async with livekit_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def running_worker(livekit: LiveKitServer, url: str, home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    secrets = {"DATABASE_URL": DATABASE_URL, "OPENAI_API_KEY": MODEL_KEY}
    where = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
        "TENANTRY_URL": url,
        "TENANTRY_WORKER_IDLE": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tenantry", "worker", "--home", str(home)),
        env={**os.environ, **where, **secrets},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(WITHIN_S):
            while b"worker_registered" not in await process.stderr.readline():
                assert process.returncode is None
        reading = asyncio.create_task(process.stderr.read())
        yield process
        await reading
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def caller(livekit: LiveKitServer, ringing: "Ringing") -> AsyncIterator[rtc.Room]:
    """Somebody in the room of a call, whose agent is asked for."""
    grants = api.VideoGrants(room_join=True, room=ringing.made["roomName"])
    token = api.AccessToken(livekit.api_key, livekit.api_secret).with_identity(ringing.made["participantName"])
    agents = [api.RoomAgentDispatch(agent_name="tenantry", metadata=ringing.ticket)]
    configured = token.with_grants(grants).with_room_config(api.RoomConfiguration(agents=agents))
    room = rtc.Room()
    await room.connect(livekit.url, configured.to_jwt())
    try:
        yield room
    finally:
        await room.disconnect()


@dataclass
class Ringing:
    """A tenant's call, which nobody has answered yet."""

    runtime: Runtime
    tenant: TenantForTest
    made: dict[str, Any]

    @property
    def room(self) -> bytes:
        return self.made["roomName"].encode()

    @property
    def ticket(self) -> str:
        return ticket_of(self.runtime, self.tenant.id, self.made["callId"])

    async def row(self) -> CallRow:
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            row = await calls.get(tx, UUID(self.made["callId"]), sees_only=None)
        assert row is not None
        return row

    async def answered(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            while (await self.row()).answered_at is None:
                await asyncio.sleep(0.1)

    async def hang_up(self) -> None:
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            await calls.ask_to_hang_up(tx, UUID(self.made["callId"]), EndReason.HUNG_UP)


@pytest.fixture
async def ringing(
    call: Call, runtime: Runtime, tenant: TenantForTest, make_tenant: MakeTenant
) -> tuple[Ringing, Ringing]:
    """Calls of two tenants, the second of which has a key for its speech engine."""
    other = await make_tenant()
    assert (await call(other.key, "PUT", "/api/v1/secrets/openai", json={"value": OTHERS_KEY}))[0] == 200
    listening = {"recognition": {"provider": "openai", "secret": "openai"}}
    anna = await make_agent(call, tenant.key, "Anna", greeting="Good morning!")
    otto = await make_agent(call, other.key, "Otto", greeting="Good evening!", voice=listening)
    first = Ringing(runtime, tenant, await opened(call, tenant.key, agentId=anna))
    return first, Ringing(runtime, other, await opened(call, other.key, agentId=otto))


async def test_a_call_process_knows_no_secret_and_its_worker_ends_after_it(
    livekit: LiveKitServer, url: str, session_home: Path, ringing: tuple[Ringing, Ringing]
) -> None:
    first, second = ringing
    async with running_worker(livekit, url, session_home) as worker, caller(livekit, first), caller(livekit, second):
        await first.answered()
        await second.answered()
        processes = {process.pid: known_to(process) for process in call_processes(worker.pid)}
        ours, theirs = holders(processes, first.room), holders(processes, second.room)
        assert len(ours) == len(theirs) == 1
        assert ours != theirs
        assert holders(processes, OTHERS_KEY.encode()) == theirs
        for name, secret in secrets_of(livekit, session_home).items():
            assert holders(processes, secret) == set(), name

        worker.send_signal(signal.SIGTERM)
        await first.hang_up()
        async with asyncio.timeout(WITHIN_S):
            while (await first.row()).end_reason is None:
                await asyncio.sleep(0.1)
        assert worker.returncode is None
        assert (await second.row()).ended_at is None
        await second.hang_up()
        assert await asyncio.wait_for(worker.wait(), WITHIN_S) == 0
    assert {(await each.row()).end_reason for each in ringing} == {EndReason.HUNG_UP}
    async with asyncio.timeout(WITHIN_S):
        while any(runs(pid) for pid in processes):
            await asyncio.sleep(0.05)


def secrets_of(livekit: LiveKitServer, home: Path) -> dict[str, bytes]:
    """What no call process may have."""
    master = load_master_key(home, None)
    return {
        "LiveKit's secret": livekit.api_secret.encode(),
        "the workers' key": worker_key_of(master).encode(),
        "the database's address": DATABASE_URL.encode(),
        "the database's password": master.password("tenantry_app").encode(),
        "the model's key": MODEL_KEY.encode(),
        "the master key": (home / "master.key").read_bytes().strip(),
        "the master key's bytes": master._key,
    }


def call_processes(worker: int) -> list[psutil.Process]:
    """The worker's call processes, with and without a call, and what they are forked from."""
    (forkserver,) = [
        child
        for child in psutil.Process(worker).children()
        if "multiprocessing.forkserver" in " ".join(child.cmdline())
    ]
    return [forkserver, *forkserver.children()]


def known_to(process: psutil.Process) -> bytes:
    """All that a process could have changed since it began, and its environment."""
    known = [Path(f"/proc/{process.pid}/environ").read_bytes()]
    ranges = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", Path(f"/proc/{process.pid}/maps").read_text(), re.MULTILINE)
    with Path(f"/proc/{process.pid}/mem").open("rb", buffering=0) as memory:
        for begin, end in ((int(begin, 16), int(end, 16)) for begin, end in ranges):
            with suppress(OSError):
                memory.seek(begin)
                known.append(memory.read(end - begin))
    return b"".join(known)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def holders(processes: dict[int, bytes], secret: bytes) -> set[int]:
    return {pid for pid, known in processes.items() if secret in known}
