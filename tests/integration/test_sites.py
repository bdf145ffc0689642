"""Sites over REST: who makes them, and what is an origin."""

from typing import Any
from uuid import UUID

import pytest

from tenantry.auth.site_keys import tenant_of_site
from tenantry.client import TenantryClient
from tenantry.domain.ids import new_id
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import sites
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent

PATH = "/api/v1/sites"
SHOP: dict[str, Any] = {"name": "Shop", "origins": ["https://www.example.com"]}


async def test_a_site_is_made_changed_and_removed(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest
) -> None:
    agent_id = await make_agent(call, tenant.keys["mark"])
    async with TenantryClient.open(url, tenant.keys["olga"]) as client:
        made = await client.sites.create("Shop", ["https://WWW.example.com:443", "https://www.example.com"])
        assert (made.name, made.origins, made.agent_ids) == ("Shop", ("https://www.example.com",), ())
        assert tenant_of_site(made.public_key) == tenant.id
        origins = ["https://example.com", "http://localhost:3000"]
        changed = await client.sites.change(made.id, "Shop 2", origins, agent_ids=[UUID(agent_id), UUID(agent_id)])
        assert (changed.name, changed.origins) == ("Shop 2", tuple(origins))
        assert [str(each) for each in changed.agent_ids] == [agent_id]
        assert (changed.id, changed.public_key) == (made.id, made.public_key)
        second = await client.sites.create("Other", origins)
        assert second.public_key != made.public_key
        assert await client.sites.list() == (second, changed)
        await client.sites.remove(made.id)
        assert await client.sites.list() == (second,)
    async with runtime.db.tenant(tenant.id) as tx:
        assert await sites.find(tx, made.public_key) is None
    assert (await call(tenant.key, "DELETE", f"{PATH}/{made.id}"))[0] == 404
    assert (await call(tenant.key, "PUT", f"{PATH}/{made.id}", json=SHOP))[0] == 404
    _, log = await call(tenant.key, "GET", "/api/v1/audit")
    assert [each["action"] for each in log["items"] if each["target"] == f"site:{made.id}"] == [
        "site.removed",
        "site.changed",
        "site.created",
    ]


async def test_sites_are_the_whole_tenants(call: Call, make_tenant: MakeTenant) -> None:
    tenant, other = await make_tenant(), await make_tenant()
    _, site = await call(tenant.key, "POST", PATH, json=SHOP)
    for who in ("mark", "vera"):
        for method, path, body in (
            ("GET", PATH, None),
            ("POST", PATH, SHOP),
            ("PUT", f"{PATH}/{site['id']}", SHOP),
            ("DELETE", f"{PATH}/{site['id']}", None),
        ):
            assert (await call(tenant.keys[who], method, path, json=body))[0] == 403
    assert (await call(other.key, "GET", PATH)) == (200, {"items": []})
    assert (await call(other.key, "PUT", f"{PATH}/{site['id']}", json=SHOP))[0] == 404
    assert (await call(other.key, "DELETE", f"{PATH}/{site['id']}"))[0] == 404
    assert (await call(tenant.key, "GET", PATH)) == (200, {"items": [site]})


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"origins": []}, ["origins"]),
        ({"origins": ["https://a.example/path", "https://b.example", "http://c.example"]}, ["origins.0", "origins.2"]),
        ({"origins": ["*"]}, ["origins.0"]),
        ({"name": ""}, ["name"]),
        ({"agent_ids": [str(new_id())]}, ["agent_ids.0"]),
        ({"public_key": "tns_mine"}, ["public_key"]),
    ],
)
async def test_what_is_wrong_is_named(
    call: Call, tenant: TenantForTest, changes: dict[str, Any], fields: list[str]
) -> None:
    status, error = await call(tenant.key, "POST", PATH, json={**SHOP, **changes})
    assert (status, error["code"]) == (422, "invalid_input")
    assert [fault["field"] for fault in error["errors"]] == fields


async def test_another_tenants_agent_is_none_of_ours(call: Call, make_tenant: MakeTenant) -> None:
    tenant, other = await make_tenant(), await make_tenant()
    theirs = await make_agent(call, other.key)
    status, error = await call(tenant.key, "POST", PATH, json={**SHOP, "agent_ids": [theirs]})
    assert (status, error["errors"][0]["field"]) == (422, "agent_ids.0")
