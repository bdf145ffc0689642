"""Agents that get another owner, and members who leave."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tenantry.cli.member_removal import remove_member
from tenantry.domain.errors import InvalidInput, NotFound
from tenantry.engine.definitions import Definitions
from tenantry.storage.repositories import conversations
from tenantry.storage.tenancy import Database
from tests.acceptance.commands import run
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import make
from tests.integration.test_shares import book, make_booking_agent, say, seen, share

PATH = "/api/v1/agents"


async def hand_over(call: Call, tenant: TenantForTest, agent: dict[str, Any], to: str | None, by: str = "mark") -> None:
    body = {"member_id": str(tenant.members[to]) if to else None}
    status, now = await call(tenant.keys[by], "POST", f"{PATH}/{agent['id']}/owner", json=body)
    assert (status, now["owner_member_id"]) == (200, body["member_id"])


async def owners_of_events(call: Call, tenant: TenantForTest) -> list[str]:
    _, page = await call(tenant.key, "GET", "/api/v1/calendar/events")
    return sorted(event["owner_member_id"] for event in page["items"])


async def test_new_conversations_act_for_the_new_owner_and_those_before_for_the_former(
    call: Call, tenant: TenantForTest
) -> None:
    agent, mark, jon = await make_booking_agent(call, tenant), tenant.keys["mark"], tenant.keys["jon"]
    before = await say(call, mark, "Hello", agentId=agent["id"], leadId="a", conversationId="talk")
    await share(call, tenant, agent, "jon")
    await hand_over(call, tenant, agent, "jon")
    assert (await call(mark, "GET", f"{PATH}/{agent['id']}"))[0] == 404
    assert (await call(jon, "GET", f"{PATH}/{agent['id']}/shares"))[1] == {"items": []}

    after = await book(call, jon, agentId=agent["id"], leadId="b", conversationId="talk")
    assert await owners_of_events(call, tenant) == [str(tenant.members["jon"])]
    assert await seen(call, jon) == {after["conversationId"]}
    # The one that began before is the former owner's, up to its end.
    assert await seen(call, mark) == {before["conversationId"]}
    went_on = await book(call, tenant.key, leadId="a", conversationId="talk", agentId=agent["id"])
    assert went_on["conversationId"] == before["conversationId"]
    assert await owners_of_events(call, tenant) == sorted(str(tenant.members[name]) for name in ("mark", "jon"))
    assert (await call(tenant.key, "GET", f"/api/v1/conversations/{before['conversationId']}"))[1][
        "owner_member_id"
    ] == str(tenant.members["mark"])


async def test_the_model_is_told_the_owner_of_the_conversation_whom_its_tools_act_for(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    agent = await make_booking_agent(call, tenant)
    before = await say(call, tenant.key, "Hello", agentId=agent["id"], leadId="a", conversationId="talk")
    await hand_over(call, tenant, agent, "jon")
    async with database.tenant(tenant.id) as tx:
        talk = await conversations.with_agent(tx, UUID(before["conversationId"]))
        answers = await Definitions().agent(tx, talk.serving)
    assert answers.owner_member_id == talk.conversation.owner_member_id == tenant.members["mark"]


async def test_an_agent_becomes_the_tenants(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.keys["mark"])
    await hand_over(call, tenant, agent, None)
    change = {"definition": {"name": "Seller"}, "revision": 1}
    assert (await call(tenant.keys["jon"], "GET", f"{PATH}/{agent['id']}"))[0] == 200
    assert (await call(tenant.keys["mark"], "PUT", f"{PATH}/{agent['id']}", json=change))[0] == 403
    body = {"member_id": str(tenant.members["mark"])}
    assert (await call(tenant.keys["mark"], "POST", f"{PATH}/{agent['id']}/owner", json=body))[0] == 403
    await hand_over(call, tenant, agent, "mark", by="olga")


async def test_all_agents_of_a_member_are_handed_over_by_who_acts_for_the_tenant(
    call: Call, tenant: TenantForTest, make_tenant: Any
) -> None:
    made = [(await make(call, tenant.keys["mark"]))["id"] for _ in range(3)]
    jons, other = await make(call, tenant.keys["jon"]), await make_tenant()
    path, to = f"/api/v1/members/{tenant.members['mark']}/hand-over", {"to": str(tenant.members["jon"])}
    assert (await call(tenant.keys["mark"], "POST", path, json=to))[0] == 403
    assert (await call(other.key, "POST", path, json=to))[0] == 404
    for wrong in (tenant.members["mark"], other.members["jon"]):
        status, problem = await call(tenant.keys["olga"], "POST", path, json={"to": str(wrong)})
        assert (status, problem["errors"][0]["field"]) == (422, "to")
    status, answer = await call(tenant.keys["olga"], "POST", path, json=to)
    assert (status, answer) == (200, {"agent_ids": made})
    _, page = await call(tenant.keys["jon"], "GET", PATH)
    assert {item["id"] for item in page["items"]} == {*made, jons["id"]}


async def test_members_are_listed_for_who_acts_for_the_tenant(call: Call, tenant: TenantForTest) -> None:
    status, page = await call(tenant.keys["olga"], "GET", "/api/v1/members")
    assert (status, {item["display_name"]: item["id"] for item in page["items"]}) == (
        200,
        {name: str(member_id) for name, member_id in tenant.members.items()},
    )
    assert (await call(tenant.keys["mark"], "GET", "/api/v1/members"))[0] == 403


async def test_a_member_leaves_and_a_receipt_tells_what_became_of_their_things(
    call: Call, tenant: TenantForTest, database: Database, session_home: Path
) -> None:
    mark, jon = tenant.keys["mark"], tenant.keys["jon"]
    agent, jons = await make_booking_agent(call, tenant), await make(call, jon)
    await call(jon, "PUT", f"{PATH}/{jons['id']}/shares/{tenant.members['mark']}", json={"permission": "edit"})
    await call(mark, "PUT", "/api/v1/secrets/crm", json={"value": "sk-of-mark"})
    before = await book(call, mark, agentId=agent["id"], leadId="a", conversationId="talk")
    emails = {name: f"{name}@{tenant.slug}.example" for name in tenant.members}
    for successor, error in ((None, InvalidInput), (emails["mark"], InvalidInput), ("no@one.example", NotFound)):
        with pytest.raises(error):
            async with database.operator(tenant.id) as tx:
                await remove_member(tx, emails["mark"], successor)
    assert (await call(mark, "GET", PATH))[0] == 200

    command = ("member", "remove", emails["mark"], "--tenant", tenant.slug, "--hand-over-to", emails["jon"])
    code, printed = await run(session_home, *command)
    assert code == 0, printed
    for line in (
        f"handed over to {emails['jon']}: 1 agent",
        f"  agent {agent['id']}",
        "no longer shared with them: 1 agent",
        "revoked: 1 key",
        "removed: 1 secret",
        "  secret crm",
    ):
        assert line in printed
    assert (await call(mark, "GET", PATH))[0] == 401
    _, page = await call(tenant.key, "GET", "/api/v1/members")
    assert {item["display_name"] for item in page["items"]} == tenant.members.keys() - {"mark"}
    assert (await call(jon, "GET", f"{PATH}/{jons['id']}/shares"))[1] == {"items": []}
    assert (await call(tenant.key, "GET", "/api/v1/secrets"))[1]["items"] == []
    # Jon goes on with the agent; what Mark's contacts said and booked stays Mark's, for who acts for the tenant.
    after = await book(call, jon, agentId=agent["id"], leadId="b", conversationId="talk")
    assert await seen(call, jon) == {after["conversationId"]}
    assert await seen(call, tenant.key) == {before["conversationId"], after["conversationId"]}
    assert await owners_of_events(call, tenant) == sorted(str(tenant.members[name]) for name in ("mark", "jon"))
    assert (await run(session_home, *command))[0] == 1
