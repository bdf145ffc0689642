"""Tenants' own providers: two servers of one installation, keys that nobody gets to see, isolation."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tenantry.domain.errors import SealedValueUnreadable
from tenantry.llm.base import UsageReported
from tenantry.llm.registry import FORM_POLICY, Models, Price
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import ModelSettings, NetworkSettings, Settings
from tenantry.storage.isolation.tables import tables_holding
from tenantry.storage.repositories import tenants
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call
from tests.wire_server import WireServer, refusing, saying, streaming, wire_server

PATH = "/api/v1/providers"
MODEL = "maker/model-1"
KEY = "sk-live-0123456789abcdefWXYZ"
OTHER_KEY = "sk-live-fedcba9876543210ABCD"
LOOPBACK = NetworkSettings((ip_network("127.0.0.1/32"),))


def provider(base_url: str = "https://models.example/v1", **more: Any) -> dict[str, Any]:
    return {"name": "mine", "base_url": base_url, "models": [{"name": MODEL}], "api_key": KEY, **more}


@dataclass
class Node:
    """One server process of the installation."""

    runtime: Runtime
    session: aiohttp.ClientSession
    seen: list[str]

    async def call(self, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with self.session.request(method, path, json=body, headers=headers) as response:
            text = await response.text()
            self.seen.append(text)
            return response.status, json.loads(text) if text else None

    async def say(self, key: str, **more: Any) -> dict[str, Any]:
        status, told = await self.call(key, "POST", "/api/agent/reply", {"message": "hello", **more})
        assert status == 200, told
        return told


@pytest.fixture(scope="module")
async def nodes(runtime: Runtime, session_home: Path) -> AsyncIterator[tuple[Node, Node]]:
    """Two processes' worth of server on one database, which let tenants' providers be on loopback."""
    async with AsyncExitStack() as stack:
        made: list[Node] = []
        for _ in range(2):
            own = await stack.enter_async_context(open_runtime(Settings(home=session_home, network=LOOPBACK)))
            url = await stack.enter_async_context(serving(own, bind("127.0.0.1", 0)))
            session = await stack.enter_async_context(aiohttp.ClientSession(url))
            made.append(Node(own, session, []))
        yield made[0], made[1]


@pytest.fixture
async def wire() -> AsyncIterator[WireServer]:
    async with wire_server() as server:
        server.key = KEY
        yield server


async def test_two_tenants_with_the_same_model_reach_each_its_own_server_with_its_own_key(
    nodes: tuple[Node, Node], wire: WireServer, make_tenant: MakeTenant
) -> None:
    node, one, two = nodes[0], await make_tenant(), await make_tenant()
    async with wire_server() as second:
        second.key = OTHER_KEY
        for tenant, server, key in ((one, wire, KEY), (two, second, OTHER_KEY)):
            assert (await node.call(tenant.key, "POST", PATH, provider(server.url, api_key=key)))[0] == 201
        for tenant, server, text in ((one, wire, "I am one."), (two, second, "I am two."), (one, wire, "One.")):
            server.script.append(streaming(saying(text)))
            told = await node.say(tenant.key, model=MODEL)
            assert (told["reply"], told["degraded"]) == (text, [])
    assert [len(server.requests) for server in (wire, second)] == [2, 1]
    assert {body["model"] for body in (*wire.requests, *second.requests)} == {MODEL}


async def test_a_changed_key_is_used_at_once_by_another_process(
    nodes: tuple[Node, Node], wire: WireServer, tenant: TenantForTest
) -> None:
    one, two = nodes
    _, made = await one.call(tenant.key, "POST", PATH, provider(wire.url))
    for node in nodes:
        wire.script.append(streaming(saying("before")))
        assert (await node.say(tenant.key))["reply"] == "before"
    wire.key = OTHER_KEY
    changed = provider(wire.url, api_key=OTHER_KEY, models=[{"name": "mine", "model": "theirs"}])
    assert (await two.call(tenant.key, "PUT", f"{PATH}/{made['id']}", changed))[0] == 200
    for node in nodes:
        wire.script.append(streaming(saying("after")))
        assert (await node.say(tenant.key))["reply"] == "after"
    assert wire.requests[-1]["model"] == "theirs"
    assert (await two.call(tenant.key, "DELETE", f"{PATH}/{made['id']}"))[0] == 204
    status, error = await one.call(tenant.key, "POST", "/api/agent/reply", {"message": "hello", "model": "mine"})
    assert (status, error["code"], error["allowedModels"]) == (422, "model_not_allowed", [FORM_POLICY])


async def test_nobody_gets_to_see_a_key(
    nodes: tuple[Node, Node], wire: WireServer, tenant: TenantForTest, capfd: pytest.CaptureFixture[str]
) -> None:
    node = nodes[0]
    node.seen.clear()
    status, made = await node.call(tenant.key, "POST", PATH, provider(wire.url))
    assert (status, made["key_set"], made["key_hint"]) == (201, True, "WXYZ")
    await node.call(tenant.key, "POST", PATH, provider(wire.url))
    await node.call(tenant.key, "POST", PATH, provider("ftp://x", name="other"))
    await node.call(tenant.key, "POST", PATH, provider(wire.url, name="other", api_key=f"{KEY} {KEY}"))
    await node.call(tenant.key, "POST", PATH, provider(wire.url, name="other", api_key=[KEY]))
    await node.call(tenant.key, "POST", PATH, provider(wire.url, name="other", key=KEY))
    await node.call(tenant.key, "PUT", "/api/v1/secrets/crm", {"value": KEY})
    await node.call(tenant.key, "PUT", "/api/v1/secrets/crm", {"value": {"deep": KEY}})
    await node.call(tenant.key, "PUT", "/api/v1/secrets/crm", {"value": f"{KEY}\n"})
    await node.call(tenant.key, "GET", "/api/v1/secrets")
    wire.script.append(refusing(401, {"message": f"Incorrect API key provided: {KEY}", "code": KEY}))
    told = await node.say(tenant.key)
    assert told["degraded"] == [f"auth:{MODEL}"]
    for path in (PATH, f"{PATH}/{made['id']}", f"/api/v1/conversations/{told['conversationId']}/events"):
        assert (await node.call(tenant.key, "GET", path))[0] == 200
    shown = "".join(node.seen) + "".join(capfd.readouterr())
    assert shown
    assert KEY[:-4] not in shown
    assert await tables_holding(node.runtime.db, tenant.id, [KEY, KEY.encode().hex(), KEY[:-4]]) == []
    assert await tables_holding(node.runtime.db, tenant.id, ["WXYZ"]) == ["providers"]


async def test_members_read_names_and_only_the_whole_tenant_changes(
    nodes: tuple[Node, Node], make_tenant: MakeTenant
) -> None:
    node, tenant, other = nodes[0], await make_tenant(), await make_tenant()
    _, made = await node.call(tenant.keys["olga"], "POST", PATH, provider())
    path = f"{PATH}/{made['id']}"
    for name in ("mark", "vera"):
        _, page = await node.call(tenant.keys[name], "GET", PATH)
        shown = page["items"][0]
        assert (shown["name"], shown["base_url"], shown["key_hint"], shown["key_set"]) == ("mine", None, None, True)
        for method, target, body in (("POST", PATH, provider()), ("PUT", path, provider()), ("DELETE", path, None)):
            assert (await node.call(tenant.keys[name], method, target, body))[0] == 403
    for method, body in (("GET", None), ("PUT", provider()), ("DELETE", None)):
        status, error = await node.call(other.key, method, path, body)
        assert (status, error["code"]) == (404, "not_found")
    assert (await node.call(other.key, "GET", PATH))[1]["items"] == []
    assert (await node.call(tenant.keys["olga"], "GET", path))[1]["base_url"] == "https://models.example/v1"


async def test_a_key_is_only_sent_to_where_it_was_given_for(nodes: tuple[Node, Node], tenant: TenantForTest) -> None:
    node = nodes[0]
    _, made = await node.call(tenant.key, "POST", PATH, provider())
    path = f"{PATH}/{made['id']}"
    kept = {name: value for name, value in provider().items() if name != "api_key"}
    moved = {**kept, "base_url": "https://models.example:8443/v1"}
    status, error = await node.call(tenant.key, "PUT", path, moved)
    assert (status, error["errors"][0]["field"]) == (422, "api_key")
    status, same = await node.call(tenant.key, "PUT", path, {**kept, "base_url": "https://models.example/v2"})
    assert (status, same["key_hint"]) == (200, "WXYZ")
    status, bare = await node.call(tenant.key, "PUT", path, {**moved, "api_key": ""})
    assert (status, bare["key_set"], bare["key_hint"]) == (200, False, None)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"base_url": "ftp://models.example"}, "base_url"),
        ({"base_url": "models.example/v1"}, "base_url"),
        ({"base_url": "https://user:pass@models.example/v1"}, "base_url"),
        ({"base_url": "https://models.example/v1?x=1"}, "base_url"),
        ({"base_url": "https://models.example/v1#x"}, "base_url"),
        ({"base_url": "https://models.example:0/v1"}, "base_url"),
        ({"base_url": "https://models.example:99999/v1"}, "base_url"),
        ({"base_url": "https://[::1/v1"}, "base_url"),
        ({"base_url": "https://models.example/ v1"}, "base_url"),
        ({"models": [{"name": FORM_POLICY}]}, "models.0.name"),
        ({"models": [{"name": "a"}, {"name": "a"}]}, "models.1.name"),
        ({"models": [{"name": "a b"}]}, "models.0.name"),
        ({"models": [{"name": "a", "input_price": -1}]}, "models.0.input_price"),
        ({"models": [{"name": "a", "cost": 1}]}, "models.0.cost"),
        ({"timeouts": {"total": 0}}, "timeouts.total"),
        ({"answer_mode": "magic"}, "answer_mode"),
        ({"api_key": "sk-\r\nX: y"}, "api_key"),
        ({"name": " x"}, "name"),
    ],
)
async def test_what_is_wrong_is_named(call: Call, tenant: TenantForTest, wrong: dict[str, Any], field: str) -> None:
    status, error = await call(tenant.key, "POST", PATH, json={**provider(), **wrong})
    assert (status, error["code"], error["errors"][0]["field"]) == (422, "invalid_input", field)


async def test_a_name_is_there_once(call: Call, tenant: TenantForTest) -> None:
    _, first = await call(tenant.key, "POST", PATH, json=provider())
    assert (await call(tenant.key, "POST", PATH, json=provider()))[0] == 409
    _, second = await call(tenant.key, "POST", PATH, json=provider(name="second"))
    assert (await call(tenant.key, "PUT", f"{PATH}/{second['id']}", json=provider()))[0] == 409
    assert (await call(tenant.key, "PUT", f"{PATH}/{first['id']}", json=provider()))[0] == 200


async def test_a_private_address_is_not_asked(
    url: str, nodes: tuple[Node, Node], wire: WireServer, tenant: TenantForTest
) -> None:
    """The session's own server allows none; the installation's own address may be private all the same."""
    async with aiohttp.ClientSession(url) as session:
        strict = Node(nodes[0].runtime, session, [])
        port = wire.url.split(":")[2]
        for host in ("127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:127.0.0.1]"):
            named = provider(f"http://{host}:{port}", name=host, models=[{"name": host}])
            status, made = await strict.call(tenant.key, "POST", PATH, named)
            assert status == 201, made
            assert (await strict.say(tenant.key, model=host))["degraded"] == [f"refused:{host}"]
            await strict.call(tenant.key, "DELETE", f"{PATH}/{made['id']}")
    assert wire.requests == []


async def test_models_of_the_installation_under_names_that_the_operator_allows(
    runtime: Runtime, tenant: TenantForTest
) -> None:
    settings = ModelSettings("default", "http://127.0.0.1:9/v1", None, ("second", "default"))
    models = Models(settings)
    async with runtime.db.operator(tenant.id) as tx:
        await tenants.set_allowed_models(tx, ["special"])
    async with runtime.db.tenant(tenant.id) as tx:
        current = await tenants.current(tx)
    assert (current.allowed_models, current.settings_stamp) == (("special",), 1)
    own = await models.of(runtime.db, current)
    assert own.allowed() == ("special", "default", "second")
    assert own.default_name == "default"
    assert own.find("other") is None
    assert [m.name for m in own.chain("special")] == ["special", "default", "second", FORM_POLICY]
    assert [m.name for m in own.chain("gone", ["second", FORM_POLICY])] == ["second", "default", FORM_POLICY]
    assert [m.name for m in own.chain(FORM_POLICY, ["second"])] == [FORM_POLICY]
    assert await models.of(runtime.db, current) is own
    assert await models.of(runtime.db, replace(current, settings_stamp=2)) is not own
    await models.close()


async def test_prices(nodes: tuple[Node, Node], tenant: TenantForTest) -> None:
    node = nodes[0]
    priced = [{"name": "a", "input_price": 150_000, "output_price": 600_000}, {"name": "b", "input_price": 1}]
    await node.call(tenant.key, "POST", PATH, provider(models=priced))
    async with node.runtime.db.tenant(tenant.id) as tx:
        current = await tenants.current(tx)
    own = await node.runtime.resources.models.of(node.runtime.db, current)
    assert (own.price("a"), own.price("b"), own.price(FORM_POLICY)) == (Price(150_000, 600_000), None, Price(0, 0))
    assert own.cost_micros("a", UsageReported(1000, 500)) == 150 + 300
    assert own.cost_micros("a", UsageReported(1, 0)) == 1
    assert own.cost_micros("a", UsageReported(1000, 500, cost_micros=7)) == 7
    assert own.cost_micros("a", UsageReported(1000, 500, cost_micros=-7)) == 0
    assert own.cost_micros("b", UsageReported(1000, 500)) == 0


async def test_a_key_that_cannot_be_opened_leaves_the_rest_at_work(
    nodes: tuple[Node, Node], wire: WireServer, tenant: TenantForTest
) -> None:
    node = nodes[0]
    _, broken = await node.call(tenant.key, "POST", PATH, provider(name="broken", models=[{"name": "broken"}]))
    await node.call(tenant.key, "POST", PATH, provider(wire.url))
    async with node.runtime.db.tenant(tenant.id) as tx:
        # As if somebody with the database had put another row's sealed key here.
        await tx.execute(
            "UPDATE providers p SET sealed_key = o.sealed_key FROM providers o "
            "WHERE p.tenant_id = $1 AND p.name = 'broken' AND o.tenant_id = $1 AND o.name = 'mine'",
            tenant.id,
        )
        await tenants.raise_settings_stamp(tx)
        current = await tenants.current(tx)
    own = await node.runtime.resources.models.of(node.runtime.db, current)
    assert (own.find("broken"), own.default_name) == (None, MODEL)
    wire.script.append(streaming(saying("Still here.")))
    assert (await node.say(tenant.key))["reply"] == "Still here."
    assert SealedValueUnreadable.code not in "".join(node.seen)
    assert (await node.call(tenant.key, "PUT", f"{PATH}/{broken['id']}", provider(name="broken")))[0] == 200


async def test_a_provider_that_keeps_failing_is_left_alone_for_its_own_tenant_only(
    nodes: tuple[Node, Node], wire: WireServer, make_tenant: MakeTenant
) -> None:
    node, one, two = nodes[0], await make_tenant(), await make_tenant()
    for tenant in (one, two):
        await node.call(tenant.key, "POST", PATH, provider(wire.url))
    wire.script.extend([refusing(401)] * 5)
    for _ in range(5):
        assert (await node.say(one.key))["degraded"] == [f"auth:{MODEL}"]
    assert (await node.say(one.key))["degraded"] == [f"circuit_open:{MODEL}"]
    wire.script.append(streaming(saying("Fine here.")))
    assert (await node.say(two.key))["reply"] == "Fine here."
    # A changed provider deserves a new start.
    _, page = await node.call(one.key, "GET", PATH)
    await node.call(one.key, "PUT", f"{PATH}/{page['items'][0]['id']}", provider(wire.url))
    wire.script.append(streaming(saying("Again.")))
    assert (await node.say(one.key))["reply"] == "Again."
