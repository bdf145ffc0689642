"""`/api/v1/agents`: what each may see and change, paging, conflicts, preview."""

from typing import Any

import pytest

from tests.conftest import TenantForTest
from tests.integration.conftest import Call

PATH = "/api/v1/agents"


def definition(name: str = "Seller", **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


async def make(call: Call, key: str, name: str = "Seller", **body: Any) -> dict[str, Any]:
    status, agent = await call(key, "POST", PATH, json={"definition": definition(name), "publish": True, **body})
    assert status == 201, agent
    return agent


async def test_two_members_own_agents_of_the_same_name(call: Call, tenant: TenantForTest) -> None:
    marks, jons = await make(call, tenant.keys["mark"]), await make(call, tenant.keys["jon"])
    assert marks["owner_member_id"] == str(tenant.members["mark"])
    for key, own, other in (("mark", marks, jons), ("jon", jons, marks)):
        _, page = await call(tenant.keys[key], "GET", PATH)
        assert [agent["id"] for agent in page["items"]] == [own["id"]]
        for method, json in (("GET", None), ("PUT", {"definition": definition(), "revision": 1}), ("DELETE", None)):
            status, body = await call(tenant.keys[key], method, f"{PATH}/{other['id']}", json=json)
            assert (status, body["code"]) == (404, "not_found")
    _, page = await call(tenant.key, "GET", PATH)
    assert {agent["id"] for agent in page["items"]} == {marks["id"], jons["id"]}


async def test_a_change_needs_the_newest_revision(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.keys["mark"])
    path = f"{PATH}/{agent['id']}"
    status, changed = await call(
        tenant.keys["mark"], "PUT", path, json={"definition": definition(tonality="calm"), "revision": 1}
    )
    assert (status, changed["revision"], changed["definition"]["tonality"]) == (200, 2, "calm")
    status, body = await call(tenant.keys["mark"], "PUT", path, json={"definition": definition(), "revision": 1})
    assert (status, body["code"]) == (409, "conflict")
    _, kept = await call(tenant.keys["mark"], "GET", path)
    assert kept["definition"]["tonality"] == "calm"


async def test_deleting_takes_out_of_use(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.keys["mark"])
    assert (await call(tenant.keys["mark"], "DELETE", f"{PATH}/{agent['id']}"))[0] == 204
    assert (await call(tenant.keys["mark"], "GET", f"{PATH}/{agent['id']}"))[0] == 404
    status, _ = await call(
        tenant.keys["mark"], "POST", "/api/agent/reply", json={"message": "hi", "agentId": agent["id"]}
    )
    assert status == 404


async def test_paging_by_cursor_gives_each_once(call: Call, tenant: TenantForTest) -> None:
    made = [(await make(call, tenant.key, f"a{number}"))["id"] for number in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        _, page = await call(tenant.key, "GET", PATH, params={"limit": "2", **cursor})
        seen.extend(agent["id"] for agent in page["items"])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == list(reversed(made))


async def test_what_the_tenant_owns_members_see_and_admins_change(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.key)
    assert agent["owner_member_id"] is None
    path = f"{PATH}/{agent['id']}"
    assert (await call(tenant.keys["mark"], "GET", path))[0] == 200
    change = {"definition": definition(), "revision": 1}
    assert (await call(tenant.keys["mark"], "PUT", path, json=change))[0] == 403
    assert (await call(tenant.keys["vera"], "PUT", path, json=change))[0] == 403
    assert (await call(tenant.keys["olga"], "PUT", path, json=change))[0] == 200


async def test_agents_are_made_for_members_of_the_tenant_only(
    call: Call, tenant: TenantForTest, make_tenant: Any
) -> None:
    other = await make_tenant()
    marks = str(tenant.members["mark"])
    assert (await make(call, tenant.keys["olga"], owner_member_id=marks))["owner_member_id"] == marks
    foreign = {"definition": definition(), "owner_member_id": str(other.members["mark"])}
    status, body = await call(tenant.key, "POST", PATH, json=foreign)
    assert (status, body["errors"][0]["field"]) == (422, "owner_member_id")
    status, _ = await call(
        tenant.keys["jon"], "POST", PATH, json={"definition": definition(), "owner_member_id": marks}
    )
    assert status == 403


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"definition": {"name": ""}}, "definition.name"),
        ({"definition": {"name": "A", "variables": [{"name": "a", "type": "emial"}]}}, "definition.variables.0.type"),
        ({"definition": {"name": "A", "time_zone": "Mars"}}, "time_zone"),
        ({"definition": {"name": "A", "model": "gpt-9"}}, "model"),
        ({}, "definition"),
    ],
)
async def test_errors_name_the_field(call: Call, tenant: TenantForTest, broken: dict[str, Any], field: str) -> None:
    status, body = await call(tenant.key, "POST", PATH, json=broken)
    assert (status, body["code"]) == (422, "invalid_input")
    assert field in [error["field"] for error in body["errors"]]


async def test_preview_is_what_the_model_gets(call: Call, tenant: TenantForTest) -> None:
    whole = definition(
        "Marvin",
        personality="Gloomy.",
        donts=["Never shout."],
        variables=[{"name": "email", "type": "email", "question": "Your mail?"}],
        functions=[
            {"name": "set_appointment", "variables": ["email"]},
            {"name": "cancel_appointment", "enabled": False},
            {"name": "get_valuation"},
        ],
    )
    _, agent = await call(tenant.keys["mark"], "POST", PATH, json={"definition": whole})
    status, preview = await call(tenant.keys["mark"], "GET", f"{PATH}/{agent['id']}/preview")
    assert status == 200
    for text in ("Marvin", "Gloomy.", "Never shout.", "Your mail?", str(tenant.members["mark"])):
        assert text in preview["system_prompt"]
    assert [tool["name"] for tool in preview["tools"]] == ["set_appointment"]
    properties = preview["tools"][0]["parameters"]["properties"]
    assert {"user_id", "start", "email"} <= set(properties)
    assert preview["functions_without_tool"] == ["get_valuation"]
