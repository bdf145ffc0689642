"""A server whose models play scripts, and agents whose functions do what their names say."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import aiohttp

from tenantry.credentials.provider_keys import ProviderKeys
from tenantry.engine.turn import Engine
from tenantry.llm.breaker import Breakers
from tenantry.llm.registry import Models
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import ModelSettings
from tests.conftest import TenantForTest
from tests.integration.valuation_service import Service
from tests.wire_server import KEY, WireServer, chunk, saying

MODEL = "maker/model-1"
BACKUP = "backup/model-2"
EMAIL = "ada@example.org"
SAID = f"Hello, my email is {EMAIL}"
TRIES = 3
# Seconds for the first token and between two, and for a whole step; then tries after the first, and their pauses.
PATIENCE = (0.75, 0.75, 10.0, TRIES - 1, 0.001, 10.0)
_KINDS = {"hangs": "hang", "fails": "status:500", "answers_1_mb": "large", "mumbles": "text:oops", "works": "valuation"}


@dataclass
class Hand:
    """A clock that a test moves; seconds."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Table:
    """A server with circuit breakers of its own, the servers behind it, and who speaks to it."""

    wire: WireServer
    backup: WireServer
    service: Service
    clock: Hand
    session: aiohttp.ClientSession
    tenant: TenantForTest

    async def agent(self, *, method: str = "POST", **more: Any) -> str:
        """An agent with a function for each way in which a service goes wrong."""
        functions = [
            {
                "name": name,
                "variables": ["email"],
                "http": {"url": f"{self.service.url}/{kind}", "method": method, "timeout_s": 1},
            }
            for name, kind in _KINDS.items()
        ]
        definition = {
            "name": "Seller",
            "variables": [{"name": "email", "type": "email", "question": "Which e-mail address?"}],
            "functions": functions,
            "turn_fields": [
                {"name": "mood", "type": "choice", "choices": ["good", "bad"]},
                {"name": "score", "type": "number", "minimum": 1, "maximum": 10},
            ],
            **more,
        }
        async with self.session.post("/api/v1/agents", json={"definition": definition, "publish": True}) as response:
            assert response.status == 201, await response.text()
            return (await response.json())["id"]

    async def with_backup(self) -> str:
        """An agent that has a second model, at a provider of its tenant's own."""
        provider = {
            "name": "Backup",
            "base_url": self.backup.url,
            "api_key": self.backup.key,
            "models": [{"name": BACKUP}],
        }
        headers = {"Authorization": f"Bearer {self.tenant.key}"}
        async with self.session.post("/api/v1/providers", json=provider, headers=headers) as response:
            assert response.status == 201, await response.text()
        return await self.agent(model=MODEL, fallback_models=[BACKUP])

    async def say(self, agent_id: str | None = None, **more: Any) -> dict[str, Any]:
        """One message in a conversation of its own; what is answered is also what is stored."""
        body = {"message": SAID, "agentId": agent_id or await self.agent(), **more}
        async with self.session.post("/api/agent/reply", json=body) as response:
            told = await response.json()
            assert response.status == 200, told
        await self._check_stored(told)
        return told

    async def _check_stored(self, told: dict[str, Any]) -> None:
        async with self.session.get(f"/api/v1/conversations/{told['conversationId']}/events") as response:
            events = (await response.json())["items"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[0]["type"] == "message.received"
        (reply,) = [event["data"] for event in events if event["type"] == "reply"]
        assert {name: reply[name] for name in ("text", "degraded", "fields")} == {
            "text": told["reply"],
            "degraded": told["degraded"],
            "fields": told["fields"],
        }
        finished = [event["data"]["output"] for event in events if event["type"] == "tool.finished"]
        assert finished == [call["output"] for call in told["toolCalls"]]
        assert KEY not in json.dumps([events, told])


@asynccontextmanager
async def fault_table(
    runtime: Runtime, tenant: TenantForTest, wire: WireServer, backup: WireServer, service: Service
) -> AsyncIterator[Table]:
    """The server, beside the session's on the same database; what an earlier one left in `wire` and `backup` is
    forgotten."""
    for each in (wire, backup):
        each.script.clear()
        each.requests.clear()
        each.faults.clear()
    async with AsyncExitStack() as stack:
        policy, clock = NetworkPolicy((ip_network("127.0.0.1/32"),)), Hand()
        settings = ModelSettings(MODEL, wire.url, KEY)
        models = Models(settings, ProviderKeys(runtime.resources.vault), policy, Breakers(clock=clock))
        stack.push_async_callback(models.close)
        outbound = OutboundHttp(policy)
        stack.push_async_callback(outbound.close)
        resources = replace(runtime.resources, models=models, outbound=outbound)
        own = replace(runtime, resources=resources, engine=Engine(resources))
        url = await stack.enter_async_context(serving(own, bind("127.0.0.1", 0)))
        headers = {"Authorization": f"Bearer {tenant.keys['mark']}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(url, headers=headers))
        yield Table(wire, backup, service, clock, session, tenant)
    for each in (wire, backup):
        each.done.set()
        each.done = asyncio.Event()


def answer(text: str, **more: Any) -> list[bytes]:
    """A whole answer of the agent's form, in pieces."""
    whole = json.dumps({"system_response": text, "variables": {"email": EMAIL}, "mood": "good", "score": 7, **more})
    return saying(whole[:12], whole[12:30], whole[30:])


def calling(name: str, arguments: str = f'{{"email": "{EMAIL}"}}', finish: str | None = "tool_calls") -> list[bytes]:
    """A tool call, in two pieces."""
    half = len(arguments) // 2
    first = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": arguments[:half]}}
    second = {"index": 0, "function": {"arguments": arguments[half:]}}
    ends = [chunk(finish=finish), b"data: [DONE]\n\n"] if finish else []
    return [chunk({"role": "assistant", "tool_calls": [first]}), chunk({"tool_calls": [second]}), *ends]
