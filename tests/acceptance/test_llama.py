"""A conversation with a real language model: llama.cpp in a process of its own, over HTTP on loopback.

The model is tiny: that it speaks is all that is asked of it, not that it is right.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from tenantry.server.runtime import Runtime, open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import load_settings
from tests.conftest import MakeTenant, TenantForTest

ROOT = Path(__file__).parents[2]
MODEL = "smollm2"
DEFINITION = {
    "name": "Guide",
    "personality": "Friendly.",
    "response_style": "One short sentence.",
    "functions": [],
    "business_hours": [],
}


@dataclass
class Guide:
    """A server whose model is real, and an agent that just speaks."""

    runtime: Runtime
    tenant: TenantForTest
    session: aiohttp.ClientSession
    agent_id: str

    def body(self, message: str, conversation: str) -> dict[str, Any]:
        """A request for the agent's answer."""
        return {"message": message, "agentId": self.agent_id, "leadId": "ada", "conversationId": conversation}

    async def stored(self, turn_id: str) -> dict[str, Any]:
        """What is stored of a turn, with its reply as the conversation has it."""
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            row = await tx.one(
                "SELECT t.status, t.result, m.content FROM turns t JOIN messages m "
                "ON m.tenant_id = t.tenant_id AND m.turn_id = t.id AND m.role = 'agent' "
                "WHERE t.tenant_id = $1 AND t.id = $2",
                self.tenant.id,
                UUID(turn_id),
            )
        return {"status": row["status"], "said": row["content"], **json.loads(row["result"])}


@pytest.fixture(scope="module")
async def llama() -> AsyncIterator[str]:
    """The address of a llama.cpp server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.acceptance.llama_server"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        listening = (await process.stdout.readline()).decode().split()
        if not listening:
            _, complaint = await process.communicate()
            last = complaint.decode(errors="replace").strip().splitlines()[-1:]
            pytest.skip(f"llama.cpp cannot run here: {' '.join(last) or f'it ended with {process.returncode}'}")
        yield listening[1]
    finally:
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture(scope="module")
async def guide(llama: str, runtime: Runtime, make_tenant: MakeTenant) -> AsyncIterator[Guide]:
    """A server of its own on the session's database, with the model that its environment names."""
    settings = load_settings(
        {"TENANTRY_HOME": str(runtime.settings.home), "AGENT_MODEL": MODEL, "AGENT_BASE_URL": f"{llama}/v1"}
    )
    tenant = await make_tenant()
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with (
        open_runtime(settings) as own,
        serving(own, bind("127.0.0.1", 0)) as url,
        aiohttp.ClientSession(url, headers=headers) as session,
    ):
        async with session.post("/api/v1/agents", json={"definition": DEFINITION, "publish": True}) as response:
            assert response.status == 201, await response.text()
            agent_id = (await response.json())["id"]
        yield Guide(own, tenant, session, agent_id)


async def test_a_conversation_with_a_real_model(guide: Guide) -> None:
    for number, message in enumerate(("Say hello.", "What colour is the sky?"), start=1):
        async with guide.session.post("/api/agent/reply", json=guide.body(message, "plain")) as response:
            told = await response.json()
            assert response.status == 200, told
        assert told["reply"]
        assert (told["degraded"], told["toolCalls"]) == ([], [])
        stored = await guide.stored(told["turnId"])
        assert (stored["status"], stored["said"], stored["model"]) == ("done", told["reply"], MODEL)
        usage = stored["usage"]
        # The second prompt holds the first question and its answer.
        assert usage["input_tokens"] > 20 * number
        assert usage["output_tokens"] > 1


async def test_the_conversation_streams(guide: Guide) -> None:
    body = {**guide.body("What colour is the sky?", "streamed"), "stream": True}
    async with guide.session.post("/api/agent/reply", json=body) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        pieces = [piece.decode() async for piece in response.content.iter_any()]
    events = _events("".join(pieces))
    assert [events[0][0], events[-1][0]] == ["accepted", "done"]
    deltas = [data["text"] for name, data in events if name == "delta"]
    done = events[-1][1]
    # Words came while others were still being thought of.
    assert len(deltas) >= 3
    assert sum("event: delta" in piece for piece in pieces) >= 2
    assert "".join(deltas).strip() == done["reply"]
    assert done["degraded"] == []
    stored = await guide.stored(done["turnId"])
    assert (stored["status"], stored["said"]) == ("done", done["reply"])
    assert stored["usage"]["output_tokens"] >= len(deltas)


def _events(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and data of each event of a stream, comments and ids left out."""
    events: list[tuple[str, dict[str, Any]]] = []
    for block in stream.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events
