"""The two ends of a call as the server sees them: who opens it, and the process that speaks for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from tenantry.client.call_session import CallSession, Claim, WorkerClient
from tenantry.client.replies import Reply
from tenantry.credentials.call_tickets import Ticket, worker_key_of
from tenantry.credentials.master_key import load_master_key
from tenantry.server.runtime import Runtime
from tests.integration.conftest import Call

TOKEN = "/api/livekit/token"


async def opened(call: Call, key: str, **body: Any) -> dict[str, Any]:
    """A call that was opened with an API key."""
    status, answer = await call(key, "POST", TOKEN, json=body)
    assert status == 200, answer
    return answer


def ticket_of(runtime: Runtime, tenant_id: UUID, call_id: str, dispatch: int = 1) -> str:
    """What the job of that dispatch carries."""
    return runtime.voice.tickets.seal(Ticket(tenant_id, UUID(call_id), dispatch))


@asynccontextmanager
async def worker(url: str, home: Path) -> AsyncIterator[WorkerClient]:
    """A worker with its key."""
    async with WorkerClient.open(url, worker_key_of(load_master_key(home, None))) as client:
        yield client


@asynccontextmanager
async def speaking_for(url: str, claim: Claim) -> AsyncIterator[CallSession]:
    """The process of a claim."""
    async with CallSession.open(url, claim.call_token) as session:
        yield session


async def answer_to(session: CallSession, message: str, key: str) -> Reply:
    """The whole answer to what the caller said."""
    replies = [event.reply async for event in session.say(message, idempotency_key=key) if event.reply]
    return replies[-1]
