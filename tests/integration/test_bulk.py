"""`POST /api/v1/agents/bulk`: one thing done to many agents, each by itself."""

from typing import Any

import pytest

from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import PATH, make

BULK = f"{PATH}/bulk"


async def do(
    call: Call, key: str, select: dict[str, Any], action: dict[str, Any], *, dry_run: bool = False
) -> dict[str, Any]:
    status, told = await call(key, "POST", BULK, json={"select": select, "action": action, "dry_run": dry_run})
    assert status == 200, told
    return told


def results(told: dict[str, Any]) -> dict[str, str]:
    return {item["agent_id"]: item["code"] or item["result"] for item in told["items"]}


async def test_a_change_reaches_all_that_are_selected_and_says_what_is_different(
    call: Call, tenant: TenantForTest
) -> None:
    selected = [await make(call, tenant.key, f"a{n}", tags=["sales"]) for n in range(3)]
    other = await make(call, tenant.key, "other", tags=["support"])
    change = {"change": {"patch": {"tonality": "Calm.", "variables": {"email": {"type": "email"}}}, "publish": True}}
    told = await do(call, tenant.key, {"tags": ["sales"]}, change, dry_run=True)
    assert (told["changed"], told["dry_run"]) == (3, True)
    _, still = await call(tenant.key, "GET", f"{PATH}/{selected[0]['id']}")
    assert still == selected[0], "a dry run writes nothing"
    told = await do(call, tenant.key, {"tags": ["sales"]}, change)
    assert results(told) == {agent["id"]: "changed" for agent in selected}
    assert told["items"][0]["changes"][0] == '~ tonality: "" → "Calm."'
    for agent in selected:
        _, now = await call(tenant.key, "GET", f"{PATH}/{agent['id']}")
        assert (now["definition"]["tonality"], now["published"], now["status"]) == ("Calm.", 2, "published")
        assert [variable["name"] for variable in now["definition"]["variables"]] == ["email"]
    assert (await call(tenant.key, "GET", f"{PATH}/{other['id']}"))[1] == other
    again = await do(call, tenant.key, {"tags": ["sales"]}, change)
    assert (again["changed"], again["unchanged"]) == (0, 3)


async def test_what_fails_leaves_the_others_changed(call: Call, tenant: TenantForTest) -> None:
    good = await make(call, tenant.key, "good")
    # Its function is handed the variable that the patch takes away.
    bad_definition = {
        "name": "bad",
        "variables": [{"name": "email", "type": "email"}],
        "functions": [{"name": "set_appointment", "variables": ["email"]}],
    }
    _, bad = await call(tenant.key, "POST", PATH, json={"definition": bad_definition})
    told = await do(call, tenant.key, {"all": True}, {"change": {"patch": {"variables": None, "greeting": "Hi"}}})
    assert results(told) == {good["id"]: "changed", bad["id"]: "invalid_input"}
    failed = next(item for item in told["items"] if item["result"] == "failed")
    assert failed["name"] == "bad"
    assert "functions.0.variables" in failed["detail"]
    _, page = await call(tenant.key, "GET", f"{PATH}/list")
    assert {a["definition"]["name"]: a["definition"]["greeting"] for a in page["items"]} == {"good": "Hi", "bad": ""}


async def test_a_member_changes_what_is_theirs_and_is_told_of_the_rest(call: Call, tenant: TenantForTest) -> None:
    own = await make(call, tenant.keys["mark"], "own")
    shared = await make(call, tenant.key, "the tenant's")
    hidden = await make(call, tenant.keys["jon"], "hidden")
    action = {"tag": {"add": ["x"]}}
    told = await do(call, tenant.keys["mark"], {"all": True}, action)
    assert results(told) == {own["id"]: "changed", shared["id"]: "forbidden"}
    told = await do(call, tenant.keys["mark"], {"ids": [hidden["id"], shared["id"]]}, action)
    assert results(told) == {hidden["id"]: "not_found", shared["id"]: "forbidden"}
    assert all(item["name"] is None for item in told["items"])
    for agent in (shared, hidden):
        assert (await call(tenant.key, "GET", f"{PATH}/{agent['id']}"))[1]["tags"] == []


async def test_publish_tag_hand_over_and_delete(call: Call, tenant: TenantForTest) -> None:
    published = await make(call, tenant.key, "published", tags=["old", "kept"])
    _, draft = await call(tenant.key, "POST", PATH, json={"definition": {"name": "draft"}, "tags": ["kept"]})
    ids = [published["id"], draft["id"]]
    told = await do(call, tenant.key, {"ids": ids}, {"publish": {"note": "all at once"}})
    assert results(told) == {published["id"]: "unchanged", draft["id"]: "changed"}
    told = await do(call, tenant.key, {"ids": ids}, {"tag": {"add": ["new"], "remove": ["old"]}})
    assert [item["changes"] for item in told["items"]] == [
        ["~ tags: old, kept → kept, new"],
        ["~ tags: kept → kept, new"],
    ]
    mark = str(tenant.members["mark"])
    told = await do(call, tenant.key, {"tags": ["new"]}, {"hand_over": {"member_id": mark}})
    assert told["changed"] == 2
    _, page = await call(tenant.keys["mark"], "GET", f"{PATH}/list")
    assert {(agent["owner_member_id"], *agent["tags"]) for agent in page["items"]} == {(mark, "kept", "new")}
    told = await do(call, tenant.keys["mark"], {"owner_member_id": mark}, {"delete": {}})
    assert told["changed"] == 2
    assert (await call(tenant.key, "GET", f"{PATH}/list"))[1]["items"] == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"select": {}, "action": {"delete": {}}}, "nothing is selected"),
        ({"select": {"all": True}, "action": {}}, "give exactly one of"),
        ({"select": {"all": True}, "action": {"delete": {}, "publish": {}}}, "give exactly one of"),
        ({"select": {"all": True, "ids": [None]}, "action": {"delete": {}}}, "UUID"),
        (
            {"select": {"ids": ["0193f0a2-6b3c-7c5e-9d0a-3f1b2c4d5e6f"], "tags": ["x"]}, "action": {"delete": {}}},
            "`ids` stand alone",
        ),
        ({"select": {"ids": ["0193f0a2-6b3c-7c5e-9d0a-3f1b2c4d5e6f"] * 1001}, "action": {"delete": {}}}, "1000"),
        (
            {"select": {"all": True}, "action": {"hand_over": {"member_id": "0193f0a2-6b3c-7c5e-9d0a-3f1b2c4d5e6f"}}},
            "is no member",
        ),
    ],
)
async def test_what_is_not_meant_is_refused(
    call: Call, tenant: TenantForTest, body: dict[str, Any], fault: str
) -> None:
    agent = await make(call, tenant.key)
    status, problem = await call(tenant.key, "POST", BULK, json=body)
    assert (status, problem["code"]) == (422, "invalid_input")
    assert fault in str(problem["errors"])
    assert (await call(tenant.key, "GET", f"{PATH}/{agent['id']}"))[0] == 200


async def test_a_thousand_at_once_and_no_more(call: Call, tenant: TenantForTest, database: Any) -> None:
    async with database.operator(tenant.id) as tx:
        await tx.execute(
            "INSERT INTO agents (tenant_id, id, definition, tags) "
            """SELECT $1, gen_random_uuid(), '{"name": "One of many"}', '{many}' FROM generate_series(1, 1000)""",
            tenant.id,
        )
    told = await do(call, tenant.key, {"tags": ["many"]}, {"tag": {"add": ["more"]}})
    assert (told["changed"], told["failed"]) == (1000, 0)
    await make(call, tenant.key, "One more", tags=["many"])
    status, problem = await call(
        tenant.key, "POST", BULK, json={"select": {"tags": ["many"]}, "action": {"delete": {}}}
    )
    assert status == 422
    assert "More than 1,000 agents match" in problem["detail"]


async def test_the_audit_log_tells_who_did_it(call: Call, tenant: TenantForTest) -> None:
    agent = await make(call, tenant.keys["mark"])
    await do(call, tenant.keys["olga"], {"ids": [agent["id"]]}, {"change": {"patch": {"greeting": "Hi"}}})
    await do(call, tenant.keys["olga"], {"ids": [agent["id"]]}, {"change": {"patch": {"greeting": "Ho"}}}, dry_run=True)
    target = {"target": f"agent:{agent['id']}"}
    status, page = await call(tenant.key, "GET", "/api/v1/audit", params={**target, "limit": "2"})
    assert status == 200
    rest = await call(tenant.key, "GET", "/api/v1/audit", params={**target, "cursor": page["next_cursor"]})
    entries = page["items"] + rest[1]["items"]
    members = {f"member:{tenant.members[name]}": name for name in ("mark", "olga")}
    assert [(entry["action"], members[entry["actor"]]) for entry in entries] == [
        ("agent.changed", "olga"),
        ("agent.published", "mark"),
        ("agent.created", "mark"),
    ]
    olga = {**target, "actor": f"member:{tenant.members['olga']}", "action": "agent.changed"}
    assert len((await call(tenant.key, "GET", "/api/v1/audit", params=olga))[1]["items"]) == 1
    before = {**target, "to": entries[-1]["at"]}
    assert (await call(tenant.key, "GET", "/api/v1/audit", params=before))[1]["items"] == []
    assert (await call(tenant.keys["mark"], "GET", "/api/v1/audit"))[0] == 403
