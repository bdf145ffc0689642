"""Recordings: only where the agent says so, sealed, and gone with their contact."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from tenantry.client import TenantryClient
from tenantry.client.call_session import CallSession, Claim
from tenantry.client.errors import ApiError
from tenantry.credentials import call_recordings
from tenantry.domain.call import EndReason
from tenantry.domain.ids import new_id
from tenantry.lifecycle.erasure import erase_contact
from tenantry.lifecycle.export import MANIFEST
from tenantry.server.runtime import Runtime
from tests.conftest import TenantForTest
from tests.integration.call_parties import opened, speaking_for, ticket_of, worker
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent
from tests.integration.whole_database import tables_with

RECORDED = {"record": True, "consent": "This call is recorded."}
WHOLE = 262_144


@asynccontextmanager
async def a_call(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, home: Path, voice: dict[str, Any], **body: Any
) -> AsyncIterator[tuple[Claim, CallSession]]:
    """A call to an agent of mark's with this voice, and the process that speaks for it."""
    agent_id = await make_agent(call, tenant.keys["mark"], voice=voice)
    made = await opened(call, tenant.keys["mark"], agentId=agent_id, **body)
    async with worker(url, home) as broker:
        claim = await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
    async with speaking_for(url, claim) as session:
        yield claim, session


async def heard(url: str, key: str, call_id: UUID) -> bytes:
    async with TenantryClient.open(url, key) as client:
        return b"".join([piece async for piece in client.calls.recording(call_id)])


async def test_a_recording_is_sealed_heard_by_its_owner_and_exported(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, session_home: Path
) -> None:
    word = f"zz{new_id().hex}"
    second = word.encode() * (WHOLE // len(word)) + b"!"
    async with a_call(call, url, runtime, tenant, session_home, RECORDED, user_id=word) as (claim, session):
        await session.record(0, b"OggS")
        await session.record(1, second)
        await session.record(1, b"something else")
        assert await heard(url, tenant.keys["mark"], claim.call_id) == b"OggS" + second
        # An agent that came in the place of the first one begins a file of its own.
        async with worker(url, session_home) as broker:
            again = await broker.claim(ticket_of(runtime, tenant.id, str(claim.call_id)))
        async with speaking_for(url, again) as next_session:
            await next_session.record(0, b"OggS again")
            with pytest.raises(ApiError) as superseded:
                await session.record(2, b"too late")
            assert superseded.value.code == "call_ended"
            await next_session.end(EndReason.CALLER_LEFT)
            with pytest.raises(ApiError) as over:
                await next_session.record(1, b"too late")
            assert over.value.code == "call_ended"
    whole = b"OggS" + second + b"OggS again"
    assert await heard(url, tenant.key, claim.call_id) == whole
    assert "call_recordings" not in await tables_with(session_home, word)
    assert "call_recordings" not in await tables_with(session_home, word.encode().hex())
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {tenant.key}"}) as http:
        async with http.get(f"/api/v1/calls/{claim.call_id}/recording") as response:
            assert (response.content_type, response.headers["X-Content-Type-Options"]) == ("audio/ogg", "nosniff")
        async with http.get("/api/v1/export") as response:
            archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    name = f"recordings/{claim.call_id}.ogg"
    assert archive.read(name) == whole
    assert json.loads(archive.read(MANIFEST))["recordings"] == [
        {"call_id": str(claim.call_id), "file": name, "bytes": len(whole), "unreadable_pieces": 0}
    ]
    status, record = await call(tenant.key, "GET", f"/api/v1/calls/{claim.call_id}")
    assert (status, record["recorded_bytes"]) == (200, len(whole))
    _, log = await call(tenant.key, "GET", "/api/v1/audit")
    assert len([each for each in log["items"] if each["action"] == "recording.read"]) == 3
    assert (await call(tenant.keys["jon"], "GET", f"/api/v1/calls/{claim.call_id}/recording"))[0] == 404
    # With the contact goes all of it.
    _, contact = await call(tenant.key, "POST", "/api/v1/contacts/find", json={"leadId": word})
    receipt = await erase_contact(runtime.engine, tenant.id, UUID(contact["id"]), "key:test")
    assert receipt.removed["call_recordings"] == 3
    assert (await call(tenant.key, "GET", f"/api/v1/calls/{claim.call_id}/recording"))[0] == 404


async def test_only_what_an_agent_records_is_kept(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, session_home: Path
) -> None:
    async with a_call(call, url, runtime, tenant, session_home, {}) as (claim, session):
        with pytest.raises(ApiError) as refused:
            await session.record(0, b"OggS")
        assert (refused.value.status, refused.value.code) == (403, "forbidden")
    status, error = await call(tenant.key, "GET", f"/api/v1/calls/{claim.call_id}/recording")
    assert (status, error["code"]) == (404, "not_found")
    body = {"definition": {"name": "Spy", "voice": {"record": True, "consent": " "}}}
    status, error = await call(tenant.key, "POST", "/api/v1/agents", json=body)
    assert (status, error["errors"][0]["field"]) == (422, "voice.consent")


async def test_no_more_is_kept_than_there_is_room_for(
    call: Call,
    url: str,
    runtime: Runtime,
    tenant: TenantForTest,
    session_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_recordings, "CALL_BYTES", WHOLE + 10)
    async with a_call(call, url, runtime, tenant, session_home, RECORDED) as (claim, session):
        await session.record(0, b"x" * WHOLE)
        for part, audio in ((1, b"x" * (WHOLE + 1)), (1, b"x" * 11)):
            with pytest.raises(ApiError) as full:
                await session.record(part, audio)
            assert (full.value.status, full.value.code) == (413, "payload_too_large")
        await session.record(1, b"y" * 10)
        for part, audio in ((2, b""), (-1, b"x")):
            with pytest.raises(ApiError) as wrong:
                await session.record(part, audio)
            assert (wrong.value.status, wrong.value.code) == (422, "invalid_input")
        assert await heard(url, tenant.key, claim.call_id) == b"x" * WHOLE + b"y" * 10
    path = "/api/voice/call/recording"
    for key in (tenant.key, None, "tnc_made-up"):
        assert (await call(key, "POST", path, params={"part": 5}, data=b"x"))[0] == 401
