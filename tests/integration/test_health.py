"""`GET /api/agent/health`: what a reply depends on."""

from dataclasses import replace
from typing import Any

import aiohttp

from tenantry.engine.turn import Engine
from tenantry.llm.registry import FORM_POLICY, Models
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import ModelSettings
from tests.conftest import TenantForTest
from tests.integration.conftest import Call

HEALTH = "/api/agent/health"


async def test_health_tells_of_each_part(call: Call, tenant: TenantForTest) -> None:
    status, health = await call(tenant.key, "GET", HEALTH, params={"clientId": tenant.slug})
    assert (status, health["status"]) == (200, "ok")
    assert {health[name]["state"] for name in ("database", "model", "memory", "calendar")} == {"ok"}


async def test_memory_tells_what_the_active_agent_keeps(call: Call, tenant: TenantForTest) -> None:
    status, config = await call(tenant.key, "GET", "/api/agent/config/active")
    path = f"/api/v1/agents/{config['agentId']}/blocks/house"
    assert (await call(tenant.key, "PUT", path, json={"value": "Ring twice."}))[0] == 200
    status, health = await call(tenant.key, "GET", HEALTH)
    assert status == 200
    assert health["memory"]["detail"].startswith("PostgreSQL keeps 1 block for")


async def test_a_model_that_keeps_failing_degrades_the_client_until_it_answers(
    runtime: Runtime, tenant: TenantForTest
) -> None:
    nowhere = bind("127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{nowhere.getsockname()[1]}/v1"
    nowhere.close()
    models = Models(ModelSettings("maker/away", base_url, None))
    resources = replace(runtime.resources, models=models)
    own = replace(runtime, resources=resources, engine=Engine(resources))
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with (
        serving(own, bind("127.0.0.1", 0)) as url,
        aiohttp.ClientSession(url, headers=headers, raise_for_status=True) as session,
    ):
        assert (await health_of(session))["status"] == "ok"
        degraded: list[str] = []
        while "circuit_open:maker/away" not in degraded:
            async with session.post("/api/agent/reply", json={"message": "hello"}) as response:
                degraded = (await response.json())["degraded"]
        health = await health_of(session)
    await models.close()
    assert health["status"] == health["model"]["state"] == "degraded"
    assert health["model"]["detail"].startswith("maker/away keeps failing")
    assert health["model"]["detail"].endswith(f"{FORM_POLICY} answers instead")
    assert {health[name]["state"] for name in ("database", "memory", "calendar")} == {"ok"}


async def health_of(session: aiohttp.ClientSession) -> Any:
    async with session.get(HEALTH) as response:
        return await response.json()
