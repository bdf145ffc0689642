"""Secrets: whose they are, who sets them, what calls of an owner are sent with."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import tenants
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call

PATH = "/api/v1/secrets"


async def put(call: Call, key: str, name: str, value: str, **params: str) -> dict[str, Any]:
    status, secret = await call(key, "PUT", f"{PATH}/{name}", json={"value": value}, params=params)
    assert status == 200, secret
    assert value not in str(secret)
    return secret


async def test_the_owners_own_comes_before_the_tenants(runtime: Runtime, call: Call, tenant: TenantForTest) -> None:
    mark, jon = tenant.members["mark"], tenant.members["jon"]
    await put(call, tenant.keys["olga"], "crm", "the-tenants")
    first = await put(call, tenant.keys["mark"], "crm", "marks-own")
    store = runtime.resources.secrets
    for owner, value in ((mark, "marks-own"), (jon, "the-tenants"), (None, "the-tenants")):
        assert await store.of(tenant.id, owner).reveal("crm") == value
    again = await put(call, tenant.keys["mark"], "crm", "marks-new")
    assert again["id"] == first["id"]
    assert await store.of(tenant.id, mark).reveal("crm") == "marks-new"
    assert (await call(tenant.keys["mark"], "DELETE", f"{PATH}/crm"))[0] == 204
    assert await store.of(tenant.id, mark).reveal("crm") == "the-tenants"
    assert await store.of(tenant.id, mark).reveal("other") is None


async def test_a_member_sees_own_names_and_the_tenants(call: Call, tenant: TenantForTest) -> None:
    await put(call, tenant.key, "shared", "x")
    await put(call, tenant.keys["mark"], "marks", "x")
    await put(call, tenant.key, "jons", "x", owner_member_id=str(tenant.members["jon"]))
    for who, names in (("mark", {"marks", "shared"}), ("jon", {"jons", "shared"}), ("vera", {"shared"})):
        _, page = await call(tenant.keys[who], "GET", PATH)
        assert {item["name"] for item in page["items"]} == names
    _, first = await call(tenant.keys["olga"], "GET", PATH, params={"limit": "2"})
    _, rest = await call(tenant.keys["olga"], "GET", PATH, params={"limit": "2", "cursor": first["next_cursor"]})
    assert [item["name"] for item in (*first["items"], *rest["items"])] == ["jons", "marks", "shared"]
    assert set(rest["items"][0]) == {"id", "name", "owner_member_id", "created_at", "updated_at"}


async def test_nobody_sets_anothers(runtime: Runtime, call: Call, make_tenant: MakeTenant) -> None:
    one, two = await make_tenant(), await make_tenant()
    await put(call, one.keys["mark"], "crm", "marks-own")
    marks = {"owner_member_id": str(one.members["mark"])}
    for key, put_status, delete_status in (
        (one.keys["jon"], 403, 403),
        (one.keys["vera"], 403, 403),
        (two.keys["mark"], 403, 403),
        (two.keys["olga"], 422, 404),
        (two.key, 422, 404),
    ):
        status, _ = await call(key, "PUT", f"{PATH}/crm", json={"value": "stolen"}, params=marks)
        assert status == put_status
        assert (await call(key, "DELETE", f"{PATH}/crm", params=marks))[0] == delete_status
    assert await runtime.resources.secrets.of(one.id, one.members["mark"]).reveal("crm") == "marks-own"
    assert await runtime.resources.secrets.of(two.id, one.members["mark"]).reveal("crm") is None


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("a b", {"value": "x"}, "name"),
        (".a", {"value": "x"}, "name"),
        ("a" * 65, {"value": "x"}, "name"),
        ("a", {"value": ""}, "value"),
        ("a", {"value": "x\r\ny"}, "value"),
        ("a", {"value": "x" * 8193}, "value"),
        ("a", {}, "value"),
        ("a", {"value": "x", "more": 1}, "more"),
    ],
)
async def test_what_is_wrong_is_named(
    call: Call, tenant: TenantForTest, name: str, body: dict[str, Any], field: str
) -> None:
    status, error = await call(tenant.key, "PUT", f"{PATH}/{name}", json=body)
    assert (status, error["code"], error["errors"][0]["field"]) == (422, "invalid_input", field)


async def test_a_sealed_value_in_another_row_is_not_opened(runtime: Runtime, call: Call, tenant: TenantForTest) -> None:
    await put(call, tenant.keys["mark"], "crm", "marks-own")
    await put(call, tenant.keys["jon"], "crm", "jons-own")
    async with runtime.db.tenant(tenant.id) as tx:
        await tx.execute(
            "UPDATE secrets s SET sealed = o.sealed FROM secrets o WHERE s.tenant_id = $1 AND o.tenant_id = $1 "
            "AND s.owner_member_id = $2 AND o.owner_member_id = $3",
            tenant.id,
            tenant.members["jon"],
            tenant.members["mark"],
        )
    with capture_logs() as logs:
        assert await runtime.resources.secrets.of(tenant.id, tenant.members["jon"]).reveal("crm") is None
    assert [entry["event"] for entry in logs] == ["sealed value unreadable"]


async def test_each_change_raises_the_stamp_and_a_refused_one_does_not(
    runtime: Runtime, call: Call, tenant: TenantForTest
) -> None:
    async def stamp() -> int:
        async with runtime.db.tenant(tenant.id) as tx:
            return (await tenants.current(tx)).settings_stamp

    before = await stamp()
    await put(call, tenant.key, "crm", "x")
    assert await stamp() == before + 1
    await call(tenant.key, "DELETE", f"{PATH}/crm")
    assert await stamp() == before + 2
    assert (await call(tenant.key, "DELETE", f"{PATH}/crm"))[0] == 404
    assert await stamp() == before + 2
