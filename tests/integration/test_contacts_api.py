"""`/api/v1/contacts`: who sees whom, found by what the caller knows, tagged."""

from typing import Any

import pytest

from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import make

PATH = "/api/v1/contacts"


async def say(call: Call, key: str, agent_id: str, lead: str, **more: Any) -> dict[str, Any]:
    body = {"message": "hello", "agentId": agent_id, "leadId": lead, **more}
    status, told = await call(key, "POST", "/api/agent/reply", json=body)
    assert status == 200, told
    return told


async def find(call: Call, key: str, lead: str) -> dict[str, Any]:
    status, contact = await call(key, "POST", f"{PATH}/find", json={"leadId": lead})
    assert status == 200, contact
    return contact


async def test_a_contact_is_found_by_what_its_caller_knows(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.key)
    await say(call, tenant.key, agent["id"], "crm-1", leadEmail="Ada@Example.org")
    await say(call, tenant.key, agent["id"], "crm-1", conversationId="another")
    by_id = await find(call, tenant.key, "crm-1")
    assert (by_id["conversations"], by_id["archived_at"], by_id["tags"]) == (2, None, [])
    assert by_id["last_active"] > by_id["created_at"]
    _, by_email = await call(tenant.key, "POST", f"{PATH}/find", json={"leadEmail": "ada@example.ORG"})
    _, one = await call(tenant.key, "GET", f"{PATH}/{by_id['id']}")
    assert by_id == by_email == one
    assert "crm-1" not in str(one)
    for body, code in (({"leadId": "crm-2"}, 404), ({}, 422), ({"leadEmail": "no address"}, 422), ({"id": "x"}, 422)):
        assert (await call(tenant.key, "POST", f"{PATH}/find", json=body))[0] == code


async def test_members_see_the_contacts_of_conversations_that_they_see(
    call: Call, tenant: TenantForTest, make_tenant: Any
) -> None:
    marks, own = await make(call, tenant.keys["mark"]), await make(call, tenant.key)
    await say(call, tenant.keys["mark"], marks["id"], "marks")
    await say(call, tenant.key, own["id"], "ours")
    await say(call, tenant.key, own["id"], "marks")
    ids = {name: (await find(call, tenant.key, name))["id"] for name in ("marks", "ours")}
    for key, seen in ((tenant.key, 2), (tenant.keys["olga"], 2), (tenant.keys["mark"], 2), (tenant.keys["jon"], 2)):
        _, page = await call(key, "GET", PATH)
        assert {contact["id"] for contact in page["items"]} == set(ids.values()), seen
    counts = {key: (await find(call, tenant.keys[key], "marks"))["conversations"] for key in ("mark", "jon", "olga")}
    assert counts == {"mark": 2, "jon": 1, "olga": 2}
    await say(call, tenant.keys["mark"], marks["id"], "only marks")
    alone = (await find(call, tenant.keys["mark"], "only marks"))["id"]
    for method, path, json in (
        ("GET", f"{PATH}/{alone}", None),
        ("POST", f"{PATH}/find", {"leadId": "only marks"}),
        ("PUT", f"{PATH}/{alone}/tags", {"tags": ["x"]}),
    ):
        assert (await call(tenant.keys["jon"], method, path, json=json))[0] == 404
        assert (await call((await make_tenant()).key, method, path, json=json))[0] == 404
    _, page = await call(tenant.keys["jon"], "GET", PATH)
    assert alone not in str(page)


async def test_tags_are_set_and_asked_for(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.keys["mark"])
    for lead in ("one", "two"):
        await say(call, tenant.keys["mark"], agent["id"], lead)
    contact = await find(call, tenant.key, "one")
    path = f"{PATH}/{contact['id']}/tags"
    status, tagged = await call(tenant.keys["mark"], "PUT", path, json={"tags": ["vip", "berlin", "vip"]})
    assert (status, tagged["tags"]) == (200, ["berlin", "vip"])
    _, page = await call(tenant.key, "GET", PATH, params={"tag": "vip"})
    assert [item["id"] for item in page["items"]] == [contact["id"]]
    assert (await call(tenant.keys["vera"], "PUT", path, json={"tags": []}))[0] == 403
    assert (await call(tenant.key, "PUT", path, json={"tags": [""]}))[0] == 422


async def test_paging_gives_each_contact_once(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.key)
    for number in range(5):
        await say(call, tenant.key, agent["id"], f"lead {number}")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        _, page = await call(tenant.key, "GET", PATH, params={"limit": "2", **cursor})
        seen.extend(item["id"] for item in page["items"])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert (len(seen), len(set(seen)), seen) == (5, 5, sorted(seen, reverse=True))


@pytest.mark.parametrize("key", ["mark", "vera"])
async def test_only_who_acts_for_the_tenant_deletes(call: Call, tenant: TenantForTest, key: str) -> None:
    agent = await make(call, tenant.keys["mark"])
    await say(call, tenant.keys["mark"], agent["id"], "kept")
    path = f"{PATH}/{(await find(call, tenant.key, 'kept'))['id']}"
    assert (await call(tenant.keys[key], "DELETE", path))[0] == 403
    status, receipt = await call(tenant.keys["olga"], "DELETE", path)
    assert (status, receipt["by"]) == (200, f"member:{tenant.members['olga']}")
    assert receipt["removed"]["messages"] == 2
    for method in ("GET", "DELETE"):
        assert (await call(tenant.keys["olga"], method, path))[0] == 404
