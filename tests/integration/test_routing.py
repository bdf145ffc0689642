"""Routing over HTTP: rules, dry run, what new conversations do, and what came of each variant."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from tenantry.domain.ids import new_id
from tenantry.server.runtime import Runtime
from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent, say

ROUTING = "/api/v1/routing"
GOLD = {"metadata": [{"key": "tier", "test": "equals", "value": "gold"}]}


def to(agent_id: str, version: int | None = None) -> dict[str, Any]:
    return {"agent_id": agent_id} if version is None else {"agent_id": agent_id, "version": version}


def split(name: str, **parts: tuple[int, str]) -> dict[str, Any]:
    return {
        "name": name,
        "split": {"parts": [{"variant": v, "weight": w, "to": to(agent)} for v, (w, agent) in parts.items()]},
    }


async def put_rules(call: Call, key: str, rules: dict[str, Any], revision: int = 0) -> dict[str, Any]:
    status, stored = await call(key, "PUT", ROUTING, json={"revision": revision, "rules": rules})
    assert status == 200, stored
    return stored


async def routing_of(call: Call, key: str, conversation_id: str) -> dict[str, Any]:
    _, conversation = await call(key, "GET", f"/api/v1/conversations/{conversation_id}")
    return conversation["routing"]


async def test_a_new_conversation_goes_by_every_step_in_order(call: Call, tenant: TenantForTest) -> None:
    names = ("sales", "gold", "german", "web", "default", "other")
    agents = {name: await make_agent(call, tenant.key, name) for name in names}
    rules = {
        "purposes": {"sales": to(agents["sales"])},
        "users": [{"name": "gold", "when": GOLD, "to": to(agents["gold"])}],
        "rules": [
            {"name": "german", "when": {"languages": ["de"], "tags": ["vip"]}, "to": to(agents["german"])},
            {"name": "web", "when": {"channels": ["api"]}, "to": to(agents["web"])},
        ],
        "default": to(agents["default"]),
    }
    await put_rules(call, tenant.key, rules)
    everything = {"purpose": "sales", "metadata": {"tier": "gold"}, "language": "de-AT", "tags": ["vip"]}
    for fields, name, by in (
        ({"agentId": agents["other"], **everything}, "other", "explicit"),
        (everything, "sales", "purpose"),
        ({**everything, "purpose": "unheard of"}, "gold", "user"),
        ({"language": "de-AT", "tags": ["vip", "new"]}, "german", "rule"),
        ({"language": "de-AT"}, "default", "default"),
    ):
        answer = await say(call, tenant.key, **fields)
        assert answer["agentId"] == agents[name], fields
        routed = await routing_of(call, tenant.key, answer["conversationId"])
        rule = name if by in {"user", "rule"} else None
        assert routed == {"by": by, "rule": rule, "variant": None, "purpose": fields.get("purpose")}
    status, begun = await call(tenant.key, "POST", "/api/v1/conversations", json={"metadata": {"tier": "silver"}})
    assert (status, begun["agent_id"], begun["routing"]["rule"]) == (201, agents["web"], "web")
    _, told = await call(tenant.key, "GET", f"/api/v1/turns/{answer['turnId']}/explain")
    assert (told["routing"]["by"], told["agent_id"], told["agent_version"]) == ("default", agents["default"], 1)


async def test_the_tags_of_a_contact_count_in_a_message_and_in_a_dry_run(call: Call, tenant: TenantForTest) -> None:
    agents = {name: await make_agent(call, tenant.key, name) for name in ("vip", "default")}
    rules = {
        "rules": [{"name": "vip", "when": {"tags": ["vip"]}, "to": to(agents["vip"])}],
        "default": to(agents["default"]),
    }
    await put_rules(call, tenant.key, rules)
    first = await say(call, tenant.key, "hello", leadId="ada")
    assert first["agentId"] == agents["default"]
    _, ada = await call(tenant.key, "POST", "/api/v1/contacts/find", json={"leadId": "ada"})
    assert (await call(tenant.key, "PUT", f"/api/v1/contacts/{ada['id']}/tags", json={"tags": ["vip"]}))[0] == 200
    _, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={"lead_id": "ada"})
    assert (tried["agent_id"], tried["rule"]) == (agents["vip"], "vip")
    assert (await say(call, tenant.key, "hello", leadId="ada"))["agentId"] == agents["vip"]
    assert (await say(call, tenant.key, "hello", leadId="ben"))["agentId"] == agents["default"]


async def test_a_conversation_that_goes_on_is_not_routed_again(call: Call, tenant: TenantForTest) -> None:
    one, other = [await make_agent(call, tenant.key, name) for name in ("One", "Other")]
    await put_rules(call, tenant.key, {"purposes": {"a": to(one), "b": to(other)}})
    first = await say(call, tenant.key, leadId="ada", conversationId="c", purpose="a")
    again = await say(call, tenant.key, leadId="ada", conversationId="c", purpose="b")
    assert (again["conversationId"], again["agentId"]) == (first["conversationId"], one)
    assert (await say(call, tenant.key, leadId="ada", conversationId="d", purpose="b"))["agentId"] == other


async def test_a_version_that_a_rule_names_stays_and_one_that_is_gone_is_passed_over(
    call: Call, tenant: TenantForTest
) -> None:
    agent = await make_agent(call, tenant.key, greeting="The first.")
    gone, last = [await make_agent(call, tenant.key, name) for name in ("Gone", "Last")]
    body = {"definition": {"name": "Seller", "greeting": "The second."}, "revision": 1, "publish": True}
    assert (await call(tenant.key, "PUT", f"/api/v1/agents/{agent}", json=body))[0] == 200
    rules = {"purposes": {"old": to(agent, 1), "new": to(agent), "gone": to(gone)}, "default": to(last)}
    await put_rules(call, tenant.key, rules)
    old = await say(call, tenant.key, conversationId="old", leadId="ada", purpose="old")
    assert old["reply"].startswith("The first.")
    assert (await say(call, tenant.key, purpose="new"))["reply"].startswith("The second.")
    body = {"definition": {"name": "Seller", "greeting": "The third."}, "revision": 2, "publish": True}
    assert (await call(tenant.key, "PUT", f"/api/v1/agents/{agent}", json=body))[0] == 200
    again = await say(call, tenant.key, conversationId="old", leadId="ada")
    _, told = await call(tenant.key, "GET", f"/api/v1/turns/{again['turnId']}/explain")
    assert told["agent_version"] == 1
    assert (await call(tenant.key, "DELETE", f"/api/v1/agents/{gone}"))[0] == 204
    assert (await say(call, tenant.key, purpose="gone"))["agentId"] == last
    _, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={"purpose": "gone"})
    assert (tried["agent_id"], [step["code"] for step in tried["steps"]][1]) == (last, "agent_gone")
    assert [fault["field"] for fault in tried["faults"]] == ["purposes.gone.agent_id"]


async def test_a_change_counts_for_the_next_conversation(call: Call, tenant: TenantForTest) -> None:
    one, other = [await make_agent(call, tenant.key, name) for name in ("One", "Other")]
    stored = await put_rules(call, tenant.key, {"default": to(one)})
    assert (await say(call, tenant.key))["agentId"] == one
    stored = await put_rules(call, tenant.key, {"default": to(other)}, stored["revision"])
    assert (await say(call, tenant.key))["agentId"] == other
    status, shown = await call(tenant.key, "GET", ROUTING)
    assert (status, shown["revision"], shown["rules"]["default"]["agent_id"]) == (200, 2, other)
    status, error = await call(tenant.key, "PUT", ROUTING, json={"revision": 1, "rules": {}})
    assert (status, error["code"], error["revision"]) == (409, "conflict", 2)
    status, error = await call(tenant.key, "PUT", ROUTING, json={"revision": 0, "rules": {}})
    assert (status, error["revision"]) == (409, 2)
    assert stored["revision"] == 2


async def test_of_two_who_set_the_first_rules_one_is_told(call: Call, tenant: TenantForTest) -> None:
    body = {"revision": 0, "rules": {}}
    answers = await asyncio.gather(*(call(tenant.key, "PUT", ROUTING, json=body) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409, 409]


async def test_every_fault_is_told_by_its_field(call: Call, tenant: TenantForTest) -> None:
    agent, nobody = await make_agent(call, tenant.key), str(uuid4())
    _, draft = await call(tenant.key, "POST", "/api/v1/agents", json={"definition": {"name": "Draft"}})
    rules = {
        "purposes": {"sales": to(nobody)},
        "rules": [
            split("test", a=(70, agent), b=(20, agent)),
            {"name": "test", "to": to(agent, 7)},
            {"name": "draft", "when": {"channels": ["x"]}, "to": to(draft["id"])},
        ],
    }
    status, error = await call(tenant.key, "PUT", ROUTING, json={"revision": 0, "rules": rules})
    assert status == 422
    assert {fault["field"] for fault in error["errors"]} == {
        "rules.purposes.sales.agent_id", "rules.rules.0.split.parts", "rules.rules.1.name", "rules.rules.1.to.version",
        "rules.rules.2.to.agent_id",
    }  # fmt: skip
    status, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={"rules": rules})
    assert (status, tried["agent_id"], tried["steps"], len(tried["faults"])) == (200, None, [], 5)
    assert (await call(tenant.key, "GET", ROUTING))[1]["revision"] == 0


async def test_of_another_tenant_no_agent_can_be_named(call: Call, make_tenant: MakeTenant) -> None:
    one, other = await make_tenant(), await make_tenant()
    theirs = await make_agent(call, other.key)
    status, error = await call(one.key, "PUT", ROUTING, json={"revision": 0, "rules": {"default": to(theirs)}})
    assert (status, error["errors"][0]["field"]) == (422, "rules.default.agent_id")


async def test_a_dry_run_says_what_happens_and_writes_nothing(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    night, day = [await make_agent(call, tenant.key, name) for name in ("Night", "Day")]
    hours = [{"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "09:00", "closes": "17:00"}]
    closed = {"time": {"time_zone": "Europe/Berlin", "hours": hours, "open": False}}
    rules = {
        "users": [{"name": "known", "when": {"new_user": False, **GOLD}, "to": to(day)}],
        "rules": [{"name": "night", "when": closed, "to": to(night)}, split("test", a=(50, night), b=(50, day))],
    }
    await put_rules(call, tenant.key, rules)
    saturday, monday = "2026-11-21T11:03:00Z", "2026-11-23T11:03:00Z"
    _, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={"at": saturday, "lead_id": "ada"})
    assert (tried["agent_id"], tried["version"], tried["by"], tried["rule"]) == (night, 1, "rule", "night")
    assert (tried["new_user"], tried["faults"]) == (True, [])
    assert [step["code"] for step in tried["steps"]] == ["not_asked", "not_asked", "other_user", "decided"]
    _, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={"at": monday, "lead_id": "ada"})
    assert "not now: Monday 12:03 in Europe/Berlin is within mon-fri 09:00-17:00" in tried["steps"][3]["text"]
    assert (tried["rule"], tried["variant"]) == ("test", "a" if tried["agent_id"] == night else "b")
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT count(*) FROM contacts") == 0
    # Other rules, and the contact once it is known.
    await put_rules(call, tenant.key, {"rules": [rules["rules"][1]]}, 1)
    real = await say(call, tenant.key, leadId="ada")
    assert real["agentId"] == tried["agent_id"]
    body = {"rules": rules, "lead_id": "ada", "metadata": {"tier": "gold"}, "at": saturday}
    _, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json=body)
    assert (tried["new_user"], tried["by"], tried["agent_id"]) == (False, "user", day)
    assert "gold" not in str([step["text"] for step in tried["steps"][:2]])
    status, _ = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={"agent_id": str(uuid4())})
    assert status == 404


async def test_without_rules_and_agents_the_dry_run_makes_none(call: Call, tenant: TenantForTest) -> None:
    status, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={})
    assert (status, tried["agent_id"], tried["by"]) == (200, None, "default")
    assert (await call(tenant.key, "GET", "/api/v1/agents/list"))[1]["items"] == []


async def test_contacts_split_by_the_weights_and_stay(call: Call, tenant: TenantForTest) -> None:
    one, other = [await make_agent(call, tenant.key, name) for name in ("One", "Other")]
    await put_rules(call, tenant.key, {"rules": [split("test", a=(70, one), b=(30, other))]})
    gate = asyncio.Semaphore(16)

    async def side(contact: int) -> str:
        async with gate:
            body = {"lead_id": f"lead-{contact}"}
            status, begun = await call(tenant.key, "POST", "/api/v1/conversations", json=body)
            assert status == 201, begun
            return begun["routing"]["variant"]

    first = await asyncio.gather(*map(side, range(300)))
    assert await asyncio.gather(*map(side, range(60))) == first[:60]
    # Of 300 at 70 in 100, all but one in 10,000 samples have 179 to 241.
    assert 179 <= Counter(first)["a"] <= 241
    # Who comes back by the address that they gave later is the same contact, on the same side.
    for contact in range(5):
        await say(call, tenant.key, leadId=f"lead-{contact}", leadEmail=f"lead-{contact}@example.org")
        body = {"lead_email": f"lead-{contact}@example.org"}
        _, begun = await call(tenant.key, "POST", "/api/v1/conversations", json=body)
        assert begun["routing"]["variant"] == first[contact]


async def test_rules_lead_a_members_key_to_no_agent_that_the_member_cannot_see(
    call: Call, tenant: TenantForTest
) -> None:
    jons = await make_agent(call, tenant.keys["jon"], "Jon's")
    tenants = await make_agent(call, tenant.key, "The tenant's")
    await put_rules(call, tenant.key, {"purposes": {"sales": to(jons)}, "default": to(tenants)})
    for key, agent in ((tenant.keys["mark"], tenants), (tenant.keys["jon"], jons), (tenant.key, jons)):
        assert (await say(call, key, purpose="sales"))["agentId"] == agent


@pytest.mark.parametrize("who", ["mark", "vera"])
async def test_a_member_neither_reads_nor_sets_nor_tries_the_rules(call: Call, tenant: TenantForTest, who: str) -> None:
    key = tenant.keys[who]
    for method, path, body in (
        ("GET", ROUTING, None),
        ("PUT", ROUTING, {"revision": 0, "rules": {}}),
        ("POST", f"{ROUTING}/dry-run", {}),
        ("GET", f"{ROUTING}/results?rule=test", None),
    ):
        assert (await call(key, method, path, json=body))[0] == 403, path
    assert (await call(tenant.keys["olga"], "GET", ROUTING))[0] == 200


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"metadata": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, "metadata"),
        ({"metadata": {"a": "x" * 9000}}, "metadata"),
        ({"metadata": {"a": 2**70}}, "metadata"),
        ({"metadata": {"a\0": 1}}, "metadata"),
        ({"metadata": ["a"]}, "metadata"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"tags": ["a\nb"]}, "tags.0"),
        ({"purpose": "x" * 65}, "purpose"),
        ({"language": "a\0"}, "language"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_routing_cannot_look_at_is_refused(
    call: Call, tenant: TenantForTest, fields: dict[str, Any], field: str
) -> None:
    status, error = await call(tenant.key, "POST", "/api/agent/reply", json={"message": "hello", **fields})
    assert (status, error["errors"][0]["field"]) == (422, field)


async def test_another_purpose_is_another_request(call: Call, tenant: TenantForTest) -> None:
    first = await say(call, tenant.key, idempotencyKey="k", purpose="a", metadata={"x": 1, "y": 2})
    again = await say(call, tenant.key, idempotencyKey="k", purpose="a", metadata={"y": 2, "x": 1})
    assert again["turnId"] == first["turnId"]
    body = {"message": "hello", "idempotencyKey": "k", "purpose": "b", "metadata": {"x": 1, "y": 2}}
    assert (await call(tenant.key, "POST", "/api/agent/reply", json=body))[0] == 422


async def test_the_results_count_each_conversation_where_it_belongs(
    call: Call, tenant: TenantForTest, runtime: Runtime
) -> None:
    email = [{"name": "email", "type": "email"}]
    fields = [{"name": "escalation_needed", "type": "yes_no"}]
    one = await make_agent(call, tenant.key, "One", variables=email, turn_fields=fields)
    other = await make_agent(call, tenant.key, "Other", variables=email)
    await put_rules(call, tenant.key, {"rules": [split("test", a=(50, one), b=(50, other))]})
    sides: dict[str, list[str]] = {"a": [], "b": []}
    for contact in range(200):
        lead = f"lead-{contact}"
        _, tried = await call(tenant.key, "POST", f"{ROUTING}/dry-run", json={"lead_id": lead})
        sides[tried["variant"]].append(lead)
        if min(map(len, sides.values())) >= 4:
            break
    for lead in sides["a"][:4]:
        await say(call, tenant.key, leadId=lead, conversationId="c")
    await say(call, tenant.key, "ada@example.org", leadId=sides["a"][0], conversationId="c")
    await say(call, tenant.key, "yes", leadId=sides["a"][0], conversationId="c")
    await say(call, tenant.key, "I want to speak to a person", leadId=sides["a"][1], conversationId="c")
    for lead in sides["b"][:2]:
        await say(call, tenant.key, leadId=lead, conversationId="c")
    await say(call, tenant.key, leadId=sides["b"][0], agentId=other)
    async with runtime.db.tenant(tenant.id) as tx:
        # An appointment of one conversation, and a cancelled one of another.
        calendar = new_id()
        await tx.execute("INSERT INTO calendars (tenant_id, id) VALUES ($1, $2)", tenant.id, calendar)
        query = (
            "INSERT INTO bookings (tenant_id, id, calendar_id, agent_id, contact_id, conversation_id, effect_key, "
            "status, starts_at, ends_at, blocked, time_zone, title) "
            "SELECT tenant_id, $2, $3, agent_id, contact_id, id, "
            "$6, $4, now(), now() + interval '1 h', tstzrange(now(), now() + interval '1 h'), 'UTC', 'Visit' "
            "FROM conversations WHERE tenant_id = $1 AND routing ->> 'variant' = 'b' ORDER BY id LIMIT 1 OFFSET $5"
        )
        for place, status in enumerate(("confirmed", "cancelled")):
            await tx.execute(query, tenant.id, new_id(), calendar, status, place, status)
    status, told = await call(tenant.key, "GET", f"{ROUTING}/results", params={"rule": "test"})
    assert status == 200
    counts = {
        each["variant"]: (
            each["conversations"],
            *(each[what]["count"] for what in ("completed", "booked", "escalated")),
        )
        for each in told["variants"]
    }
    assert counts == {"a": (4, 1, 0, 1), "b": (2, 1, 1, 0)}
    [compared] = told["differences"]
    assert (compared["variant"], compared["to"], compared["booked"]["estimate"]) == ("b", "a", 0.5)
    assert compared["booked"]["low"] < 0.5 < compared["booked"]["high"]
    params = {"rule": "test", "since": "2100-01-01T00:00:00Z"}
    _, told = await call(tenant.key, "GET", f"{ROUTING}/results", params=params)
    assert [(each["variant"], each["conversations"], each["booked"]["rate"]) for each in told["variants"]] == [
        ("a", 0, None),
        ("b", 0, None),
    ]
    _, told = await call(tenant.key, "GET", f"{ROUTING}/results", params={"rule": "none such"})
    assert told == {"rule": "none such", "variants": [], "differences": []}


async def test_who_changed_the_rules_is_audited(call: Call, tenant: TenantForTest, database: Database) -> None:
    await put_rules(call, tenant.keys["olga"], {})
    async with database.tenant(tenant.id) as tx:
        rows = await tx.rows("SELECT actor, target FROM audit_log WHERE action = 'routing.changed'")
    assert [tuple(row.values()) for row in rows] == [(f"member:{tenant.members['olga']}", f"tenant:{tenant.id}")]
