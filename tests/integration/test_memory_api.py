"""`/api/v1/agents/{agent_id}/blocks`: who sees and changes what agents keep in mind."""

from typing import Any

import pytest

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.domain.access import Scope
from tenantry.domain.memory import MOST_BLOCKS
from tenantry.storage.repositories import api_keys
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import make


async def blocks(call: Call, key: str, agent: dict[str, Any], contact: str | None = None) -> dict[str, str]:
    """Value by scope and label."""
    params = {"contact": contact} if contact else {}
    status, body = await call(key, "GET", f"/api/v1/agents/{agent['id']}/blocks", params=params)
    assert status == 200, body
    return {f"{block['scope']}:{block['label']}": block["value"] for block in body["items"]}


async def put(call: Call, key: str, agent: dict[str, Any], label: str, value: str, **more: Any) -> tuple[int, Any]:
    path = f"/api/v1/agents/{agent['id']}/blocks/{label}"
    return await call(key, "PUT", path, json={"value": value, **more})


async def test_blocks_of_the_agent_and_of_contacts(call: Call, tenant: TenantForTest) -> None:
    mark = tenant.keys["mark"]
    agent = await make(call, mark)
    status, made = await put(call, mark, agent, "persona", "Patient.", description="Who you are", limit=500)
    assert status == 200
    made.pop("updated_at")
    assert made == {
        "label": "persona",
        "scope": "agent",
        "description": "Who you are",
        "value": "Patient.",
        "limit": 500,
        "revision": 2,
    }
    assert (await put(call, mark, agent, "human", "Ada", contact="lead-1"))[0] == 200
    assert (await put(call, mark, agent, "human", "Bob", contact="lead-2"))[0] == 200
    assert await blocks(call, mark, agent) == {"agent:persona": "Patient."}
    assert await blocks(call, mark, agent, "lead-1") == {"agent:persona": "Patient.", "contact:human": "Ada"}
    assert await blocks(call, mark, agent, "lead-3") == {"agent:persona": "Patient."}
    path = f"/api/v1/agents/{agent['id']}/blocks/human"
    assert (await call(mark, "DELETE", path))[0] == 404
    assert (await call(mark, "DELETE", path, params={"contact": "lead-3"}))[0] == 404
    assert (await call(mark, "DELETE", path, params={"contact": "lead-1"}))[0] == 204
    assert await blocks(call, mark, agent, "lead-1") == {"agent:persona": "Patient."}
    assert await blocks(call, mark, agent, "lead-2") == {"agent:persona": "Patient.", "contact:human": "Bob"}


async def test_what_is_known_of_a_lead_is_of_the_contact_who_writes(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    mark = tenant.keys["mark"]
    agent = await make(call, mark)
    await put(call, mark, agent, "human", "Ada", contact="lead-1")
    body = {"message": "hello", "agentId": agent["id"], "leadId": "lead-1"}
    assert (await call(mark, "POST", "/api/agent/reply", json=body))[0] == 200
    async with database.tenant(tenant.id) as tx:
        row = await tx.one(
            "SELECT count(*) AS n, count(DISTINCT b.contact_id) AS c FROM memory_blocks b JOIN conversations "
            "USING (tenant_id, agent_id, contact_id)"
        )
    assert (row["n"], row["c"]) == (1, 1)


async def test_members_see_and_change_what_they_may_of_agents(call: Call, tenant: TenantForTest) -> None:
    marks, shared = await make(call, tenant.keys["mark"]), await make(call, tenant.key)
    await put(call, tenant.keys["mark"], marks, "human", "secret", contact="lead-1")
    await put(call, tenant.key, shared, "human", "shared", contact="lead-1")
    path = f"/api/v1/agents/{marks['id']}/blocks"
    for method, suffix, json in (("GET", "", None), ("PUT", "/human", {"value": "x"}), ("DELETE", "/human", None)):
        status, body = await call(tenant.keys["jon"], method, path + suffix, json=json)
        assert (status, body["code"]) == (404, "not_found")
    assert await blocks(call, tenant.keys["jon"], shared, "lead-1") == {"contact:human": "shared"}
    assert await blocks(call, tenant.keys["vera"], shared, "lead-1") == {"contact:human": "shared"}
    for name in ("jon", "vera"):
        assert (await put(call, tenant.keys[name], shared, "human", "x", contact="lead-1"))[0] == 403
        path = f"/api/v1/agents/{shared['id']}/blocks/human"
        assert (await call(tenant.keys[name], "DELETE", path, params={"contact": "lead-1"}))[0] == 403
    assert (await put(call, tenant.keys["olga"], shared, "human", "changed", contact="lead-1"))[0] == 200
    assert await blocks(call, tenant.keys["olga"], marks, "lead-1") == {"contact:human": "secret"}


async def test_what_is_known_of_a_person_needs_the_scope_of_conversations(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    agent = await make(call, tenant.key)
    await put(call, tenant.key, agent, "persona", "Patient.")
    await put(call, tenant.key, agent, "human", "Ada", contact="lead-1")
    key = make_key(tenant.id)
    async with database.operator(tenant.id) as tx:
        scopes = frozenset({Scope.AGENTS_READ})
        await api_keys.create(tx, key_hash=hash_key(key), name="agents", member_id=None, scopes=scopes)
    assert await blocks(call, key, agent) == {"agent:persona": "Patient."}
    status, _ = await call(key, "GET", f"/api/v1/agents/{agent['id']}/blocks", params={"contact": "lead-1"})
    assert status == 403


async def test_a_change_of_what_was_read_needs_its_revision(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.key)
    assert (await put(call, tenant.key, agent, "human", "a", revision=1))[0] == 409
    _, made = await put(call, tenant.key, agent, "human", "a")
    status, changed = await put(call, tenant.key, agent, "human", "b", revision=made["revision"])
    assert (status, changed["revision"]) == (200, made["revision"] + 1)
    status, body = await put(call, tenant.key, agent, "human", "c", revision=made["revision"])
    assert (status, body["code"]) == (409, "conflict")
    assert await blocks(call, tenant.key, agent) == {"agent:human": "b"}


@pytest.mark.parametrize(
    ("label", "body", "field"),
    [
        ("Human", {"value": "x"}, "label"),
        ("human", {"value": "123456", "limit": 5}, "value"),
        ("human", {"value": "x", "limit": 20_001}, "limit"),
        ("human", {"value": "x", "limit": 0}, "limit"),
        ("human", {"value": "a\x00b"}, "value"),
        ("human", {"value": "x", "description": "d" * 1001}, "description"),
        ("human", {"value": "x", "contact": "a\nb"}, "contact"),
        ("human", {"value": "x", "tenant_id": "y"}, "tenant_id"),
        ("human", {}, "value"),
    ],
)
async def test_errors_name_the_field(
    call: Call, tenant: TenantForTest, label: str, body: dict[str, Any], field: str
) -> None:
    agent = await make(call, tenant.key)
    status, answer = await call(tenant.key, "PUT", f"/api/v1/agents/{agent['id']}/blocks/{label}", json=body)
    assert (status, answer["code"]) == (422, "invalid_input")
    assert field in [error["field"] for error in answer["errors"]]
    assert await blocks(call, tenant.key, agent) == {}


async def test_an_agent_has_so_many_blocks_and_no_more(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.key)
    for number in range(MOST_BLOCKS):
        assert (await put(call, tenant.key, agent, f"b{number}", "x"))[0] == 200
    assert (await put(call, tenant.key, agent, "one-more", "x"))[0] == 422
    assert (await put(call, tenant.key, agent, "b0", "y"))[0] == 200


async def test_changes_are_audited_without_what_was_written(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    agent = await make(call, tenant.key)
    await put(call, tenant.key, agent, "human", "zebra", contact="lead-1")
    path = f"/api/v1/agents/{agent['id']}/blocks/human"
    await call(tenant.key, "DELETE", path, params={"contact": "lead-1"})
    async with database.tenant(tenant.id) as tx:
        rows = await tx.rows("SELECT action, details FROM audit_log WHERE action LIKE 'memory.%' ORDER BY at")
    assert [row["action"] for row in rows] == ["memory.changed", "memory.deleted"]
    assert all("human" in row["details"] and "zebra" not in row["details"] for row in rows)
    assert all("lead-1" not in row["details"] for row in rows)
