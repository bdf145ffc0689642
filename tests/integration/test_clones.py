"""Clones: where they come from, and how they take what is new there."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tenantry.agent_files.built_in_types import built_in_types
from tenantry.api.agents import clone_updates
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.errors import DatabaseUnavailable
from tenantry.domain.ids import new_id
from tenantry.domain.origin import Origin
from tenantry.storage.repositories import agent_origins, agent_versions
from tenantry.storage.tenancy import Database
from tests.acceptance.commands import run
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import definition, make

PATH = "/api/v1/agents"


async def template(call: Call, tenant: TenantForTest, **fields: Any) -> dict[str, Any]:
    """A published template of the tenant."""
    made = await make(call, tenant.key, "Seller", tags=["seller"])
    await change(call, tenant.key, made, **{"personality": "Kind.", "greeting": "Hello.", **fields})
    status, marked = await call(tenant.key, "PUT", f"{PATH}/{made['id']}/template", json={"is_template": True})
    assert (status, marked["is_template"]) == (200, True)
    return marked


async def change(call: Call, key: str, agent: dict[str, Any], *, publish: bool = True, **fields: Any) -> dict[str, Any]:
    _, now = await call(key, "GET", f"{PATH}/{agent['id']}")
    body = {"definition": {**now["definition"], **fields}, "revision": now["revision"], "publish": publish}
    status, changed = await call(key, "PUT", f"{PATH}/{agent['id']}", json=body)
    assert status == 200, changed
    return changed


async def clone(call: Call, key: str, source: dict[str, Any], **body: Any) -> dict[str, Any]:
    status, made = await call(key, "POST", f"{PATH}/{source['id']}/clones", json={"publish": True, **body})
    assert status == 201, made
    return made


async def update(call: Call, key: str, source: dict[str, Any], **body: Any) -> dict[str, Any]:
    status, answer = await call(key, "POST", f"{PATH}/{source['id']}/clones/update", json=body)
    assert status == 200, answer
    return answer


async def answering(call: Call, key: str, agent: dict[str, Any]) -> dict[str, Any]:
    _, now = await call(key, "GET", f"{PATH}/{agent['id']}")
    _, version = await call(key, "GET", f"{PATH}/{agent['id']}/versions/{now['published']}")
    return version


async def test_a_clone_is_its_makers_and_says_where_it_comes_from(call: Call, tenant: TenantForTest) -> None:
    source, mark = await template(call, tenant), tenant.keys["mark"]
    _, offered = await call(mark, "GET", "/api/v1/templates")
    assert [item["id"] for item in offered["items"]] == [source["id"]]
    made = await clone(call, mark, source, name="Mark's seller")
    assert (made["owner_member_id"], made["status"], made["tags"]) == (
        str(tenant.members["mark"]),
        "published",
        ["seller"],
    )
    assert not made["is_template"]
    await change(call, mark, made, personality="Patient.")
    await change(call, tenant.key, source, greeting="Good day.")
    _, origin = await call(mark, "GET", f"{PATH}/{made['id']}/origin")
    assert origin["source"] == {"agent_id": source["id"], "built_in": None, "name": "Seller"}
    assert (origin["state"], origin["version"], origin["newest_version"]) == ("behind", 2, 3)
    assert [each["path"] for each in origin["own_changes"]] == ["name", "personality"]
    assert [each["path"] for each in origin["incoming"]] == ["greeting"]
    assert origin["conflicts"] == []
    assert (await call(tenant.keys["jon"], "GET", f"{PATH}/{made['id']}/origin"))[0] == 404
    assert (await call(mark, "GET", f"{PATH}/{source['id']}/origin"))[0] == 404


async def test_one_clone_takes_what_is_new_and_says_which_conflicts_there_are(
    call: Call, tenant: TenantForTest
) -> None:
    source, mark = await template(call, tenant), tenant.keys["mark"]
    made = await clone(call, mark, source)
    await change(call, mark, made, personality="Patient.", tonality="Calm.")
    await change(call, tenant.key, source, personality="Brisk.", greeting="Good day.")
    path = f"{PATH}/{made['id']}/origin/update"
    _, would = await call(mark, "POST", path, json={"dry_run": True})
    conflict = {"path": "personality", "base": "Kind.", "mine": "Patient.", "theirs": "Brisk."}
    assert ([each["path"] for each in would["taken"]], would["conflicts"]) == (["greeting"], [conflict])
    _, before = await call(mark, "GET", f"{PATH}/{made['id']}/origin")
    assert before["state"] == "behind"
    _, did = await call(mark, "POST", path, json={"take": ["personality"], "note": "Asked for."})
    assert (did["changed"], did["published"], did["conflicts"]) == (True, 3, [])
    version = await answering(call, mark, made)
    shown = {name: version["definition"][name] for name in ("personality", "tonality", "greeting")}
    assert shown == {"personality": "Brisk.", "tonality": "Calm.", "greeting": "Good day."}
    assert version["note"] == f"Takes version 3 of 'Seller' ({source['id']}). Asked for."
    _, again = await call(mark, "POST", path, json={})
    assert (again["changed"], again["published"], again["revision"]) == (False, 3, did["revision"])
    assert (await call(tenant.keys["jon"], "POST", path, json={}))[0] == 404


async def test_drafts_that_are_not_ready_do_not_go_out_with_an_update(call: Call, tenant: TenantForTest) -> None:
    source, mark = await template(call, tenant), tenant.keys["mark"]
    made = await clone(call, mark, source)
    await change(call, mark, made, publish=False, personality="Not ready.")
    never = await clone(call, mark, source, publish=False)
    await change(call, tenant.key, source, greeting="Good day.")
    answer = await update(call, tenant.key, source)
    assert answer["counts"] == {"updated": 2, "unchanged": 0, "conflicts": 0, "failed": 0}
    version = await answering(call, mark, made)
    assert (version["definition"]["personality"], version["definition"]["greeting"]) == ("Kind.", "Good day.")
    _, now = await call(mark, "GET", f"{PATH}/{made['id']}")
    assert (now["status"], now["definition"]["personality"], now["definition"]["greeting"]) == (
        "changed",
        "Not ready.",
        "Good day.",
    )
    _, draft = await call(mark, "GET", f"{PATH}/{never['id']}")
    assert (draft["status"], draft["definition"]["greeting"]) == ("draft", "Good day.")
    await change(call, tenant.key, source, greeting="Hi.")
    await update(call, tenant.key, source, publish=False)
    assert (await answering(call, mark, made))["definition"]["greeting"] == "Good day."


async def test_members_update_what_they_may_change_alone(call: Call, tenant: TenantForTest) -> None:
    source, mark, jon = await template(call, tenant), tenant.keys["mark"], tenant.keys["jon"]
    marks, jons, shared = (
        await clone(call, mark, source),
        await clone(call, jon, source),
        await clone(call, jon, source),
    )
    for agent, permission in ((jons, "use"), (shared, "edit")):
        share = f"{PATH}/{agent['id']}/shares/{tenant.members['mark']}"
        assert (await call(jon, "PUT", share, json={"permission": permission}))[0] == 200
    await change(call, tenant.key, source, greeting="Good day.")
    answer = await update(call, mark, source)
    assert {item["agent_id"] for item in answer["items"]} == {marks["id"], shared["id"]}
    assert (await answering(call, jon, jons))["definition"]["greeting"] == "Hello."
    assert (await call(jon, "POST", f"{PATH}/{marks['id']}/clones/update", json={}))[0] == 404
    assert (await call(jon, "POST", f"{PATH}/{marks['id']}/clones", json={}))[0] == 404


async def test_what_cannot_be_taken_fails_alone(call: Call, tenant: TenantForTest, database: Database) -> None:
    source = await make(call, tenant.key)
    made = await clone(call, tenant.key, source)
    # A model that the tenant may not use any more.
    gone = AgentDefinition(name="Seller", model="gone/model", greeting="Good day.")
    async with database.tenant(tenant.id) as tx:
        agent = await agent_versions.agents.get(tx, UUID(source["id"]), sees_only=None)
        assert agent is not None
        await agent_versions.publish(tx, agent, gone, by="operator:test")
    answer = await update(call, tenant.key, source)
    assert answer["counts"]["failed"] == 1
    assert answer["items"][0]["errors"][0]["field"] == "model"
    _, now = await call(tenant.key, "GET", f"{PATH}/{made['id']}")
    assert (now["revision"], now["definition"]["greeting"]) == (1, "")
    _, origin = await call(tenant.key, "GET", f"{PATH}/{made['id']}/origin")
    assert origin["state"] == "behind"


async def test_clones_live_on_when_what_they_were_made_from_is_gone(call: Call, tenant: TenantForTest) -> None:
    source = await make(call, tenant.keys["jon"])
    await call(
        tenant.keys["jon"], "PUT", f"{PATH}/{source['id']}/shares/{tenant.members['mark']}", json={"permission": "use"}
    )
    made, mark = await clone(call, tenant.keys["mark"], source), tenant.keys["mark"]
    await change(call, tenant.keys["jon"], source, greeting="Only for those who see it.")
    await call(tenant.keys["jon"], "DELETE", f"{PATH}/{source['id']}/shares/{tenant.members['mark']}")
    for _ in ("not shared any more", "deleted"):
        status, origin = await call(mark, "GET", f"{PATH}/{made['id']}/origin")
        assert (status, origin["state"], origin["newest_version"], origin["incoming"]) == (200, "source_gone", None, [])
        status, problem = await call(mark, "POST", f"{PATH}/{made['id']}/origin/update", json={})
        assert (status, problem["code"]) == (409, "conflict")
        await call(tenant.keys["jon"], "DELETE", f"{PATH}/{source['id']}")
    status, _ = await call(mark, "POST", "/api/agent/reply", json={"message": "hi", "agentId": made["id"]})
    assert status == 200


async def test_agents_are_made_from_built_in_templates_and_take_what_an_upgrade_brings(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    mark = tenant.keys["mark"]
    _, offered = await call(mark, "GET", "/api/v1/templates")
    assert [each["type"] for each in offered["built_in"]] == list(built_in_types())
    status, whole = await call(mark, "GET", "/api/v1/templates/support")
    assert (status, whole["definition"]["name"]) == (200, "Support Agent")
    path = "/api/v1/templates/support/clones"
    status, made = await call(mark, "POST", path, json={"name": "Mark's desk", "publish": True})
    assert (status, made["definition"]["name"], made["tags"]) == (201, "Mark's desk", ["support", "service"])
    _, origin = await call(mark, "GET", f"{PATH}/{made['id']}/origin")
    assert (origin["source"]["built_in"], origin["state"], origin["version"]) == ("support", "up_to_date", None)
    # As if it had been made of what an earlier release brought.
    earlier = AgentDefinition(name="Support Agent", greeting="An earlier greeting.")
    async with database.tenant(tenant.id) as tx:
        made_earlier = await agent_versions.create_published(tx, earlier, tenant.members["mark"], by="operator:test")
        await agent_origins.record(tx, made_earlier.id, Origin(None, "support", None, earlier))
    for updated in (1, 0):
        _, answer = await call(mark, "POST", f"{path}/update", json={})
        assert (answer["counts"]["updated"], answer["counts"]["unchanged"]) == (updated, 2 - updated)
    _, now = await call(mark, "GET", f"{PATH}/{made_earlier.id}")
    assert (now["definition"], now["status"]) == (whole["definition"], "published")
    for method, of in (("GET", ""), ("POST", "/clones"), ("POST", "/clones/update")):
        status, _ = await call(mark, method, f"/api/v1/templates/unheard_of{of}", json={} if method == "POST" else None)
        assert status == 404


async def test_only_agents_of_the_tenant_are_templates_and_only_it_makes_them(
    call: Call, tenant: TenantForTest
) -> None:
    own, marks = await make(call, tenant.key), await make(call, tenant.keys["mark"])
    mark = {"is_template": True}
    assert (await call(tenant.keys["mark"], "PUT", f"{PATH}/{own['id']}/template", json=mark))[0] == 403
    assert (await call(tenant.keys["mark"], "PUT", f"{PATH}/{marks['id']}/template", json=mark))[0] == 403
    status, problem = await call(tenant.keys["olga"], "PUT", f"{PATH}/{marks['id']}/template", json=mark)
    assert (status, problem["errors"][0]["field"]) == (422, "is_template")
    assert (await call(tenant.keys["olga"], "PUT", f"{PATH}/{own['id']}/template", json=mark))[0] == 200
    to = {"member_id": str(tenant.members["mark"])}
    assert (await call(tenant.key, "POST", f"{PATH}/{own['id']}/owner", json=to))[0] == 422


async def test_only_what_was_published_can_be_cloned(call: Call, tenant: TenantForTest) -> None:
    _, draft = await call(tenant.key, "POST", PATH, json={"definition": definition()})
    status, problem = await call(tenant.key, "POST", f"{PATH}/{draft['id']}/clones", json={})
    assert (status, problem["code"]) == (409, "agent_not_published")


CLONES = 1000
# Each member of the tenant changed one field of every second clone of theirs; the last one is in conflict.
OWN = ("personality", "tonality", "greeting")
BASE = AgentDefinition(name="Seller", personality="Kind.", greeting="Hello.")


def own_field(number: int) -> str | None:
    return OWN[number // 2 % 3] if number % 2 else None


def own_definition(number: int) -> AgentDefinition:
    field = own_field(number)
    return replace(BASE, **{field: f"Of my own {number}."}) if field else BASE


async def many_clones(database: Database, tenant: TenantForTest, source: dict[str, Any]) -> list[UUID]:
    """Published clones of two members."""
    made = [new_id() for _ in range(CLONES)]
    owners = [tenant.members["mark" if number % 4 < 2 else "jon"] for number in range(CLONES)]
    definitions = [own_definition(number) for number in range(CLONES)]
    async with database.tenant(tenant.id) as tx:
        await tx.conn.executemany(
            "INSERT INTO agents (tenant_id, id, owner_member_id, definition) VALUES ($1, $2, $3, $4)",
            [(tenant.id, *row) for row in zip(made, owners, definitions, strict=True)],
        )
        await tx.conn.executemany(
            "INSERT INTO agent_versions (tenant_id, agent_id, number, definition, published_by) "
            "VALUES ($1, $2, 1, $3, 'operator:test')",
            [(tenant.id, *row) for row in zip(made, definitions, strict=True)],
        )
        await tx.execute("UPDATE agents SET published = 1, published_revision = 1 WHERE id = ANY($1)", made)
        await tx.conn.executemany(
            "INSERT INTO agent_origins (tenant_id, agent_id, template_agent_id, version, definition) "
            "VALUES ($1, $2, $3, $4, $5)",
            [(tenant.id, agent_id, UUID(source["id"]), source["published"], BASE) for agent_id in made],
        )
    return made


async def answers_of(database: Database, tenant: TenantForTest) -> dict[UUID, tuple[int, AgentDefinition]]:
    """The number and definition of the version of each agent that answers, which its draft is too."""
    decode = msgspec.json.Decoder(AgentDefinition).decode
    async with database.tenant(tenant.id) as tx:
        rows = await tx.rows(
            "SELECT a.id, v.number, a.definition = v.definition AND a.revision = a.published_revision AS as_draft, "
            "v.definition FROM agents a JOIN agent_versions v ON v.tenant_id = a.tenant_id AND v.agent_id = a.id "
            "AND v.number = a.published WHERE a.tenant_id = $1",
            tenant.id,
        )
    assert all(row["as_draft"] for row in rows)
    return {row["id"]: (row["number"], decode(row["definition"])) for row in rows}


def broken_off(batches: int) -> Any:
    """`store_updates` that loses the database after so many batches."""
    store, left = clone_updates.store_updates, batches

    async def store_or_lose(*arguments: Any) -> None:
        nonlocal left
        left -= 1
        await store(*arguments)
        if left < 0:
            raise DatabaseUnavailable

    return store_or_lose


async def test_a_change_reaches_a_thousand_clones_and_keeps_what_each_member_changed(
    call: Call, tenant: TenantForTest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await template(call, tenant)
    made = await many_clones(database, tenant, source)
    await change(call, tenant.key, source, greeting="Good day.", dos=["Be brief."])
    before = await answers_of(database, tenant)
    conflicts = [number for number in range(CLONES) if own_field(number) == "greeting"]
    counts = {"updated": CLONES - len(conflicts), "unchanged": 0, "conflicts": len(conflicts), "failed": 0}

    would = await update(call, tenant.key, source, dry_run=True)
    assert would["counts"] == counts
    assert await answers_of(database, tenant) == before

    began = time.perf_counter()
    answer = await update(call, tenant.key, source, note="A new greeting.")
    print(f"{CLONES} clones in {time.perf_counter() - began:.2f} s")
    assert (answer["counts"], answer["next_cursor"]) == (counts, None)
    told = {item["agent_id"] for item in answer["items"] if item["conflicts"] == ["greeting"]}
    assert told == {str(made[number]) for number in conflicts}

    after = await answers_of(database, tenant)
    for number, agent_id in enumerate(made):
        mine = own_definition(number)
        greeting = mine.greeting if own_field(number) == "greeting" else "Good day."
        assert after[agent_id] == (2, replace(mine, greeting=greeting, dos=("Be brief.",)))

    again = await update(call, tenant.key, source)
    assert again["counts"] == {"updated": 0, "unchanged": CLONES, "conflicts": 0, "failed": 0}
    assert await answers_of(database, tenant) == after

    # The next change is broken off on its way; the run after it brings the rest, and nothing twice.
    await change(call, tenant.key, source, instructions="Thank them.")
    with monkeypatch.context() as breaking:
        breaking.setattr(clone_updates, "store_updates", broken_off(3))
        assert (await call(tenant.key, "POST", f"{PATH}/{source['id']}/clones/update", json={}))[0] == 503
    rest = await update(call, tenant.key, source)
    assert rest["counts"] == {"updated": CLONES - 300, "unchanged": 300, "conflicts": 0, "failed": 0}
    last = await answers_of(database, tenant)
    assert {(last[each][0], last[each][1].instructions) for each in made} == {(3, "Thank them.")}


async def test_two_runs_at_once_change_each_clone_once(call: Call, tenant: TenantForTest) -> None:
    source = await template(call, tenant)
    made = [await clone(call, tenant.key, source) for _ in range(5)]
    await change(call, tenant.key, source, greeting="Good day.")
    answers = await asyncio.gather(*(update(call, tenant.key, source) for _ in range(4)))
    assert sum(answer["counts"]["updated"] for answer in answers) == 5
    for agent in made:
        assert (await answering(call, tenant.key, agent))["number"] == 2


async def test_a_run_goes_on_where_the_one_before_stopped(call: Call, tenant: TenantForTest) -> None:
    source = await template(call, tenant)
    made = [(await clone(call, tenant.key, source))["id"] for _ in range(3)]
    await change(call, tenant.key, source, greeting="Good day.")
    first = await update(call, tenant.key, source, limit=2)
    rest = await update(call, tenant.key, source, limit=2, after=first["next_cursor"])
    assert [item["agent_id"] for item in first["items"] + rest["items"]] == sorted(made)
    assert rest["next_cursor"] is None


async def test_the_command_line_clones_and_updates_templates(
    call: Call, tenant: TenantForTest, session_home: Path
) -> None:
    source = await template(call, tenant)
    owner = f"mark@{tenant.slug}.example"
    code, printed = await run(
        session_home, "template", "clone", source["id"], "--name", "Marks", "--owner", owner, "--tenant", tenant.slug
    )
    assert code == 0, printed
    _, page = await call(tenant.keys["mark"], "GET", PATH, params={"name": "Marks"})
    (made,) = page["items"]
    await change(call, tenant.keys["mark"], made, personality="Patient.")
    await change(call, tenant.key, source, personality="Brisk.", greeting="Good day.")
    code, printed = await run(session_home, "template", "update", source["id"], "--tenant", tenant.slug)
    told = f"conflicts  {made['id']}  Marks; takes greeting; keeps its own personality"
    assert (code, printed.splitlines()[-2:]) == (0, [told, "1 conflicts"])
    assert (await answering(call, tenant.key, made))["definition"]["greeting"] == "Good day."
