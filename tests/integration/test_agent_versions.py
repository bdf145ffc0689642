"""Drafts and versions: published, compared, rolled back, pinned, and seen at once by every process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tenantry.engine.answering import DEFAULT_AGENT
from tenantry.engine.definitions import Definitions
from tenantry.engine.turn import Engine
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import PATH, definition, make

REPLY = "/api/agent/reply"


async def put(call: Call, key: str, agent: dict[str, Any], *, publish: bool = False, **changed: Any) -> dict[str, Any]:
    body = {"definition": {**agent["definition"], **changed}, "revision": agent["revision"], "publish": publish}
    status, now = await call(key, "PUT", f"{PATH}/{agent['id']}", json=body)
    assert status == 200, now
    return now


async def greeted(call: Call, key: str, agent: dict[str, Any], conversation: str) -> str:
    body = {"message": "hello", "agentId": agent["id"], "leadId": "ada", "conversationId": conversation}
    status, said = await call(key, "POST", REPLY, json=body)
    assert status == 200, said
    return said["reply"]


@asynccontextmanager
async def another_node(runtime: Runtime) -> AsyncGenerator[aiohttp.ClientSession]:
    """A server on the same database that shares nothing else."""
    resources = replace(runtime.resources, definitions=Definitions())
    own = replace(runtime, resources=resources, engine=Engine(resources))
    async with serving(own, bind("127.0.0.1", 0)) as url, aiohttp.ClientSession(url) as session:
        yield session


async def test_a_draft_answers_nobody_until_it_is_published(call: Call, tenant: TenantForTest) -> None:
    key = tenant.keys["mark"]
    agent = await make(call, key, publish=False)
    assert (agent["status"], agent["published"]) == ("draft", None)
    status, body = await call(key, "POST", REPLY, json={"message": "hi", "agentId": agent["id"]})
    assert (status, body["code"]) == (409, "agent_not_published")
    _, listed = await call(tenant.key, "GET", "/api/v1/conversations")
    assert listed["items"] == []
    status, agent = await call(key, "POST", f"{PATH}/{agent['id']}/publish", json={"note": "first"})
    assert (status, agent["status"], agent["published"]) == (200, "published", 1)
    assert await greeted(call, key, agent, "c")


async def test_a_changed_draft_answers_once_it_is_published(call: Call, tenant: TenantForTest) -> None:
    key = tenant.keys["mark"]
    agent = await make(call, key, definition=definition(greeting="One."))
    changed = await put(call, key, agent, greeting="Two.")
    assert (changed["status"], changed["published"]) == ("changed", 1)
    assert (await greeted(call, key, agent, "before")).startswith("One.")
    _, changed = await call(key, "POST", f"{PATH}/{agent['id']}/publish", json={"note": "two", "revision": 2})
    assert (changed["status"], changed["published"]) == ("published", 2)
    assert (await greeted(call, key, agent, "after")).startswith("Two.")
    _, again = await call(key, "POST", f"{PATH}/{agent['id']}/publish", json={})
    assert again["published"] == 2, "nothing to publish makes no version"
    _, versions = await call(key, "GET", f"{PATH}/{agent['id']}/versions")
    assert [(v["number"], v["note"]) for v in versions["items"]] == [(2, "two"), (1, "")]
    assert versions["items"][0]["published_by"] == f"member:{tenant.members['mark']}"
    status, body = await call(key, "POST", f"{PATH}/{agent['id']}/publish", json={"revision": 1})
    assert (status, body["code"], body["revision"]) == (409, "conflict", 2)


async def test_who_saves_second_gets_the_difference(call: Call, tenant: TenantForTest) -> None:
    key = tenant.keys["mark"]
    agent = await make(call, key, definition=definition(tonality="calm", dos=["Ask."]))
    await put(call, key, agent, tonality="brisk")
    body = {"definition": definition(tonality="calm", dos=["Ask.", "Listen."]), "revision": 1}
    status, problem = await call(key, "PUT", f"{PATH}/{agent['id']}", json=body)
    assert (status, problem["code"], problem["revision"]) == (409, "conflict", 2)
    assert [(d["path"], d["kind"], d["before"], d["after"]) for d in problem["differences"]] == [
        ("tonality", "changed", "brisk", "calm"),
        ("dos", "added", None, "Listen."),
    ]
    _, kept = await call(key, "GET", f"{PATH}/{agent['id']}")
    assert kept["definition"]["tonality"] == "brisk"


async def test_versions_are_compared_field_by_field(call: Call, tenant: TenantForTest) -> None:
    key = tenant.keys["mark"]
    email = {"name": "email", "type": "email", "question": "Which address?"}
    agent = await make(call, key, definition=definition(variables=[email]))
    agent = await put(call, key, agent, variables=[{**email, "question": "Your e-mail?"}], publish=True)
    path = f"{PATH}/{agent['id']}"
    _, diff = await call(key, "GET", f"{path}/diff", params={"before": "1", "after": "2"})
    (change,) = diff["changes"]
    assert (change["path"], change["before"], change["after"]) == (
        "variables.email.question",
        "Which address?",
        "Your e-mail?",
    )
    await put(call, key, agent, name="Buyer")
    _, diff = await call(key, "GET", f"{path}/diff", params={"before": "2"})
    assert [change["path"] for change in diff["changes"]] == ["name"], "the draft, where no other version is named"
    status, body = await call(key, "GET", f"{path}/diff", params={"before": "7"})
    assert (status, body["code"]) == (404, "not_found")
    _, shown = await call(key, "GET", f"{path}/preview", params={"version": "1"})
    assert "Which address?" in shown["system_prompt"]


@pytest.mark.parametrize("draft_has_changes", [True, False])
async def test_a_roll_back_is_a_version_of_its_own_and_loses_no_draft(
    call: Call, tenant: TenantForTest, draft_has_changes: bool
) -> None:
    key = tenant.keys["mark"]
    agent = await make(call, key, definition=definition(greeting="One."))
    agent = await put(call, key, agent, greeting="Two.", publish=True)
    if draft_has_changes:
        await put(call, key, agent, greeting="Three.")
    path = f"{PATH}/{agent['id']}"
    status, now = await call(key, "POST", f"{path}/rollback", json={"version": 1, "note": "back"})
    assert (status, now["published"]) == (200, 3)
    assert now["status"] == ("changed" if draft_has_changes else "published")
    assert now["definition"]["greeting"] == ("Three." if draft_has_changes else "One.")
    assert (await greeted(call, key, agent, "c")).startswith("One.")
    _, version = await call(key, "GET", f"{path}/versions/3")
    assert (version["restores"], version["note"]) == (1, "back")


@pytest.mark.parametrize(("follow", "name"), [("pinned", "One"), ("newest", "Two")])
async def test_a_conversation_follows_or_stays_with_its_version(
    call: Call, tenant: TenantForTest, follow: str, name: str
) -> None:
    key = tenant.keys["mark"]
    asking = [{"name": "one", "type": "text", "question": "One?"}]
    agent = await make(call, key, definition=definition(follow=follow, variables=asking))
    await greeted(call, key, agent, "c")
    await put(call, key, agent, variables=[{"name": "two", "type": "text", "question": "Two?"}], publish=True)
    assert f"{name}?" in await greeted(call, key, agent, "c")
    assert "Two?" in await greeted(call, key, agent, "a later one")


async def test_a_publication_is_answered_by_a_node_that_has_the_older_version_at_hand(
    call: Call, tenant: TenantForTest, runtime: Runtime
) -> None:
    key = tenant.keys["mark"]
    agent = await make(call, key, definition=definition(greeting="One."))
    async with another_node(runtime) as other:
        for number, greeting in enumerate(("Two.", "Three.", "Four.")):
            agent = await put(call, key, agent, greeting=greeting, publish=True)
            headers = {"Authorization": f"Bearer {key}"}
            body = {"message": "hi", "agentId": agent["id"], "conversationId": f"{number}"}
            async with other.post(REPLY, json=body, headers=headers) as response:
                assert (await response.json())["reply"].startswith(greeting)


async def test_the_active_configuration_is_published_and_keeps_the_rest_of_the_draft(
    call: Call, tenant: TenantForTest
) -> None:
    _, config = await call(tenant.key, "GET", "/api/agent/config/active")
    assert config["greeting"] == DEFAULT_AGENT.greeting
    _, agent = await call(tenant.key, "GET", f"{PATH}/{config['agentId']}")
    await put(call, tenant.key, agent, tonality="A draft's.")
    status, config = await call(tenant.key, "PUT", "/api/agent/config/active", json={"greeting": "Welcome."})
    assert (status, config["greeting"], config["tonality"]) == (200, "Welcome.", DEFAULT_AGENT.tonality)
    _, agent = await call(tenant.key, "GET", f"{PATH}/{config['agentId']}")
    assert (agent["status"], agent["published"]) == ("changed", 2)
    assert (agent["definition"]["greeting"], agent["definition"]["tonality"]) == ("Welcome.", "A draft's.")


async def test_versions_are_of_those_who_may_see_and_publish_the_agent(call: Call, tenant: TenantForTest) -> None:
    marks, own = await make(call, tenant.keys["mark"]), await make(call, tenant.key)
    for agent, key, expected in ((marks, "jon", 404), (own, "jon", 403), (own, "vera", 403), (own, "olga", 200)):
        path = f"{PATH}/{agent['id']}"
        assert (await call(tenant.keys[key], "POST", f"{path}/publish", json={}))[0] == expected
        assert (await call(tenant.keys[key], "POST", f"{path}/rollback", json={"version": 1}))[0] == expected
    assert (await call(tenant.keys["vera"], "GET", f"{PATH}/{own['id']}/versions"))[0] == 200
    assert (await call(tenant.keys["vera"], "GET", f"{PATH}/{marks['id']}/versions/1"))[0] == 404
