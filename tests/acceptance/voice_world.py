"""All that calls need, for real: a LiveKit server, `tenantry up`, workers, and callers in a process of their own."""

import asyncio
import re
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import psutil

from tenantry.channels.livekit_voice.speech.launching import speech_server
from tenantry.client import TenantryClient
from tenantry.client.calls import CallRecord
from tenantry.domain.call import CallStatus
from tests.acceptance.commands import TENANTRY, Up, environment, run, up
from tests.livekit_server import LiveKitServer, livekit_server
from tests.voice_callers import CallersProcess, RemoteCaller, callers_process

POLL_S = 0.05


@dataclass
class Worker:
    """A running `tenantry worker`, and the file that it logs to."""

    process: asyncio.subprocess.Process
    log: Path
    livekit_port: int

    @property
    def pid(self) -> int:
        """Its main process."""
        return self.process.pid

    def talking(self) -> frozenset[int]:
        """Those of its call processes that are in a room now."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return frozenset(child.pid for child in children if _is_connected(child, self.livekit_port))

    async def registered(self) -> None:
        """Wait until it can be given calls. Raises TimeoutError."""
        async with asyncio.timeout(60):
            while "worker_registered" not in self.log.read_text():
                assert self.process.returncode is None, self.log.read_text()[-3000:]
                await asyncio.sleep(POLL_S)

    def drain(self) -> None:
        """Tell it to take no new call, and to end once its own are over."""
        self.process.send_signal(signal.SIGTERM)


def _is_connected(process: psutil.Process, port: int) -> bool:
    try:
        return any(connection.raddr and connection.raddr.port == port for connection in process.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False


@dataclass
class Phone:
    """A call that somebody is in."""

    world: "VoiceWorld"
    key: str
    call_id: UUID
    caller: RemoteCaller

    async def record(self) -> CallRecord:
        """What the server knows of the call."""
        async with TenantryClient.open(self.world.server.url, self.key) as client:
            return await client.calls.get(self.call_id)

    async def ended(self, *, within: float = 60.0) -> CallRecord:
        """Wait until the call is over. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while (record := await self.record()).call.status is not CallStatus.ENDED:
                await asyncio.sleep(POLL_S)
        return record


@dataclass
class Servers:
    """The servers, for all tests of a file."""

    home: Path
    folder: Path
    livekit: LiveKitServer
    server: Up
    environment: Mapping[str, str]

    @asynccontextmanager
    async def worker(self, *arguments: str, **more: str) -> AsyncGenerator[Worker]:
        """A worker that is registered, with more of an environment; ended at the end with all that it started."""
        log = self.folder / f"worker-{len(list(self.folder.glob('worker-*')))}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(*TENANTRY, "worker", *arguments),
                env={**environment(self.home), **self.environment, "TENANTRY_URL": self.server.url, **more},
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
            )
        worker = Worker(process, log, int(self.livekit.url.rpartition(":")[2]))
        try:
            await worker.registered()
            yield worker
        finally:
            if process.returncode is None:
                tree = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                await process.wait()
                for child in tree:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()

    async def new_tenant(self, slug: str) -> str:
        """Make a tenant; its key."""
        code, printed = await run(self.home, "tenant", "create", slug)
        assert code == 0, printed
        code, printed = await run(self.home, "key", "create", "--tenant", slug)
        assert code == 0, printed
        found = re.search(r"tnt_\S+", printed)
        assert found is not None, printed
        return found[0]


@dataclass
class VoiceWorld(Servers):
    """The servers, and who calls."""

    callers: CallersProcess
    phones: list[Phone] = field(default_factory=list[Phone])

    async def open_call(self, key: str, **body: Any) -> dict[str, Any]:
        """What the server answers to who opens a call."""
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession(self.server.url, headers=headers) as session,
            session.post("/api/livekit/token", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def call(self, key: str, **body: Any) -> Phone:
        """Open a call and join it."""
        opened = await self.open_call(key, **body)
        caller = await self.callers.join(opened["serverUrl"], opened["participantToken"])
        phone = Phone(self, key, UUID(opened["callId"]), caller)
        self.phones.append(phone)
        return phone

    async def silence(self) -> None:
        """Have all callers leave who are still there."""
        phones, self.phones = self.phones, []
        await asyncio.gather(*(phone.caller.leave() for phone in phones))


@asynccontextmanager
async def servers(folder: Path, home: Path) -> AsyncGenerator[Servers]:
    """LiveKit and `tenantry up`, without a worker. `folder` takes their logs."""
    async with livekit_server(folder) as livekit:
        of_livekit = {
            "LIVEKIT_URL": livekit.url,
            "LIVEKIT_API_KEY": livekit.api_key,
            "LIVEKIT_API_SECRET": livekit.api_secret,
            # Whoever else is busy on this machine is not what is tested.
            "TENANTRY_WORKER_LOAD": "1",
        }
        async with up(home, of_livekit) as server:
            yield Servers(home, folder, livekit, server, of_livekit)
            await server.end(signal.SIGINT)


@asynccontextmanager
async def voice_world(folder: Path, home: Path) -> AsyncGenerator[VoiceWorld]:
    """The servers and the callers. `folder` takes their logs."""
    async with AsyncExitStack() as stack:
        of = await stack.enter_async_context(servers(folder, home))
        # The callers have a speech server of their own: they are not to queue with the agents.
        speech = await stack.enter_async_context(speech_server(folder))
        callers = await stack.enter_async_context(callers_process(speech))
        yield VoiceWorld(of.home, of.folder, of.livekit, of.server, of.environment, callers)
