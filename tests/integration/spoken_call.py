"""A call whose agent's process is a task of the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from tenantry.channels.livekit_voice.worker import call as calling
from tenantry.channels.livekit_voice.worker.call import run_call
from tenantry.channels.livekit_voice.worker.engines import Speech
from tenantry.client.call_session import CallSession, Claim, WorkerClient
from tenantry.domain.call import Call, EndReason, Utterance
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import calls
from tests.conftest import TenantForTest
from tests.integration.call_parties import ticket_of
from tests.integration.spoken_line import SpokenLine, Voice

WITHIN_S = 20


@dataclass
class CallServer:
    """Where calls are: the server, a tenant of it, and a worker of its."""

    runtime: Runtime
    tenant: TenantForTest
    url: str
    broker: WorkerClient


@dataclass
class CallUnderTest:
    """A call with its agent's process."""

    server: CallServer
    ticket: str
    claim: Claim
    line: SpokenLine
    voice: Voice
    directions: list[str] = field(default_factory=list[str])
    task: asyncio.Task[None] | None = None

    def run(self) -> None:
        """The process begins."""

        async def speak() -> None:
            async with CallSession.open(self.server.url, self.claim.call_token) as session:
                await run_call(self.claim, session, self.line, Path("/nowhere"))

        self.task = asyncio.create_task(speak())

    async def hang_up(self) -> Call:
        """The call is ended from outside; it as it is then."""
        async with self.server.runtime.db.tenant(self.server.tenant.id) as tx:
            await calls.ask_to_hang_up(tx, self.claim.call_id, EndReason.HUNG_UP)
        return await self.over()

    async def over(self) -> Call:
        """The process has ended; the call as it is then."""
        assert self.task is not None
        await asyncio.wait_for(self.task, WITHIN_S)
        return await self.row()

    async def row(self) -> Call:
        async with self.server.runtime.db.tenant(self.server.tenant.id) as tx:
            row = await calls.get(tx, self.claim.call_id, sees_only=None)
        assert row is not None
        return row

    async def told(self) -> list[Utterance]:
        """What the server was told of."""
        async with self.server.runtime.db.tenant(self.server.tenant.id) as tx:
            return list(await calls.utterances(tx, self.claim.call_id))

    async def until(self, holds: Callable[[], bool]) -> None:
        """It happens."""
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def called(
    server: CallServer, call_id: str, line: SpokenLine, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[CallUnderTest]:
    """The call of this id is claimed, and nobody speaks for it yet."""
    ticket = ticket_of(server.runtime, server.tenant.id, str(UUID(call_id)))
    under_test = CallUnderTest(server, ticket, await server.broker.claim(ticket), line, voice)
    engines = Speech(None, voice, under_test.directions.append)
    monkeypatch.setattr(calling, "speech_of", lambda *_: engines)  # type: ignore[arg-type]
    yield under_test
    if under_test.task is not None:
        under_test.task.cancel()
        await asyncio.gather(under_test.task, return_exceptions=True)
