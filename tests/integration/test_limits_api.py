"""`/api/v1/limits`: who sees and who sets limits, and that nobody raises what the operator grants."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tenantry.domain.limits import LimitValues
from tenantry.storage.repositories import limits, tenants
from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call

LIMITS = "/api/v1/limits"
NOTHING = dict.fromkeys(
    ("contact_per_minute", "member_per_minute", "tenant_per_minute", "monthly_tokens", "monthly_cost_micros")
)


async def _grant(database: Database, tenant: TenantForTest, **values: int) -> None:
    async with database.operator(tenant.id) as tx:
        await limits.grant(tx, LimitValues(**values))


async def test_a_tenant_lowers_and_takes_back_and_the_smaller_counts(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    _, shown = await call(tenant.key, "GET", LIMITS)
    assert shown == {"effective": NOTHING, "granted": NOTHING, "own": NOTHING, "member_budgets": []}
    await _grant(database, tenant, contact_per_minute=60, monthly_tokens=1_000_000)
    own = {"contact_per_minute": 5, "monthly_cost_micros": 10_000_000}
    status, shown = await call(tenant.keys["olga"], "PUT", LIMITS, json={"own": own})
    assert (status, shown["own"]) == (200, NOTHING | own)
    assert shown["effective"] == NOTHING | own | {"monthly_tokens": 1_000_000}
    await _grant(database, tenant, contact_per_minute=3)
    _, shown = await call(tenant.key, "GET", LIMITS)
    assert shown["effective"] == NOTHING | {"contact_per_minute": 3, "monthly_cost_micros": 10_000_000}
    async with database.tenant(tenant.id) as tx:
        counts = (await tenants.current(tx)).limits
    assert (counts.rates.contact_per_minute, counts.own_rates.contact_per_minute) == (3, 5)
    assert (counts.budget.monthly_tokens, counts.budget.monthly_cost_micros) == (None, 10_000_000)
    _, shown = await call(tenant.key, "PUT", LIMITS, json={"own": {}})
    assert shown["own"] == NOTHING


async def test_what_the_operator_grants_is_not_raised_by_the_api_nor_in_the_database(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    await _grant(database, tenant, contact_per_minute=60, monthly_tokens=1_000)
    body = {"own": {"contact_per_minute": 61, "monthly_tokens": 1_001, "tenant_per_minute": 5}}
    status, error = await call(tenant.key, "PUT", LIMITS, json=body)
    assert (status, error["code"]) == (422, "invalid_input")
    assert [fault["field"] for fault in error["errors"]] == ["own.contact_per_minute", "own.monthly_tokens"]
    _, shown = await call(tenant.key, "GET", LIMITS)
    assert shown["own"] == NOTHING
    for statement in (
        "UPDATE tenant_limits SET monthly_tokens = NULL",
        "DELETE FROM tenant_limits",
        "INSERT INTO tenant_limits (tenant_id, monthly_tokens) SELECT tenant_id, 1 FROM tenant_limits",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.tenant(tenant.id) as tx:
                await tx.execute(statement)


async def test_a_member_sees_the_tenants_limits_and_their_own_budget_only(call: Call, tenant: TenantForTest) -> None:
    budgets = [
        {"member_id": str(tenant.members[name]), "monthly_tokens": count, "monthly_cost_micros": None}
        for name, count in (("mark", 1_000), ("jon", 2_000))
    ]
    status, shown = await call(tenant.key, "PUT", LIMITS, json={"member_budgets": budgets})
    assert (status, shown["member_budgets"]) == (200, budgets)
    for name, seen in (("mark", budgets[:1]), ("jon", budgets[1:]), ("vera", []), ("olga", budgets)):
        _, shown = await call(tenant.keys[name], "GET", LIMITS)
        assert shown["member_budgets"] == seen
    gone = {"member_id": budgets[0]["member_id"]}
    _, shown = await call(tenant.keys["olga"], "PUT", LIMITS, json={"member_budgets": [gone]})
    assert shown["member_budgets"] == budgets[1:]


async def test_only_who_acts_for_the_tenant_may_change_limits(call: Call, tenant: TenantForTest) -> None:
    body: dict[str, Any] = {"member_budgets": [{"member_id": str(tenant.members["mark"]), "monthly_tokens": 1}]}
    for name in ("mark", "jon", "vera"):
        for change in (body, {"own": {"tenant_per_minute": 1}}):
            status, error = await call(tenant.keys[name], "PUT", LIMITS, json=change)
            assert (status, error["code"]) == (403, "forbidden")
    _, shown = await call(tenant.key, "GET", LIMITS)
    assert (shown["own"], shown["member_budgets"]) == (NOTHING, [])


async def test_a_budget_for_who_is_no_member_changes_nothing(
    call: Call, tenant: TenantForTest, make_tenant: MakeTenant
) -> None:
    other = await make_tenant()
    for stranger in (uuid4(), other.members["mark"]):
        body = {
            "own": {"tenant_per_minute": 1},
            "member_budgets": [
                {"member_id": str(tenant.members["mark"]), "monthly_tokens": 1},
                {"member_id": str(stranger), "monthly_tokens": 1},
            ],
        }
        status, error = await call(tenant.key, "PUT", LIMITS, json=body)
        assert (status, error["errors"][0]["field"]) == (422, "member_budgets.1.member_id")
    for key in (tenant.key, other.key):
        _, shown = await call(key, "GET", LIMITS)
        assert (shown["own"], shown["member_budgets"]) == (NOTHING, [])


@pytest.mark.parametrize(
    "body",
    [
        {"own": {"contact_per_minute": 0}},
        {"own": {"monthly_tokens": -1}},
        {"own": {"monthly_tokens": 10**16}},
        {"own": {"surprise": 1}},
        {"member_budgets": [{"monthly_tokens": 1}]},
        {"granted": {}},
    ],
)
async def test_bad_limits_are_told(call: Call, tenant: TenantForTest, body: dict[str, Any]) -> None:
    status, error = await call(tenant.key, "PUT", LIMITS, json=body)
    assert (status, error["code"]) == (422, "invalid_input")


async def test_every_change_is_in_the_audit_log(call: Call, tenant: TenantForTest, database: Database) -> None:
    body = {
        "own": {"tenant_per_minute": 9},
        "member_budgets": [{"member_id": str(tenant.members["mark"]), "monthly_tokens": 7}],
    }
    await call(tenant.key, "PUT", LIMITS, json=body)
    async with database.tenant(tenant.id) as tx:
        rows = await tx.rows("SELECT action, target FROM audit_log ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("limits.lowered", f"tenant:{tenant.id}"),
        ("member.budget_set", f"member:{tenant.members['mark']}"),
    ]
