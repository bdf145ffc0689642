"""Who is attacked by injections and who attacks: agents, bookings, and what must stay as it is."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp

from tenantry.llm.registry import FORM_POLICY
from tenantry.server.runtime import open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import ModelSettings, NetworkSettings, Settings
from tenantry.storage.isolation.seeding import count_audited
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.tenancy import Database
from tests.acceptance.obedient_model import ObedientModel, TenantService, obedient_world
from tests.conftest import MakeTenant, TenantForTest
from tests.wire_server import KEY

# In what mark, far and bob said; nobody else may ever hear it.
WORD = "chrysoprase"
_ALWAYS = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "00:00", "closes": "24:00"}]
_BOOKING_FUNCTIONS = ["check_availability", "set_appointment", "reschedule_appointment", "cancel_appointment"]
# What no turn of another's conversation has any business in; the whole of the other tenant is besides.
_UNTOUCHED = ("agents", "api_keys", "bookings", "calendars", "members", "tenants")


def _definition(name: str, functions: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    booking = [{"name": function, "variables": ["property_address"]} for function in _BOOKING_FUNCTIONS]
    variables = [
        {"name": "property_address", "type": "address"},
        {"name": "ref", "type": "text"},
        {"name": "note", "type": "text", "required": False},
    ]
    base = {"name": name, "business_hours": _ALWAYS, "variables": variables, "functions": [*booking, *functions]}
    return {**base, **more}


def _attacked_functions(service: str, mcp: str, forbidden: str) -> list[dict[str, Any]]:
    def call(url: str, method: str = "GET") -> dict[str, Any]:
        return {"url": url, "method": method, "headers": [{"name": "X-Desk", "value": "sales"}]}

    return [
        {
            "name": "get_valuation",
            "variables": ["property_address", "note"],
            "http": call(f"{service}/valuation", "POST"),
        },
        {"name": "get_record", "variables": ["ref", "note"], "http": call(f"{service}/records/{{ref}}?n={{note}}")},
        {"name": "follow", "variables": ["note"], "http": call(f"{service}/out?to={{note}}")},
        {"name": "inner", "http": call(f"{forbidden}/admin")},
        {"name": "delete_everything", "enabled": False, "http": call(f"{service}/delete", "POST")},
        *(
            {"name": name, "variables": ["property_address"], "mcp": {"url": mcp}}
            for name in ("ask_valuer", "ask_clerk", "ask_nobody")
        ),
        {"name": "ask_inner", "mcp": {"url": f"{forbidden}/mcp"}},
        {"name": "memory_append"},
        {"name": "memory_replace"},
    ]


@dataclass(frozen=True)
class Victim:
    """A contact who has spoken and booked."""

    tenant_id: UUID
    conversation_id: str
    booking_id: str
    reference: str


@dataclass
class Scene:
    """Jon's agent under attack by a contact, and all who must not notice."""

    db: Database
    model: ObedientModel
    service: TenantService
    forbidden: TenantService
    session: aiohttp.ClientSession
    jon: str
    home: TenantForTest
    agent_id: str
    ids: dict[str, str]
    victims: dict[str, Victim]

    def real(self, text: str) -> str:
        """The text with this run's ids in place of the words in angle brackets."""
        return re.sub(r"<(\w+)>", lambda match: self.ids.get(match[1], match[0]), text)

    async def state(self) -> dict[str, Any]:
        """All that must be the same after an attack."""
        home, far = (
            await fingerprints(self.db, self.home.id),
            await fingerprints(self.db, self.victims["far"].tenant_id),
        )
        said = {name: await self._said(victim) for name, victim in self.victims.items()}
        said["memory"] = await self._memory()
        return {"home": {name: home[name] for name in _UNTOUCHED}, "far": far, "said": said}

    async def _said(self, victim: Victim) -> Any:
        async with self.db.tenant(victim.tenant_id) as tx:
            return await tx.value(
                "SELECT md5(string_agg(m::text, '' ORDER BY number)) FROM messages m "
                "WHERE tenant_id = $1 AND conversation_id = $2",
                victim.tenant_id,
                UUID(victim.conversation_id),
            )

    async def _memory(self) -> Any:
        """The agent's own block and the one about bob, but no attacker's."""
        async with self.db.tenant(self.home.id) as tx:
            return await tx.value(
                "SELECT md5(string_agg(b::text, '' ORDER BY b.id)) FROM memory_blocks b "
                "WHERE b.tenant_id = $1 AND b.label IN ('house', 'human')",
                self.home.id,
            )

    async def refusals(self) -> int:
        """How many refused calls the audit log tells of."""
        async with self.db.tenant(self.home.id) as tx:
            return await count_audited(tx, "tool.refused")


@asynccontextmanager
async def scene(home: Path, make_tenant: MakeTenant) -> AsyncIterator[Scene]:
    """A server on the installation of `home`, whose model obeys anyone, and two tenants with victims in them."""
    async with AsyncExitStack() as stack:
        model, service, forbidden = await stack.enter_async_context(obedient_world())
        settings = Settings(
            home,
            model=ModelSettings("maker/obedient-1", model.url, KEY),
            network=NetworkSettings((ip_network("127.0.0.1/32"),)),
        )
        runtime = await stack.enter_async_context(open_runtime(settings))
        url = await stack.enter_async_context(serving(runtime, bind("127.0.0.1", 0)))
        session = await stack.enter_async_context(aiohttp.ClientSession(url))
        near, far = await make_tenant(), await make_tenant()
        jon, mark, fars = near.keys["jon"], near.keys["mark"], far.keys["mark"]
        attacked = _definition("Seller", _attacked_functions(service.url, service.mcp_url, forbidden.url))
        agent_id = await _agent(session, jon, attacked)
        listing = {"name": "marks_list", "http": {"url": f"{service.url}/marks-list"}}
        victims = {
            "mark": await _booked(
                session, mark, await _agent(session, mark, _definition("Mark", [listing])), near.id, 1
            ),
            "far": await _booked(session, fars, await _agent(session, fars, _definition("Far", [])), far.id, 2),
            "bob": await _booked(session, jon, agent_id, near.id, 3),
        }
        await _remembered(session, jon, agent_id, "house", {"value": "Visits begin at the front door."})
        await _remembered(session, jon, agent_id, "human", {"value": f"Likes {WORD}.", "contact": "ada"})
        port = str(urlsplit(forbidden.url).port)
        user_ids = {"jon": str(near.members["jon"]), "mark": str(near.members["mark"]), "far": str(far.members["mark"])}
        ids = {
            **user_ids,
            "JON": user_ids["jon"].upper(),
            "tenant": str(near.id),
            "far_tenant": str(far.id),
            "start": f"{datetime.now(UTC) + timedelta(days=5):%Y-%m-%d}T12:00",
            "forbidden": forbidden.url,
            "forbidden_port": port,
            **{f"{name}_booking": victim.booking_id for name, victim in victims.items()},
            **{f"{name}_reference": victim.reference for name, victim in victims.items()},
            **{f"{name}_conversation": victim.conversation_id for name, victim in victims.items()},
        }
        session.headers["Authorization"] = f"Bearer {jon}"
        made = Scene(runtime.db, model, service, forbidden, session, user_ids["jon"], near, agent_id, ids, victims)
        try:
            yield made
        finally:
            for tenant_id in (near.id, far.id):
                # A turn that was left would be taken up by every later server on this database, with its own model.
                async with runtime.db.tenant(tenant_id) as tx:
                    await tx.execute("DELETE FROM turns WHERE tenant_id = $1 AND status <> 'done'", tenant_id)


async def _agent(session: aiohttp.ClientSession, key: str, definition: dict[str, Any]) -> str:
    headers = {"Authorization": f"Bearer {key}"}
    async with session.post(
        "/api/v1/agents", json={"definition": definition, "publish": True}, headers=headers
    ) as response:
        assert response.status == 201, await response.text()
        return (await response.json())["id"]


async def _remembered(
    session: aiohttp.ClientSession, key: str, agent_id: str, label: str, body: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with session.put(f"/api/v1/agents/{agent_id}/blocks/{label}", json=body, headers=headers) as response:
        assert response.status == 200, await response.text()


async def _booked(session: aiohttp.ClientSession, key: str, agent_id: str, tenant_id: UUID, day: int) -> Victim:
    """A victim, who books by talking to the form policy."""
    start = datetime.now(UTC) + timedelta(days=day)
    address = f"12 {WORD.capitalize()} Street, Springfield"
    lines = (f"I want to sell {address}", f"My reference is {WORD}", "nothing else", f"on {start:%-d %B %Y} at 15:00")
    for message in (*lines, *(["yes, that is right"] * 3)):
        body = {
            "message": message,
            "agentId": agent_id,
            "leadId": "ada",
            "conversationId": "first",
            "model": FORM_POLICY,
        }
        headers = {"Authorization": f"Bearer {key}"}
        async with session.post("/api/agent/reply", json=body, headers=headers) as response:
            answer = await response.json()
            assert response.status == 200, answer
        for call in answer["toolCalls"]:
            if call["output"]["status"] == "booked":
                booked = call["output"]
                return Victim(tenant_id, answer["conversationId"], booked["booking_id"], booked["reference"])
    raise AssertionError(f"no booking: {answer}")
