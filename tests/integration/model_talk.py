"""A conversation with an agent that thinks with a scripted model, over real HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import aiohttp

from tenantry.engine.turn import Engine
from tenantry.llm.registry import Models
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import ModelSettings
from tests.conftest import TenantForTest
from tests.wire_server import KEY, WireServer, chunk, saying, wire_server

MODEL = "maker/model-1"
REPLY = "/api/agent/reply"


@dataclass
class Talk:
    """One agent, one contact, one conversation named "c"."""

    wire: WireServer
    runtime: Runtime
    session: aiohttp.ClientSession
    agent_id: str

    def body(self, message: str = "hello", **more: Any) -> dict[str, Any]:
        return {"message": message, "agentId": self.agent_id, "leadId": "ada", "conversationId": "c", **more}

    async def say(self, message: str = "hello", **more: Any) -> dict[str, Any]:
        async with self.session.post(REPLY, json=self.body(message, **more)) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def get(self, path: str, **params: str) -> Any:
        async with self.session.get(path, params=params) as response:
            assert response.status == 200, await response.text()
            return await response.json()


@asynccontextmanager
async def model_talk(runtime: Runtime, tenant: TenantForTest, definition: dict[str, Any]) -> AsyncIterator[Talk]:
    """A server of its own whose default model is the scripted one."""
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(wire_server())
        models = Models(ModelSettings(MODEL, wire.url, KEY))
        stack.push_async_callback(models.close)
        outbound = OutboundHttp(NetworkPolicy((ip_network("127.0.0.1/32"),)))
        stack.push_async_callback(outbound.close)
        resources = replace(runtime.resources, models=models, outbound=outbound)
        own = replace(runtime, resources=resources, engine=Engine(resources))
        url = await stack.enter_async_context(serving(own, bind("127.0.0.1", 0)))
        headers = {"Authorization": f"Bearer {tenant.keys['mark']}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(url, headers=headers))
        async with session.post("/api/v1/agents", json={"definition": definition, "publish": True}) as response:
            assert response.status == 201, await response.text()
            agent = await response.json()
        yield Talk(wire, own, session, agent["id"])


def calling(*calls: tuple[str, dict[str, Any]]) -> list[bytes]:
    """A model's step that asks for these tools."""
    deltas = [
        {"index": index, "id": f"c{index}", "type": "function",
         "function": {"name": name, "arguments": json.dumps(arguments)}}
        for index, (name, arguments) in enumerate(calls)
    ]  # fmt: skip
    return [chunk({"role": "assistant", "tool_calls": deltas}), chunk(finish="tool_calls"), b"data: [DONE]\n\n"]


@dataclass
class Sse:
    """One server-sent event."""

    type: str
    data: Any
    id: str


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Sse]:
    """The events of a stream as they come, comments left out."""
    fields: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "event" in fields:
                yield Sse(fields["event"], json.loads(fields["data"]), fields["id"])
            fields = {}


def text_of(found: list[Sse]) -> str:
    """All that the deltas said."""
    return "".join(event.data["text"] for event in found if event.type == "delta")


__all__ = ["MODEL", "REPLY", "Sse", "Talk", "calling", "events", "model_talk", "saying", "text_of"]
