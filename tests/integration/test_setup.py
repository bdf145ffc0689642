"""`POST /api/v1/agents/setup`: the starting set, made once and by who acts for the tenant."""

import asyncio
from dataclasses import replace
from types import MappingProxyType

import pytest

from tenantry.agent_files.built_in_types import built_in_types
from tenantry.api.agents import setup
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import PATH, make

SETUP = f"{PATH}/setup"


async def test_each_type_is_made_once_also_by_two_at_once(call: Call, tenant: TenantForTest) -> None:
    first, second = await asyncio.gather(*(call(tenant.key, "POST", SETUP, json={}) for _ in range(2)))
    results = sorted({item["result"] for item in answer["items"]}.pop() for _, answer in (first, second))
    assert results == ["created", "existed"]
    _, page = await call(tenant.key, "GET", f"{PATH}/list", params={"tenants_own": "true"})
    types = built_in_types()
    assert sorted(agent["definition"]["name"] for agent in page["items"]) == sorted(
        file.definition.name for file in types.values()
    )
    assert {(agent["published"], agent["status"]) for agent in page["items"]} == {(1, "published")}
    made = {item["type"]: item for item in first[1]["items"]}
    assert [field["name"] for field in made["support"]["turn_fields"]] == [
        field.name for field in types["support"].definition.turn_fields
    ]
    _, origin = await call(tenant.key, "GET", f"{PATH}/{made['support']['agent_id']}/origin")
    assert (origin["source"]["built_in"], origin["state"]) == ("support", "up_to_date")


async def test_what_is_there_stays_as_it_is(call: Call, tenant: TenantForTest) -> None:
    own = await make(call, tenant.key, "Support Agent")
    await make(call, tenant.keys["mark"], "Sales Agent")
    _, told = await call(tenant.key, "POST", SETUP, json={"types": ["support", "sales"]})
    results = {item["type"]: (item["result"], item["agent_id"] == own["id"]) for item in told["items"]}
    assert results == {"support": ("existed", True), "sales": ("created", False)}
    assert (await call(tenant.key, "GET", f"{PATH}/{own['id']}"))[1] == own
    sales = next(item["agent_id"] for item in told["items"] if item["type"] == "sales")
    await call(tenant.key, "PUT", f"{PATH}/{sales}", json={"definition": {"name": "Renamed"}, "revision": 1})
    _, again = await call(tenant.key, "POST", SETUP, json={"types": ["sales"]})
    assert [(item["result"], item["agent_id"]) for item in again["items"]] == [("existed", sales)]
    await call(tenant.key, "DELETE", f"{PATH}/{sales}")
    _, after = await call(tenant.key, "POST", SETUP, json={"types": ["sales"]})
    assert [item["result"] for item in after["items"]] == ["created"]


async def test_one_that_cannot_be_made_says_why_and_the_others_are_made(
    call: Call, tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = dict(built_in_types())
    broken = replace(types["sales"].definition, model="not/allowed")
    types["sales"] = replace(types["sales"], definition=broken)
    monkeypatch.setattr(setup, "built_in_types", lambda: MappingProxyType(types))
    _, told = await call(tenant.key, "POST", SETUP, json={"types": ["sales", "support"]})
    assert [item["result"] for item in told["items"]] == ["failed", "created"]
    assert "model" in told["items"][0]["detail"]


async def test_only_who_acts_for_the_tenant_may(call: Call, tenant: TenantForTest) -> None:
    assert (await call(tenant.keys["mark"], "POST", SETUP, json={}))[0] == 403
    assert (await call(tenant.keys["olga"], "POST", SETUP, json={"types": ["support"]}))[0] == 200
    status, problem = await call(tenant.key, "POST", SETUP, json={"types": ["sport"]})
    assert (status, problem["errors"][0]["field"]) == (422, "types")
    assert "support" in problem["detail"]
