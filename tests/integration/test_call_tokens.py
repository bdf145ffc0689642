"""Who may open a call, from where, with whom, and how many."""

from typing import Any
from uuid import UUID

import aiohttp
import pytest

from tenantry.auth.rate_limits import CALLER_PER_MINUTE
from tenantry.auth.site_keys import make_site_key
from tenantry.domain.call import Site
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import calls, conversations, sites
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.call_parties import TOKEN, opened
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent
from tests.integration.test_routing import put_rules, to

SHOP = "https://shop.example"


@pytest.fixture
async def site(call: Call, runtime: Runtime, tenant: TenantForTest) -> Site:
    agent_id = UUID(await make_agent(call, tenant.key, "Shop"))
    async with runtime.db.tenant(tenant.id) as tx:
        return await sites.create(tx, "shop", make_site_key(tenant.id), [SHOP, "http://127.0.0.1:5173"], [agent_id])


Visit = tuple[int, Any, "aiohttp.typedefs.LooseHeaders"]


async def visit(url: str, site: Site, origin: str | None = SHOP, **body: Any) -> Visit:
    """A call as a browser on the site opens it."""
    headers = {"X-Tenantry-Site": site.public_key} | ({"Origin": origin} if origin else {})
    async with aiohttp.ClientSession(url) as session, session.post(TOKEN, json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None), dict(response.headers)


async def contact_of(runtime: Runtime, tenant: TenantForTest, call_id: str) -> tuple[UUID, str | None]:
    async with runtime.db.tenant(tenant.id) as tx:
        found = await calls.get(tx, UUID(call_id), sees_only=None)
        assert found is not None
        conversation = await conversations.get(tx, found.conversation_id, sees_only=None)
    assert conversation is not None
    return conversation.contact_id, conversation.contact_time_zone


async def test_a_key_opens_a_call_that_is_routed_at_once(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest
) -> None:
    agent_id = await make_agent(call, tenant.key, "Support")
    await make_agent(call, tenant.key, "Other")
    await put_rules(call, tenant.key, {"purposes": {"support": to(agent_id)}})
    body: dict[str, Any] = {"purpose": "support", "metadata": {"time_zone": "Europe/Vienna"}}
    made = await opened(call, tenant.key, **body, user_id="ada", user_details={"email": "ada@example.com"})
    assert (made["transport"], made["consentText"]) == ("websocket", None)
    assert made["serverUrl"] == f"{url.replace('http', 'ws')}/api/voice/socket"
    assert runtime.voice.sockets.open(made["participantToken"]) == (tenant.id, UUID(made["callId"]))
    assert len(made["roomName"]) == len("call-") + 32
    async with runtime.db.tenant(tenant.id) as tx:
        kept = await calls.get(tx, UUID(made["callId"]), sees_only=None)
    assert kept and (str(kept.agent_id), kept.kinds, kept.site_id) == (agent_id, ("support",), None)
    again = await opened(call, tenant.key, **body, user_id="ada")
    by_mail = await opened(call, tenant.key, **body, user_details={"email": "ADA@example.com"})
    contacts = {await contact_of(runtime, tenant, each["callId"]) for each in (made, again, by_mail)}
    assert {zone for _, zone in contacts} == {"Europe/Vienna"}
    assert len(contacts) == 1


async def test_what_a_call_cannot_be_opened_with(call: Call, tenant: TenantForTest, make_tenant: MakeTenant) -> None:
    draft = {"definition": {"name": "Draft"}}
    _, unpublished = await call(tenant.key, "POST", "/api/v1/agents", json=draft)
    strange = await make_agent(call, (await make_tenant()).key)
    marks = await make_agent(call, tenant.keys["mark"])
    for key, body, status, code in (
        (None, {}, 401, "unauthenticated"),
        (tenant.keys["vera"], {}, 403, "forbidden"),
        (tenant.key, {"agentId": unpublished["id"]}, 409, "agent_not_published"),
        (tenant.key, {"agentId": strange}, 404, "not_found"),
        (tenant.keys["jon"], {"agentId": marks}, 404, "not_found"),
        (tenant.key, {"transport": "livekit"}, 422, "invalid_input"),
        (tenant.key, {"user_details": {"email": "no address"}}, 422, "invalid_input"),
        (tenant.key, {"user_details": {"email": {"a": 1}}}, 422, "invalid_input"),
        (tenant.key, {"metadata": {"time_zone": "Mars/Olympus"}}, 422, "invalid_input"),
        (tenant.key, {"user_id": "x" * 201}, 422, "invalid_input"),
        (tenant.key, {"clientId": "x"}, 422, "invalid_input"),
    ):
        answered, problem = await call(key, "POST", TOKEN, json=body)
        assert (answered, problem["code"]) == (status, code), body


async def test_a_site_opens_calls_from_its_own_origins_only(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, site: Site
) -> None:
    other = await make_agent(call, tenant.key, "Not of the site")
    for origin in (None, "https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"):
        status, problem, headers = await visit(url, site, origin)
        assert (status, problem["code"]) == (403, "origin_refused")
        assert "Access-Control-Allow-Origin" not in headers
    status, made, headers = await visit(url, site, agentId=str(site.agent_ids[0]))
    assert (status, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (200, SHOP, "Origin")
    assert "Access-Control-Allow-Credentials" not in headers
    async with runtime.db.tenant(tenant.id) as tx:
        kept = await calls.get(tx, UUID(made["callId"]), sees_only=None)
    assert kept and (kept.site_id, kept.agent_id) == (site.id, site.agent_ids[0])
    # The browser may read what is wrong.
    status, problem, headers = await visit(url, site, agentId=other)
    assert (status, problem["code"], headers["Access-Control-Allow-Origin"]) == (404, "not_found", SHOP)
    forged = site.public_key[:-4] + ("AAAA" if site.public_key[-4:] != "AAAA" else "BBBB")
    for public_key in (forged, "tns_x", "", tenant.key):
        headers = {"X-Tenantry-Site": public_key, "Origin": SHOP}
        async with aiohttp.ClientSession(url) as session, session.post(TOKEN, json={}, headers=headers) as response:
            assert response.status == 401
    async with aiohttp.ClientSession(url) as session:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-tenantry-site"}
        async with session.options(TOKEN, headers={"Origin": SHOP, **asks}) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, SHOP)
            assert "x-tenantry-site" in response.headers["Access-Control-Allow-Headers"]
        # A site's key is public; it opens nothing but calls.
        bearer = {"Authorization": f"Bearer {site.public_key}", "Origin": SHOP}
        async with session.post(TOKEN, json={}, headers=bearer) as response:
            assert response.status == 401


async def test_nobody_is_who_a_browser_says(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, site: Site
) -> None:
    known = await opened(call, tenant.key, user_id="ada", user_details={"email": "ada@example.com"})
    ada, _ = await contact_of(runtime, tenant, known["callId"])
    says = {"user_id": "ada", "user_details": {"email": "ada@example.com"}, "metadata": {"time_zone": "Europe/Rome"}}
    _, first, _ = await visit(url, site, **says)
    _, second, _ = await visit(url, site, **says)
    met = [await contact_of(runtime, tenant, made["callId"]) for made in (first, second)]
    assert [zone for _, zone in met] == ["Europe/Rome", "Europe/Rome"]
    assert len({ada, *(contact for contact, _ in met)}) == 3


async def test_an_address_opens_so_many_calls_a_minute(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, site: Site
) -> None:
    address = runtime.resources.hasher.hash(tenant.id, "address", f"{site.id} 127.0.0.1").hex()
    for _ in range(CALLER_PER_MINUTE - 1):
        await runtime.resources.limiter.admit_call(tenant.id, address)
    assert (await visit(url, site))[0] == 200
    status, problem, headers = await visit(url, site)
    assert (status, problem["code"], problem["limit"]) == (429, "rate_limited", "caller")
    assert headers["Access-Control-Allow-Origin"] == SHOP
    assert int(headers["Retry-After"]) <= 60
    # The others are not kept out by that.
    assert (await call(tenant.key, "POST", TOKEN, json={}))[0] == 200
