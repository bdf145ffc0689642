"""Agents that are shared with members: what those may do, see and go on with."""

from typing import Any

import pytest

from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import definition, make

PATH = "/api/v1/agents"
ALWAYS = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "00:00", "closes": "24:00"}]
BOOKS = {"functions": [{"name": "set_appointment"}], "business_hours": ALWAYS}


async def share(call: Call, tenant: TenantForTest, agent: dict[str, Any], who: str, permission: str = "use") -> None:
    """Mark shares his agent."""
    path = f"{PATH}/{agent['id']}/shares/{tenant.members[who]}"
    status, shared = await call(tenant.keys["mark"], "PUT", path, json={"permission": permission})
    assert (status, shared["permission"]) == (200, permission)


async def say(call: Call, key: str, message: str, **body: Any) -> dict[str, Any]:
    status, answer = await call(key, "POST", "/api/agent/reply", json={"message": message, **body})
    assert status == 200, answer
    return answer


async def book(call: Call, key: str, **body: Any) -> dict[str, Any]:
    """Talk until something is booked: the answer that says so."""
    for message in ("I would like an appointment", "Tomorrow at 10 am", "Yes, that is right", "Yes"):
        answer = await say(call, key, message, **body)
        if any(called["output"].get("status") == "booked" for called in answer["toolCalls"]):
            return answer
    raise AssertionError(answer)


async def seen(call: Call, key: str) -> set[str]:
    """The conversations that the key sees."""
    _, page = await call(key, "GET", "/api/v1/conversations")
    return {item["id"] for item in page["items"]}


async def test_who_may_use_an_agent_sees_it_and_changes_nothing(call: Call, tenant: TenantForTest) -> None:
    agent, jon = await make(call, tenant.keys["mark"]), tenant.keys["jon"]
    path = f"{PATH}/{agent['id']}"
    change = {"definition": definition(tonality="calm"), "revision": 1}
    assert (await call(jon, "GET", path))[0] == 404
    await share(call, tenant, agent, "jon")
    assert (await call(jon, "GET", path))[0] == 200
    _, page = await call(jon, "GET", f"{PATH}/list")
    assert [item["id"] for item in page["items"]] == [agent["id"]]
    for method, of, json in (
        ("PUT", "", change),
        ("DELETE", "", None),
        ("POST", "/publish", {}),
        ("GET", "/shares", None),
        ("GET", "/blocks", None),
        ("GET", "/personal", None),
        ("POST", "/owner", {"member_id": str(tenant.members["jon"])}),
        ("PUT", f"/shares/{tenant.members['jon']}", {"permission": "edit"}),
        ("DELETE", f"/shares/{tenant.members['jon']}", None),
    ):
        assert (await call(jon, method, path + of, json=json))[0] == 403, (method, of)
    assert (await call(tenant.keys["vera"], "GET", path))[0] == 404


async def test_who_may_edit_changes_and_publishes_but_does_not_give_away(call: Call, tenant: TenantForTest) -> None:
    agent, jon = await make(call, tenant.keys["mark"]), tenant.keys["jon"]
    path = f"{PATH}/{agent['id']}"
    await share(call, tenant, agent, "jon", "edit")
    change = {"definition": definition(tonality="calm"), "revision": 1, "publish": True}
    status, changed = await call(jon, "PUT", path, json=change)
    assert (status, changed["published"], changed["owner_member_id"]) == (200, 2, str(tenant.members["mark"]))
    assert (await call(jon, "DELETE", path))[0] == 403
    assert (await call(jon, "GET", f"{path}/personal"))[0] == 403
    assert (await call(jon, "PUT", f"{path}/shares/{tenant.members['vera']}", json={"permission": "use"}))[0] == 403
    # The tenant's own agents can be given to a member to edit, too.
    own = await make(call, tenant.key)
    share_own = f"{PATH}/{own['id']}/shares/{tenant.members['jon']}"
    assert (await call(jon, "PUT", f"{PATH}/{own['id']}", json=change))[0] == 403
    assert (await call(tenant.keys["olga"], "PUT", share_own, json={"permission": "edit"}))[0] == 200
    assert (await call(jon, "PUT", f"{PATH}/{own['id']}", json=change))[0] == 200


async def test_shares_are_listed_and_end(call: Call, tenant: TenantForTest) -> None:
    agent, mark = await make(call, tenant.keys["mark"]), tenant.keys["mark"]
    await share(call, tenant, agent, "jon")
    await share(call, tenant, agent, "jon", "edit")
    _, shares = await call(mark, "GET", f"{PATH}/{agent['id']}/shares")
    told = [(item["member_id"], item["permission"]) for item in shares["items"]]
    assert told == [(str(tenant.members["jon"]), "edit")]
    path = f"{PATH}/{agent['id']}/shares/{tenant.members['jon']}"
    assert (await call(mark, "DELETE", path))[0] == 204
    assert (await call(mark, "DELETE", path))[0] == 404
    assert (await call(tenant.keys["jon"], "GET", f"{PATH}/{agent['id']}"))[0] == 404


@pytest.mark.parametrize("who", ["mark", "stranger"])
async def test_agents_are_shared_with_other_members_of_the_tenant(
    call: Call, tenant: TenantForTest, make_tenant: Any, who: str
) -> None:
    agent, other = await make(call, tenant.keys["mark"]), await make_tenant()
    member = other.members["jon"] if who == "stranger" else tenant.members[who]
    status, problem = await call(
        tenant.keys["mark"], "PUT", f"{PATH}/{agent['id']}/shares/{member}", json={"permission": "use"}
    )
    assert (status, problem["errors"][0]["field"]) == (422, "member_id")


async def test_what_a_member_begins_acts_for_the_owner_and_is_seen_by_both_alone(
    call: Call, tenant: TenantForTest
) -> None:
    agent, mark, jon = await make_booking_agent(call, tenant), tenant.keys["mark"], tenant.keys["jon"]
    marks = (await say(call, mark, "Hello", agentId=agent["id"], leadId="a"))["conversationId"]
    await share(call, tenant, agent, "jon")
    booked = await book(call, jon, agentId=agent["id"], leadId="b", conversationId="talk")
    jons = booked["conversationId"]
    assert await seen(call, jon) == {jons}
    assert await seen(call, mark) == {marks, jons}
    _, conversation = await call(jon, "GET", f"/api/v1/conversations/{jons}")
    assert conversation["owner_member_id"] == str(tenant.members["mark"])
    assert (await call(jon, "GET", f"/api/v1/turns/{booked['turnId']}"))[0] == 200
    # The appointment is in the owner's calendar, which is not shared.
    for key, events in ((mark, 1), (jon, 0)):
        _, page = await call(key, "GET", "/api/v1/calendar/events")
        assert len(page["items"]) == events
    for of in ("", "/events", "/stream?follow=false"):
        assert (await call(jon, "GET", f"/api/v1/conversations/{marks}{of}"))[0] == 404
    status, _ = await call(jon, "POST", f"/api/v1/conversations/{marks}/messages", json={"text": "Hello"})
    assert status == 404
    status, _ = await call(jon, "POST", f"/api/v1/conversations/{jons}/messages", json={"text": "Thank you"})
    assert status == 202
    went_on = await say(call, mark, "Hello", agentId=agent["id"], leadId="b", conversationId=jons)
    assert went_on["conversationId"] == jons


async def test_the_owners_conversation_is_not_found_by_its_reference(call: Call, tenant: TenantForTest) -> None:
    agent, mark, jon = await make(call, tenant.keys["mark"]), tenant.keys["mark"], tenant.keys["jon"]
    await share(call, tenant, agent, "jon")
    talk = {"agentId": agent["id"], "leadId": "a", "conversationId": "talk"}
    marks, jons = [(await say(call, key, "Hello", **talk))["conversationId"] for key in (mark, jon)]
    assert marks != jons
    # Each goes on in their own, whoever spoke last.
    for key, own in ((mark, marks), (jon, jons), (tenant.key, marks)):
        assert (await say(call, key, "And then?", **talk))["conversationId"] == own
    by_its_id = await say(call, jon, "Hello", agentId=agent["id"], leadId="a", conversationId=marks)
    assert by_its_id["conversationId"] not in (marks, jons)


async def test_with_the_share_ends_what_was_begun_with_it(call: Call, tenant: TenantForTest) -> None:
    agent, jon = await make(call, tenant.keys["mark"]), tenant.keys["jon"]
    await share(call, tenant, agent, "jon")
    jons = (await say(call, jon, "Hello", agentId=agent["id"], leadId="b"))["conversationId"]
    await call(tenant.keys["mark"], "DELETE", f"{PATH}/{agent['id']}/shares/{tenant.members['jon']}")
    assert await seen(call, jon) == set()
    assert (await call(jon, "POST", f"/api/v1/conversations/{jons}/messages", json={"text": "Hello"}))[0] == 404
    status, _ = await call(jon, "POST", "/api/agent/reply", json={"message": "Hello", "agentId": agent["id"]})
    assert status == 404
    assert await seen(call, tenant.keys["mark"]) == {jons}


async def make_booking_agent(call: Call, tenant: TenantForTest) -> dict[str, Any]:
    """An agent of Mark's that books at any time."""
    _, agent = await call(tenant.keys["mark"], "POST", PATH, json={"definition": definition(**BOOKS), "publish": True})
    return agent
