"""Contacts and agents that are not in use: archived, restored by the next message, deleted; in small steps by index."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tenantry.lifecycle import sweep as sweeping
from tenantry.lifecycle.sweep import Swept, sweep
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import lifecycle
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import make
from tests.integration.test_contacts_api import PATH, find, say
from tests.integration.whole_database import superuser

RETENTION = "/api/v1/retention"


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


async def keep(call: Call, tenant: TenantForTest, **of: tuple[int | None, int | None]) -> None:
    body = {what: {"archive_after_days": a, "delete_after_days": d} for what, (a, d) in of.items()}
    status, told = await call(tenant.key, "PUT", RETENTION, json=body)
    assert status == 200, told
    assert (await call(tenant.key, "GET", RETENTION))[1] == told


async def swept(db: Database, tenant: TenantForTest, days: float, *, dry_run: bool = False) -> Swept:
    """What a sweep does, or would do, so many days from now."""
    found = await sweep(db, tenant.id, dry_run=dry_run, now=in_days(days))
    return found[tenant.id]


async def listed(call: Call, tenant: TenantForTest, path: str, **params: str) -> set[str]:
    _, page = await call(tenant.key, "GET", path, params=params)
    return {item["id"] for item in page["items"]}


async def test_contacts_are_archived_restored_on_use_and_deleted(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    agent = await make(call, tenant.key)
    for lead in ("ada", "bob"):
        await say(call, tenant.key, agent["id"], lead, conversationId="c")
    ada, bob = (await find(call, tenant.key, "ada"))["id"], (await find(call, tenant.key, "bob"))["id"]
    assert await sweep(database, tenant.id, now=in_days(9999)) == {}  # for ever is the default
    await keep(call, tenant, contacts=(30, 90))
    assert await swept(database, tenant, 29) == Swept()
    assert await swept(database, tenant, 31, dry_run=True) == Swept(contacts_archived=2)
    assert await listed(call, tenant, PATH) == {ada, bob}
    assert await swept(database, tenant, 31) == Swept(contacts_archived=2)
    assert await swept(database, tenant, 31) == Swept()
    assert await listed(call, tenant, PATH) == set()
    assert await listed(call, tenant, PATH, archived="true") == {ada, bob}

    await say(call, tenant.key, agent["id"], "ada", conversationId="c")  # goes on
    assert await listed(call, tenant, PATH) == {ada}
    assert await swept(database, tenant, 31) == Swept(contacts_archived=1)
    await say(call, tenant.key, agent["id"], "ada", conversationId="another")  # begins anew
    assert (await find(call, tenant.key, "ada"))["archived_at"] is None

    assert await swept(database, tenant, 91, dry_run=True) == Swept(contacts_archived=1, contacts_deleted=2)
    assert await swept(database, tenant, 91) == Swept(contacts_archived=1, contacts_deleted=2)
    assert await listed(call, tenant, PATH, archived="true") == set()
    async with database.tenant(tenant.id) as tx:
        receipts = await tx.rows("SELECT actor, target FROM audit_log WHERE action = 'contact.deleted'")
        assert await tx.value("SELECT count(*) FROM messages") == 0
    assert {row["target"] for row in receipts} == {f"contact:{ada}", f"contact:{bob}"}
    assert {row["actor"] for row in receipts} == {"system:retention"}


async def test_who_has_an_appointment_to_come_is_kept(call: Call, tenant: TenantForTest, database: Database) -> None:
    agent = await make(call, tenant.key)
    told = await say(call, tenant.key, agent["id"], "ada")
    contact = await find(call, tenant.key, "ada")
    async with database.tenant(tenant.id) as tx:
        await tx.execute(
            "WITH own AS (INSERT INTO calendars (tenant_id, id) VALUES ($1, gen_random_uuid()) "
            "RETURNING id) INSERT INTO bookings (tenant_id, id, calendar_id, agent_id, contact_id, conversation_id, "
            "effect_key, status, starts_at, ends_at, blocked, time_zone, title) SELECT $1, gen_random_uuid(), own.id, "
            "$2, $3, $4, 'key', 'confirmed', $5, $6, tstzrange($5, $6), 'UTC', 'Visit' FROM own",
            tenant.id,
            UUID(agent["id"]),
            UUID(contact["id"]),
            UUID(told["conversationId"]),
            in_days(60),
            in_days(60.1),
        )
    await keep(call, tenant, contacts=(30, 30))
    assert await swept(database, tenant, 50, dry_run=True) == Swept()
    assert await swept(database, tenant, 50) == Swept()
    assert await swept(database, tenant, 91) == Swept(contacts_archived=1, contacts_deleted=1)


async def test_agents_are_archived_restored_on_use_and_deleted(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    made = {name: (await make(call, tenant.key, name))["id"] for name in ("used", "idle", "default", "template")}
    await call(tenant.key, "POST", "/api/agent/config/activate", json={})
    async with database.tenant(tenant.id) as tx:
        await tx.execute("UPDATE tenants SET active_agent_id = $2 WHERE id = $1", tenant.id, UUID(made["default"]))
        await tx.execute("UPDATE agents SET is_template = true WHERE id = $1", UUID(made["template"]))
    path = "/api/v1/agents"
    await keep(call, tenant, agents=(30, 90))
    assert await swept(database, tenant, 31, dry_run=True) == Swept(agents_archived=2)
    assert await swept(database, tenant, 31) == Swept(agents_archived=2)
    assert await listed(call, tenant, path) == {made["default"], made["template"]}
    assert await listed(call, tenant, path, archived="true") == set(made.values())

    await say(call, tenant.key, made["used"], "ada", conversationId="c")
    assert await listed(call, tenant, path) == {made["default"], made["template"], made["used"]}
    _, idle = await call(tenant.key, "GET", f"{path}/{made['idle']}")
    assert idle["archived_at"] is not None
    change = {"definition": {"name": "idle", "tonality": "calm"}, "revision": 1}
    status, changed = await call(tenant.key, "PUT", f"{path}/{made['idle']}", json=change)
    assert (status, changed["archived_at"]) == (200, None)

    # The day after, the first message is the agent's newest use, and no other message writes to it.
    async with database.tenant(tenant.id) as tx:
        await tx.execute("UPDATE agents SET seen_active_at = now() - interval '25 hours' WHERE name = 'used'")
    await say(call, tenant.key, made["used"], "ada", conversationId="c")
    query = "SELECT seen_active_at FROM agents WHERE name = 'used'"
    async with database.tenant(tenant.id) as tx:
        seen = await tx.value(query)
    assert datetime.now(UTC) - seen < timedelta(hours=1)
    await say(call, tenant.key, made["used"], "ada", conversationId="c")
    async with database.tenant(tenant.id) as tx:
        assert await tx.value(query) == seen

    async with database.tenant(tenant.id) as tx:
        await tx.execute("UPDATE agents SET seen_active_at = now() + interval '30 days' WHERE name = 'used'")
    assert await swept(database, tenant, 91) == Swept(agents_archived=2, agents_deleted=1)
    assert await listed(call, tenant, path, archived="true") == set(made.values()) - {made["idle"]}


@pytest.mark.parametrize(
    ("of", "field"),
    [
        ({"delete_after_days": 5}, "contacts.delete_after_days"),
        ({"archive_after_days": 6, "delete_after_days": 5}, "contacts.delete_after_days"),
        ({"archive_after_days": 0}, "contacts.archive_after_days"),
        ({"archive_after_days": 36_501}, "contacts.archive_after_days"),
    ],
)
async def test_what_is_deleted_is_archived_before(
    call: Call, tenant: TenantForTest, of: dict[str, int], field: str
) -> None:
    status, body = await call(tenant.key, "PUT", RETENTION, json={"contacts": of})
    assert (status, [error["field"] for error in body["errors"]]) == (422, [field])
    assert (await call(tenant.keys["mark"], "PUT", RETENTION, json={}))[0] == 403


async def many_contacts(home: Path, tenant: TenantForTest, agent_id: str, count: int) -> None:
    """Contacts that were met a year ago, each with a conversation; every tenth spoke today."""
    connection = await superuser(home)
    try:
        await connection.execute(
            "INSERT INTO contacts (tenant_id, id, created_at, seen_active_at) SELECT $1, gen_random_uuid(), "
            "now() - interval '1 year', now() - interval '1 year' FROM generate_series(1, $2)",
            tenant.id,
            count,
        )
        await connection.execute(
            "INSERT INTO conversations (tenant_id, id, agent_id, first_agent_id, contact_id, channel, updated_at) "
            "SELECT $1, gen_random_uuid(), $2, $2, id, 'api', now() - "
            "CASE WHEN row_number() OVER () % 10 = 0 THEN interval '0' ELSE interval '1 year' END FROM contacts "
            "WHERE tenant_id = $1",
            tenant.id,
            UUID(agent_id),
        )
        await connection.execute("ANALYZE contacts; ANALYZE conversations; ANALYZE bookings")
    finally:
        await connection.close()


async def plan_of(db: Database, tenant: TenantForTest, query: str, *args: Any) -> str:
    """How the query is carried out, as the application's role; what it did is taken back."""
    async with db.tenant(tenant.id) as tx:
        rows = await tx.rows(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {query}", tenant.id, *args)
        plan = "\n".join(row[0] for row in rows)
        await tx.execute("ROLLBACK")
        await tx.execute("BEGIN")
    return plan


async def test_twenty_thousand_contacts_are_swept_in_steps_by_index_and_a_cut_sweep_goes_on(
    call: Call,
    tenant: TenantForTest,
    runtime: Runtime,
    session_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = await make(call, tenant.key)
    await many_contacts(session_home, tenant, agent["id"], 20_000)
    await keep(call, tenant, contacts=(30, 60))
    since = in_days(-30)
    plan = await plan_of(runtime.db, tenant, lifecycle.IDLE_CONTACTS, since, 1000)
    assert "contacts_in_use" in plan, plan
    assert "Seq Scan" not in plan, plan
    async with runtime.db.tenant(tenant.id) as tx:
        idle = [row["id"] for row in await tx.rows(lifecycle.IDLE_CONTACTS, tenant.id, since, 1000)]
    plan = await plan_of(runtime.db, tenant, lifecycle.SETTLE_CONTACTS, idle, since)
    for table in ("contacts", "conversations"):
        assert f"Seq Scan on {table}" not in plan, plan

    archive, steps = lifecycle.archive_contacts, 0

    async def cut_off(*args: Any) -> tuple[int, int]:
        nonlocal steps
        steps += 1
        if steps > 3:
            raise asyncio.CancelledError
        return await archive(*args)

    monkeypatch.setattr(lifecycle, "archive_contacts", cut_off)
    with pytest.raises(asyncio.CancelledError):
        await swept(runtime.db, tenant, 0)
    monkeypatch.undo()
    async with runtime.db.tenant(tenant.id) as tx:
        archived = await tx.value("SELECT count(*) FROM contacts WHERE archived_at IS NOT NULL")
        looked_at = await tx.value(
            "SELECT count(*) FROM contacts WHERE archived_at IS NOT NULL OR seen_active_at > $1", since
        )
    assert (looked_at, 0 < archived < 3000) == (3000, True)

    # Two processes at once: what the one has in hand, the other leaves alone.
    monkeypatch.setattr(sweeping, "_DELETE", 5)
    monkeypatch.setattr(sweeping, "erase", no_more_than(sweeping.erase, 12))
    with pytest.raises(ZeroDivisionError):
        await swept(runtime.db, tenant, 0)
    monkeypatch.undo()
    async with runtime.db.tenant(tenant.id) as tx:
        assert await tx.value("SELECT count(*) FROM contacts WHERE archived_at IS NOT NULL") == 18_000 - 10
        assert await tx.value("SELECT count(*) FROM contacts") == 20_000 - 10
        assert await tx.value("SELECT count(*) FROM audit_log WHERE action = 'contact.deleted'") == 10
    delete = "SELECT id FROM contacts WHERE tenant_id = $1 AND archived_at IS NOT NULL AND seen_active_at < $2"
    plan = await plan_of(runtime.db, tenant, f"{delete} ORDER BY seen_active_at LIMIT 50 FOR UPDATE SKIP LOCKED", since)
    assert "Seq Scan" not in plan, plan
    async with runtime.db.tenant(tenant.id) as tx:
        contact_id = await tx.value("SELECT id FROM contacts LIMIT 1")
        removals = await sweeping.erasure.removals(tx)
    for removal in removals:
        plan = await plan_of(runtime.db, tenant, removal.statement, contact_id)
        assert "Seq Scan on contacts" not in plan, plan
        assert "Seq Scan on conversations" not in plan, plan


def no_more_than(act: Any, times: int) -> Any:
    """`act` until it was done so often; then the process breaks off."""

    async def acted(*args: Any) -> Any:
        nonlocal times
        times -= 1
        return await act(*args) if times >= 0 else 1 / 0

    return acted


async def test_one_process_cleans_a_tenant_at_a_time(call: Call, tenant: TenantForTest, database: Database) -> None:
    agent = await make(call, tenant.key)
    await say(call, tenant.key, agent["id"], "ada")
    await keep(call, tenant, contacts=(30, 30))
    async with database.tenant(tenant.id) as tx:
        assert await lifecycle.hold_cleaning(tx)
        assert await swept(database, tenant, 31) == Swept()
    assert await swept(database, tenant, 31) == Swept(contacts_archived=1, contacts_deleted=1)


async def test_who_writes_while_the_sweep_runs_is_kept(
    call: Call, tenant: TenantForTest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await make(call, tenant.key)
    await say(call, tenant.key, agent["id"], "ada", conversationId="c")
    await keep(call, tenant, contacts=(30, 30))
    async with database.tenant(tenant.id) as tx:
        await tx.execute("UPDATE contacts SET seen_active_at = now() - interval '31 days', archived_at = now()")
    chosen = lifecycle.contacts_to_delete

    async def then_a_message(*args: Any) -> list[UUID]:
        found = await chosen(*args)
        await say(call, tenant.key, agent["id"], "ada", conversationId="c")
        return found

    monkeypatch.setattr(lifecycle, "contacts_to_delete", then_a_message)
    assert await swept(database, tenant, 0) == Swept()
    assert (await find(call, tenant.key, "ada"))["archived_at"] is None
