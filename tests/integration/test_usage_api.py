"""`/api/v1/usage`: turns over HTTP are counted, sums by every key, whose usage is seen, paging."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tenantry.domain.conversation import Usage
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import usage
from tenantry.storage.repositories.usage import UsageRow
from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call

USAGE = "/api/v1/usage"
OCTOBER = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}


async def _agent(call: Call, key: str, name: str) -> str:
    _, agent = await call(key, "POST", "/api/v1/agents", json={"definition": {"name": name}, "publish": True})
    return agent["id"]


@dataclass(frozen=True)
class Spent:
    """A tenant with usage in October, and its agents' ids by name."""

    tenant: TenantForTest
    agents: dict[str, str]
    turns: list[str]


@pytest.fixture
async def spent(call: Call, tenant: TenantForTest, database: Database) -> AsyncIterator[Spent]:
    """Six turns: three of mark's agent, two of jon's, one of the tenant's own."""
    agents = {name: await _agent(call, tenant.keys[name], f"Agent of {name}") for name in ("mark", "jon")}
    agents["tenant"] = await _agent(call, tenant.key, "Agent of all")
    turns: list[str] = []
    rows: list[UsageRow] = []

    def row(name: str, turn_id: UUID, model: str, day: int, channel: str, used: Usage) -> UsageRow:
        owner, at = tenant.members.get(name), datetime(2026, 10, day, 23, 30, tzinfo=UTC)
        return UsageRow(turn_id, model, UUID(agents[name]), owner, new_id(), channel, used, at)

    for name, day, channel in (
        ("mark", 3, "http"), ("mark", 3, "http"), ("mark", 4, "voice"),
        ("jon", 4, "http"), ("jon", 5, "email"), ("tenant", 5, "http"),
    ):  # fmt: skip
        turn_id = new_id()
        turns.append(str(turn_id))
        rows.append(row(name, turn_id, "big", day, channel, Usage(1_000, 100, 500, 1_500)))
    # The first turn's model fell back to the form policy.
    rows.append(row("mark", UUID(turns[0]), "form-policy", 3, "http", Usage()))
    async with database.tenant(tenant.id) as tx:
        await usage.insert(tx, rows)
    yield Spent(tenant, agents, turns)


async def _keys(call: Call, key: str, group_by: str, **params: str) -> dict[str | None, int]:
    status, page = await call(key, "GET", USAGE, params={"group_by": group_by, **OCTOBER, **params})
    assert status == 200, page
    assert page["next_cursor"] is None
    return {item["key"]: item["turns"] for item in page["items"]}


async def test_usage_is_summed_by_every_key(call: Call, spent: Spent) -> None:
    key, members = spent.tenant.key, spent.tenant.members
    assert await _keys(call, key, "day") == {"2026-10-05": 2, "2026-10-04": 2, "2026-10-03": 2}
    by_agent = {spent.agents[name]: turns for name, turns in (("mark", 3), ("jon", 2), ("tenant", 1))}
    assert await _keys(call, key, "agent") == by_agent
    assert await _keys(call, key, "member") == {str(members["mark"]): 3, str(members["jon"]): 2, None: 1}
    assert await _keys(call, key, "model") == {"big": 6, "form-policy": 1}
    assert await _keys(call, key, "channel") == {"email": 1, "http": 4, "voice": 1}
    assert await _keys(call, key, "turn") == dict.fromkeys(spent.turns, 1)


async def test_the_total_and_the_numbers_of_an_item(call: Call, spent: Spent) -> None:
    _, page = await call(spent.tenant.key, "GET", USAGE, params={"group_by": "agent", **OCTOBER})
    total = page["total"]
    assert (total["turns"], total["input_tokens"], total["output_tokens"]) == (6, 6_000, 600)
    assert (total["cached_tokens"], total["cost_micros"], total["cost"]) == (3_000, 9_000, "0.009000")
    item = next(item for item in page["items"] if item["key"] == spent.agents["mark"])
    assert (item["name"], item["turns"], item["cost"]) == ("Agent of mark", 3, "0.004500")
    _, page = await call(spent.tenant.key, "GET", USAGE, params={"group_by": "member", **OCTOBER})
    assert [item["name"] for item in page["items"]].count("mark") == 1


async def test_a_member_sees_what_their_own_agents_used_and_no_other_tenant_anything(
    call: Call, spent: Spent, make_tenant: MakeTenant
) -> None:
    keys, members = spent.tenant.keys, spent.tenant.members
    for name, turns in (("mark", 3), ("jon", 2)):
        assert await _keys(call, keys[name], "member") == {str(members[name]): turns}
        assert await _keys(call, keys[name], "agent") == {spent.agents[name]: turns}
        _, page = await call(keys[name], "GET", USAGE, params=OCTOBER)
        assert page["total"]["turns"] == turns
    assert await _keys(call, keys["vera"], "turn") == {}
    assert len(await _keys(call, keys["olga"], "turn")) == 6
    assert await _keys(call, (await make_tenant()).key, "turn") == {}


async def test_days_are_those_of_the_tenants_zone(call: Call, spent: Spent, database: Database) -> None:
    async with database.operator() as tx:
        await tx.execute("UPDATE tenants SET time_zone = 'Europe/Berlin' WHERE id = $1", spent.tenant.id)
    assert list(await _keys(call, spent.tenant.key, "day")) == ["2026-10-06", "2026-10-05", "2026-10-04"]


@pytest.mark.parametrize(("group_by", "count"), [("turn", 6), ("member", 3), ("day", 3)])
async def test_pages_join_without_gap_or_repetition(call: Call, spent: Spent, group_by: str, count: int) -> None:
    params = {"group_by": group_by, "limit": "1", **OCTOBER}
    seen: list[Any] = []
    while True:
        _, page = await call(spent.tenant.key, "GET", USAGE, params=params)
        assert (page["total"] is None) == ("cursor" in params)
        seen += [item["key"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == count
    assert set(seen) == set(await _keys(call, spent.tenant.key, group_by))


async def test_a_period_has_its_begin_and_not_its_end(call: Call, spent: Spent) -> None:
    edges = {"from": "2026-10-03T23:30:00Z", "to": "2026-10-04T23:30:00Z"}
    assert await _keys(call, spent.tenant.key, "day", **edges) == {"2026-10-03": 2}


async def test_every_turn_over_http_is_counted_once_and_outlives_its_conversation(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    body = {"message": "hello", "leadId": "ada", "conversationId": "c", "idempotencyKey": "once"}
    for _ in range(3):
        status, answer = await call(tenant.key, "POST", "/api/agent/reply", json=body)
        assert status == 200
    async with database.tenant(tenant.id) as tx:
        await tx.execute("DELETE FROM conversations WHERE id = $1", UUID(answer["conversationId"]))
    _, page = await call(tenant.key, "GET", USAGE, params={"group_by": "model"})
    assert [(item["key"], item["turns"], item["cost"]) for item in page["items"]] == [("form-policy", 1, "0.000000")]
    _, page = await call(tenant.key, "GET", USAGE, params={"group_by": "turn"})
    assert [item["key"] for item in page["items"]] == [answer["turnId"]]


async def test_what_was_used_cannot_be_rewritten(tenant: TenantForTest, database: Database, spent: Spent) -> None:
    for statement in ("UPDATE usage SET cost_micros = 0", "DELETE FROM usage"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.tenant(tenant.id) as tx:
                await tx.execute(statement)


@pytest.mark.parametrize(
    "params",
    [
        {"group_by": "moon"},
        {"from": "yesterday"},
        {"from": "2026-11-01T00:00:00Z", "to": "2026-10-01T00:00:00Z"},
        {"cursor": "???"},
        {"cursor": "eHg="},
        {"limit": "0"},
    ],
)
async def test_bad_parameters_are_told(call: Call, tenant: TenantForTest, params: dict[str, str]) -> None:
    status, error = await call(tenant.key, "GET", USAGE, params=params)
    assert (status, error["code"]) == (422, "invalid_input")
    assert error["errors"][0]["field"] == next(iter(params))
