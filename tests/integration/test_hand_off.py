"""An agent hands its conversation over to another by the tenant's purposes, once, with what is known."""

from typing import Any
from uuid import UUID

import pytest

from tenantry.auth.identity import authenticate
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest
from tenantry.engine.accept import Intake, accept
from tenantry.engine.inbound import Inbound
from tenantry.engine.recovery import take_up
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import tool_calls
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.model_talk import MODEL, Talk, calling, model_talk, saying
from tests.integration.test_reply_api import make_agent, say
from tests.integration.test_routing import put_rules, to
from tests.wire_server import streaming

EMAIL = {"name": "email", "type": "email", "question": "What is your email?"}
BUDGET = {"name": "budget", "type": "money", "question": "What is your budget?"}
HAND_OFF = {"name": "hand_off", "purposes": ["sales", "human", "nowhere"]}
SUPPORT = {"variables": [EMAIL, {"name": "budget", "type": "text", "required": False}], "functions": [HAND_OFF]}
SALES = {"variables": [EMAIL, BUDGET], "functions": [{"name": "hand_off", "purposes": ["support"]}]}


async def two_agents(call: Call, key: str, **more: Any) -> tuple[str, str]:
    """Support, and Sales that it may hand over to."""
    support = await make_agent(call, key, "Support", **SUPPORT)
    sales = await make_agent(call, key, "Sales", **SALES, **more)
    await put_rules(call, key, {"purposes": {"sales": to(sales), "support": to(support)}, "default": to(support)})
    return support, sales


async def test_the_contact_goes_on_with_the_other_agent_and_what_was_noted(call: Call, tenant: TenantForTest) -> None:
    support, sales = await two_agents(call, tenant.key)
    talk = {"leadId": "ada", "conversationId": "c"}
    first = await say(call, tenant.key, "hello, my email is ada@example.org", **talk)
    assert first["agentId"] == support
    handed = await say(call, tenant.key, "Put me through to sales, please", idempotencyKey="k", **talk)
    assert (handed["agentId"], handed["variables"]["email"]) == (support, "ada@example.org")
    assert handed["toolCalls"][-1]["output"]["agent"] == "Sales"
    assert "Sales" in handed["reply"]
    after = await say(call, tenant.key, "hello again", **talk)
    assert (after["agentId"], after["conversationId"]) == (sales, first["conversationId"])
    assert after["variables"] == {"email": "ada@example.org"}
    assert "budget" in after["reply"]
    # The same request is answered as it was; the caller still finds it by the agent that it began with.
    again = await say(call, tenant.key, "Put me through to sales, please", idempotencyKey="k", **talk)
    assert again == handed
    assert (await say(call, tenant.key, agentId=support, **talk))["agentId"] == sales
    _, shown = await call(tenant.key, "GET", f"/api/v1/conversations/{first['conversationId']}")
    assert (shown["agent_id"], shown["hand_offs"], shown["routing"]["by"]) == (sales, 1, "default")
    _, page = await call(tenant.key, "GET", f"/api/v1/conversations/{first['conversationId']}/events")
    [event] = [event for event in page["items"] if event["type"] == "conversation.handed_over"]
    assert event["data"] == {"agent_id": sales, "purpose": "sales"}
    assert event["turn_id"] == handed["turnId"]
    _, told = await call(tenant.key, "GET", f"/api/v1/turns/{handed['turnId']}/explain")
    assert told["agent_id"] == support


async def test_a_person_is_asked_for_by_any_word_and_it_goes_back_and_forth(call: Call, tenant: TenantForTest) -> None:
    support, sales = await two_agents(call, tenant.key)
    rules = {"purposes": {"human": to(sales), "support": to(support)}, "default": to(support)}
    await put_rules(call, tenant.key, rules, 1)
    talk = {"leadId": "ada", "conversationId": "c"}
    await say(call, tenant.key, "I want to talk to a real person", **talk)
    await say(call, tenant.key, "Sorry, please transfer me to support", **talk)
    assert (await say(call, tenant.key, **talk))["agentId"] == support


async def test_what_the_other_agent_knows_as_something_else_is_left(call: Call, tenant: TenantForTest) -> None:
    await two_agents(call, tenant.key)
    talk = {"leadId": "ada", "conversationId": "c"}
    await say(call, tenant.key, "hello, my email is ada@example.org", **talk)
    await say(call, tenant.key, "yes", **talk)
    answer = await say(call, tenant.key, "the budget is rather small", **talk)
    assert "budget" in answer["variables"]
    await say(call, tenant.key, "put me through to sales", **talk)
    assert "budget" not in (await say(call, tenant.key, "hello", **talk))["variables"]


async def test_nobody_there_changes_nothing_and_the_conversation_goes_on(call: Call, tenant: TenantForTest) -> None:
    support, sales = await two_agents(call, tenant.key)
    jons = await make_agent(call, tenant.keys["jon"], "Jon's")
    marks = await make_agent(call, tenant.keys["mark"], "Mark's", functions=[HAND_OFF])
    talk = {"leadId": "ada", "conversationId": "c"}

    async def asked(purposes: dict[str, Any], key: str, agent: str) -> dict[str, Any]:
        nonlocal revision
        await put_rules(call, tenant.key, {"purposes": purposes}, revision)
        revision += 1
        answer = await say(call, key, "put me through to sales", agentId=agent, **talk)
        assert (await say(call, key, agentId=agent, **talk))["agentId"] == agent
        return answer["toolCalls"][0]["output"]

    revision = 1
    assert (await asked({}, tenant.key, support))["reason"] == "unknown_purpose"
    assert (await asked({"sales": to(support)}, tenant.key, support))["reason"] == "same_agent"
    # A member's conversation goes to nobody whom that member cannot see.
    assert (await asked({"sales": to(jons)}, tenant.keys["mark"], marks))["reason"] == "unknown_purpose"
    await put_rules(call, tenant.key, {"purposes": {"sales": to(sales)}}, revision)
    revision += 1
    assert (await call(tenant.key, "DELETE", f"/api/v1/agents/{sales}"))[0] == 204
    answer = await say(call, tenant.key, "put me through to sales", agentId=support, **talk)
    assert answer["toolCalls"][0]["output"]["reason"] == "unknown_purpose"
    assert "cannot hand you over" in answer["reply"]


async def test_a_conversation_handed_to_another_member_is_out_of_sight(call: Call, tenant: TenantForTest) -> None:
    support = await make_agent(call, tenant.key, "Support", **SUPPORT)
    jons = await make_agent(call, tenant.keys["jon"], "Jon's", **SALES)
    await put_rules(call, tenant.key, {"purposes": {"sales": to(jons)}, "default": to(support)})
    talk = {"leadId": "ada", "conversationId": "c"}
    mark, jon = tenant.keys["mark"], tenant.keys["jon"]
    first = await say(call, mark, **talk)
    await say(call, mark, "put me through to sales", **talk)
    body = {"message": "hello", **talk}
    status, error = await call(mark, "POST", "/api/agent/reply", json=body)
    assert (status, error["code"]) == (404, "not_found")
    path = f"/api/v1/conversations/{first['conversationId']}"
    assert (await call(mark, "GET", path))[0] == 404
    status, shown = await call(jon, "GET", path)
    assert (status, shown["owner_member_id"], shown["agent_id"]) == (200, str(tenant.members["jon"]), jons)
    assert (await say(call, tenant.key, **talk))["agentId"] == jons


async def test_it_goes_back_to_the_first_agent_when_the_other_is_taken_out_of_use(
    call: Call, tenant: TenantForTest
) -> None:
    support, sales = await two_agents(call, tenant.key)
    talk = {"leadId": "ada", "conversationId": "c"}
    first = await say(call, tenant.key, **talk)
    await say(call, tenant.key, "put me through to sales", **talk)
    assert (await call(tenant.key, "DELETE", f"/api/v1/agents/{sales}"))[0] == 204
    after = await say(call, tenant.key, **talk)
    assert (after["agentId"], after["conversationId"]) == (support, first["conversationId"])


async def test_the_version_of_a_purpose_stays_and_a_personal_agent_gets_an_instance(
    call: Call, tenant: TenantForTest, runtime: Runtime
) -> None:
    support, sales = await two_agents(call, tenant.key, pattern="personal")
    await put_rules(call, tenant.key, {"purposes": {"sales": to(sales, 1)}, "default": to(support)}, 1)
    talk = {"leadId": "ada", "conversationId": "c"}
    first = await say(call, tenant.key, **talk)
    await say(call, tenant.key, "put me through to sales", **talk)
    body = {"definition": {"name": "Sales", "variables": [EMAIL]}, "revision": 1, "publish": True}
    assert (await call(tenant.key, "PUT", f"/api/v1/agents/{sales}", json=body))[0] == 200
    assert "budget" in (await say(call, tenant.key, **talk))["missing"]
    async with runtime.db.tenant(tenant.id) as tx:
        contact = UUID(
            (await call(tenant.key, "GET", f"/api/v1/conversations/{first['conversationId']}"))[1]["contact_id"]
        )
        assert await tx.value("SELECT contact_id FROM personal_agents WHERE agent_id = $1", UUID(sales)) == contact
        [row] = await tx.rows("SELECT actor, details FROM audit_log WHERE action = 'conversation.handed_over'")
    assert row["actor"].startswith("key:")


async def handing(talk: Talk, call: Call, tenant: TenantForTest) -> str:
    """An agent of Mark's that the scripted model may hand over to, under the purpose `sales`."""
    sales = await make_agent(call, tenant.keys["mark"], "Sales")
    await put_rules(call, tenant.key, {"purposes": {"sales": to(sales), "human": to(talk.agent_id)}})
    return sales


async def test_a_model_hands_over_and_nobody_else_than_it_may(
    call: Call, runtime: Runtime, tenant: TenantForTest
) -> None:
    async with model_talk(runtime, tenant, {"name": "Support", "functions": [HAND_OFF]}) as talk:
        sales = await handing(talk, call, tenant)
        user_id = str(tenant.members["mark"])
        calls = [("hand_off", {"purpose": purpose, "user_id": user_id}) for purpose in ("billing", "human", "sales")]
        talk.wire.script.extend([streaming(calling(*calls)), streaming(saying("Sales takes over."))])
        said = await talk.say("sales, please")
        assert [made["output"]["status"] for made in said["toolCalls"]] == ["invalid", "refused", "ok"]
        assert (said["reply"], said["agentId"]) == ("Sales takes over.", talk.agent_id)
        talk.wire.script.append(streaming(saying("Sales here.")))
        assert (await talk.say("hello"))["agentId"] == sales
        prompt = talk.wire.requests[-1]["messages"][0]["content"]
        assert "You are Sales." in prompt


@pytest.mark.parametrize("finished", [True, False])
async def test_a_turn_that_died_after_it_goes_on_with_its_own_agent_and_hands_over_once(
    call: Call, runtime: Runtime, tenant: TenantForTest, finished: bool
) -> None:
    async with model_talk(runtime, tenant, {"name": "Support", "functions": [HAND_OFF]}) as talk:
        sales = await handing(talk, call, tenant)
        who = await authenticate(runtime.db, tenant.keys["mark"])
        inbound = Inbound(who, "http", "sales", agent_id=UUID(talk.agent_id), lead_id="ada", conversation_ref="c")
        models, lease = await talk.runtime.resources.models.of(runtime.db, who.tenant), new_id()
        request = ToolCallRequest("c0", "hand_off", {"purpose": "sales"})
        output = {"status": "ok", "purpose": "sales", "agent": "Sales", "agent_id": sales, "version": None}
        async with runtime.db.tenant(tenant.id) as tx:
            turn = (await accept(tx, inbound, Intake(talk.runtime.resources, models, lease))).turn
            await tool_calls.claim(tx, turn.id, lease, 0, [request], MODEL)
            if finished:
                await tool_calls.finish(tx, turn.id, 0, output)
            await tx.execute("UPDATE turns SET lease_expires_at = now() - interval '1 s' WHERE id = $1", turn.id)
        talk.wire.script.append(streaming(saying("Sales takes over.")))
        assert await take_up(talk.runtime.engine, sole=False) == 1
        told = await talk.get(f"/api/v1/turns/{turn.id}")
        assert (told["result"]["reply"], told["result"]["agent_id"]) == ("Sales takes over.", talk.agent_id)
        assert [made["output"]["status"] for made in told["result"]["tool_calls"]] == ["ok"]
        shown = await talk.get(f"/api/v1/conversations/{turn.conversation_id}")
        assert (shown["agent_id"], shown["hand_offs"]) == (sales, 1)
        events = await talk.get(f"/api/v1/conversations/{turn.conversation_id}/events")
        assert [event["type"] for event in events["items"]].count("conversation.handed_over") == 1
