"""The three patterns: an instance for each contact, one agent that knows none again, one agent that knows each."""

from typing import Any

import pytest

from tenantry.server.runtime import Runtime
from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call
from tests.integration.model_talk import calling, model_talk, saying
from tests.integration.test_agents_api import PATH, definition, make
from tests.wire_server import streaming

PERSONAL = definition(pattern="personal", greeting="Hello from all.")


async def say(call: Call, key: str, agent: dict[str, Any], lead: str, message: str = "hello") -> dict[str, Any]:
    body = {"message": message, "agentId": agent["id"], "leadId": lead, "conversationId": f"of {lead}"}
    status, said = await call(key, "POST", "/api/agent/reply", json=body)
    assert status == 200, said
    return said


async def contact_of(call: Call, key: str, said: dict[str, Any]) -> str:
    _, conversation = await call(key, "GET", f"/api/v1/conversations/{said['conversationId']}")
    return conversation["contact_id"]


async def test_each_contact_has_an_instance_from_the_first_message_on(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    key = tenant.keys["mark"]
    agent = await make(call, key, definition=PERSONAL)
    _, page = await call(key, "GET", f"{PATH}/{agent['id']}/personal")
    assert page["items"] == []
    adas, bens = [await contact_of(call, key, await say(call, key, agent, lead)) for lead in ("ada", "ben")]
    await say(call, key, agent, "ada")
    _, page = await call(key, "GET", f"{PATH}/{agent['id']}/personal")
    assert {item["contact_id"]: item["changes"] for item in page["items"]} == {adas: {}, bens: {}}
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT count(*) FROM agents WHERE tenant_id = $1", tenant.id) == 1


async def test_a_changed_instance_is_its_contacts_alone_and_follows_the_agent_in_all_else(
    call: Call, tenant: TenantForTest
) -> None:
    key = tenant.keys["mark"]
    asking = [{"name": "matter", "type": "text", "question": "What is it about?"}]
    agent = await make(call, key, definition={**PERSONAL, "variables": asking})
    path = f"{PATH}/{agent['id']}"
    adas = await contact_of(call, key, await say(call, key, agent, "ada"))
    own = {"variables": {"matter": {"question": "Ada, what is it about?"}}}
    status, changed = await call(key, "PUT", f"{path}/personal/{adas}", json={"changes": own, "revision": 1})
    assert (status, changed["revision"], changed["changes"]) == (200, 2, own)
    assert "Ada, what is it about?" in (await say(call, key, agent, "ada"))["reply"]
    bens = await say(call, key, agent, "ben")
    assert "What is it about?" in bens["reply"]
    assert "Ada" not in bens["reply"]
    town = {"name": "town", "type": "text", "question": "In which town?"}
    body = {"definition": {**PERSONAL, "variables": [town, *asking]}, "revision": 1, "publish": True}
    assert (await call(key, "PUT", path, json=body))[0] == 200
    assert "In which town?" in (await say(call, key, agent, "ada"))["reply"]
    assert (await call(key, "DELETE", f"{path}/personal/{adas}"))[0] == 204
    assert (await call(key, "GET", f"{path}/personal/{adas}"))[0] == 404
    said = await say(call, key, agent, "ada", "Springfield")
    assert "Ada" not in said["reply"]


async def test_an_instance_that_is_made_again_is_not_taken_for_the_one_before(
    call: Call, tenant: TenantForTest
) -> None:
    key = tenant.keys["mark"]
    asking = [{"name": "matter", "type": "text", "question": "What is it about?"}]
    agent = await make(call, key, definition={**PERSONAL, "variables": asking})
    path = f"{PATH}/{agent['id']}/personal/{await contact_of(call, key, await say(call, key, agent, 'ada'))}"
    for question in ("Once?", "Again?"):
        changes = {"variables": {"matter": {"question": question}}}
        assert (await call(key, "PUT", path, json={"changes": changes}))[1]["revision"] == 2
        assert question in (await say(call, key, agent, "ada"))["reply"]
        assert (await call(key, "DELETE", path))[0] == 204


async def test_changes_that_no_longer_fit_the_agent_leave_their_contact_answered(
    call: Call, tenant: TenantForTest
) -> None:
    key = tenant.keys["mark"]
    asking = [{"name": "matter", "type": "text", "question": "What is it about?"}]
    agent = await make(call, key, definition={**PERSONAL, "variables": asking})
    path = f"{PATH}/{agent['id']}"
    adas = await contact_of(call, key, await say(call, key, agent, "ada"))
    own = {"variables": {"matter": {"question": "Ada?"}}}
    assert (await call(key, "PUT", f"{path}/personal/{adas}", json={"changes": own}))[0] == 200
    body = {"definition": {**PERSONAL, "variables": []}, "revision": 1, "publish": True}
    assert (await call(key, "PUT", path, json=body))[0] == 200
    assert (await say(call, key, agent, "ada"))["reply"]


async def test_bad_changes_are_refused_by_field(call: Call, tenant: TenantForTest, make_tenant: MakeTenant) -> None:
    other_tenant = await make_tenant()
    key = tenant.keys["mark"]
    agent = await make(call, key, definition=PERSONAL)
    path = f"{PATH}/{agent['id']}/personal"
    adas = await contact_of(call, key, await say(call, key, agent, "ada"))
    for changes, field in (({"time_zone": "Mars"}, "time_zone"), ({"tone": "x"}, "tone"), ({"name": None}, "name")):
        status, body = await call(key, "PUT", f"{path}/{adas}", json={"changes": changes})
        assert (status, [fault["field"] for fault in body["errors"]]) == (422, [field])
    status, body = await call(key, "PUT", f"{path}/{adas}", json={"changes": {}, "revision": 7})
    assert (status, body["code"]) == (409, "conflict")
    strangers = await make(call, other_tenant.keys["mark"], definition=PERSONAL)
    theirs = await contact_of(
        call, other_tenant.keys["mark"], await say(call, other_tenant.keys["mark"], strangers, "ada")
    )
    assert (await call(key, "PUT", f"{path}/{theirs}", json={"changes": {}}))[0] == 404
    shared = await make(call, key)
    status, body = await call(key, "PUT", f"{PATH}/{shared['id']}/personal/{adas}", json={"changes": {}})
    assert (status, body["code"]) == (422, "invalid_input")


async def put_block(call: Call, key: str, agent: str, value: str, contact: str | None = None) -> None:
    body = {"value": value, "contact": contact}
    assert (await call(key, "PUT", f"{PATH}/{agent}/blocks/human", json=body))[0] == 200


@pytest.mark.parametrize(
    ("pattern", "in_mind"),
    [
        ("shared", {"Of everyone."}),
        ("shared_with_identity", {"Of everyone.", "Of Ada."}),
        ("personal", {"Of Ada."}),
    ],
)
async def test_what_an_agent_has_in_mind_of_a_contact_is_of_its_pattern(
    call: Call, tenant: TenantForTest, runtime: Runtime, pattern: str, in_mind: set[str]
) -> None:
    key = tenant.keys["mark"]
    async with model_talk(runtime, tenant, definition(pattern=pattern)) as talk:
        await put_block(call, key, talk.agent_id, "Of everyone.")
        await put_block(call, key, talk.agent_id, "Of Ada.", contact="ada")
        for _ in range(2):
            talk.wire.script.append(streaming(saying("Hi.")))
            await talk.say()
            sent = talk.wire.requests[-1]["messages"][0]["content"]
            assert {text for text in ("Of everyone.", "Of Ada.") if text in sent} == in_mind


async def test_a_personal_agent_writes_into_its_own_copy_of_a_block(
    call: Call, tenant: TenantForTest, runtime: Runtime
) -> None:
    key = tenant.keys["mark"]
    functions = [{"name": "memory_append"}]
    async with model_talk(runtime, tenant, definition(pattern="personal", functions=functions)) as talk:
        await put_block(call, key, talk.agent_id, "Of everyone.")
        mark = str(tenant.members["mark"])
        append = calling(("memory_append", {"user_id": mark, "label": "human", "text": "Likes tea."}))
        talk.wire.script.extend([streaming(append), streaming(saying("Noted."))])
        assert (await talk.say())["toolCalls"][0]["output"]["status"] == "ok"
        _, blocks = await call(key, "GET", f"{PATH}/{talk.agent_id}/blocks", params={"contact": "ada"})
        values = {block["scope"]: block["value"] for block in blocks["items"]}
        assert values["agent"] == "Of everyone."
        assert values["contact"].startswith("Of everyone.")
        assert values["contact"].endswith("Likes tea.")


async def test_an_agent_that_knows_no_contact_again_has_no_memory_to_write(call: Call, tenant: TenantForTest) -> None:
    body = {"definition": definition(pattern="shared", functions=[{"name": "memory_append"}])}
    status, problem = await call(tenant.keys["mark"], "POST", PATH, json=body)
    assert (status, [fault["field"] for fault in problem["errors"]]) == (422, ["functions.0.name"])
