"""`tenantry prove` holds on what is right, and names the border when one is broken."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import APIRouter

from tenantry.cli.prove.leftovers import remove_leftovers
from tenantry.cli.prove.proof import prove
from tenantry.cli.prove.report import FEWEST, Report
from tenantry.credentials.master_key import load_master_key
from tenantry.domain.access import Principal
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Role
from tenantry.server import app as server_app
from tenantry.server import metrics as metrics_route
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.settings import Settings, TelemetrySettings
from tenantry.storage.address import ServerAddress
from tenantry.storage.embedded import running_address
from tenantry.storage.isolation import catalogue
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.repositories import tenants
from tenantry.telemetry.telemetry import Telemetry
from tests.acceptance.commands import TENANTRY, environment, run
from tests.acceptance.unchecked import UNCHECKED

# How the package behind /docs reads its own icon; every public route is asked for here.
pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")


@asynccontextmanager
async def installation(home: Path) -> AsyncGenerator[tuple[Runtime, ServerAddress]]:
    """An installation of one's own, and the way in of its database's owner."""
    master = load_master_key(home, None)
    async with open_runtime(Settings(home=home)) as runtime:
        superuser = running_address(home, master.password("postgres"))
        assert superuser is not None
        yield runtime, superuser


async def execute(address: ServerAddress, *statements: str) -> None:
    connection = await address.connect()
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def left_behind(runtime: Runtime) -> list[str]:
    async with runtime.db.operator() as tx:
        slugs = [tenant.slug for tenant in await tenants.list_all(tx)]
        people = await tx.rows("SELECT email FROM users WHERE email LIKE '%@prove-%'")
    return [*(slug for slug in slugs if slug.startswith("prove-")), *(row["email"] for row in people)]


def failures(report: Report, what: str) -> list[str]:
    """The lines of the report that name this."""
    return [line for line in report.failures() if what in line]


async def test_a_sound_installation_holds_and_is_left_as_it_was(runtime: Runtime, session_home: Path) -> None:
    code, printed = await run(session_home, "prove", "--json")
    report = json.loads(printed[printed.index('{\n  "passed"') :])
    crossings = [Crossing(**crossing) for crossing in report["crossings"]]
    assert Report(tuple(crossings)).failures() == []
    assert report["passed"]
    assert code == 0
    assert len(crossings) >= FEWEST
    borders = {crossing.border for crossing in crossings}
    assert borders >= {"routes", "streams", "tables", "foreign keys", "reused connection", "forged ids", "same ids"}
    assert await left_behind(runtime) == []


async def test_the_command_fails_by_name_with_one_policy_dropped(installed: Path) -> None:
    async with installation(installed) as (runtime, owner):
        await execute(owner, "DROP POLICY tenant_isolation ON bookings")
        code, printed = await run(installed, "prove")
        assert code == 1, printed
        assert "table bookings has no policy for the app role" in printed
        assert "0 let through" not in printed
        assert await left_behind(runtime) == []


async def test_what_is_open_or_has_no_case_is_named_and_nothing_else(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows without row-level security, metrics that any key opens, and a table and a route that nobody tries."""
    router = APIRouter(prefix="/api/v1/notes")

    @router.get("/{note_id}", include_in_schema=False)
    async def read_note(note_id: UUID) -> None: ...

    monkeypatch.setattr(server_app, "API_ROUTERS", (*server_app.API_ROUTERS, router))
    monkeypatch.setattr(metrics_route, "_hash", lambda _: b"")
    operators = TelemetrySettings(metrics_token=secrets.token_hex(16))
    async with installation(installed) as (runtime, owner):
        await execute(
            owner,
            "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
            "CREATE TABLE notes (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id))",
        )
        settings = replace(runtime.settings, telemetry=operators)
        report = await prove(replace(runtime, settings=settings, telemetry=Telemetry(operators)))
    for attempt in ("SELECT messages", "UPDATE messages", "DELETE messages", "INSERT messages"):
        assert failures(report, f"{attempt} as app role, other tenant"), attempt
    assert failures(report, "SELECT messages as app role, reused connection")
    for intruder in ("no key", "a tenant's owner key", "another tenant's own key"):
        assert failures(report, f"GET /metrics as {intruder}: 200"), report.failures()
    assert {crossing.what for crossing in report.without_case} == {"table notes", "route GET /api/v1/notes/{note_id}"}
    assert failures(report, "table notes as app role: table notes has no policy")
    assert failures(report, "GET /api/v1/notes/{note_id} has no case (expected a case that tries it)")
    named = ("messages", "notes", "GET /metrics")
    assert [line for line in report.failures() if not any(name in line for name in named)] == []


# What breaks the installation, what mends it again, and how the proof must name it.
BROKEN = (
    ("CREATE POLICY open ON agents USING (true)", "DROP POLICY open ON agents", "policy open on agents"),
    (
        "ALTER TABLE events NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE events FORCE ROW LEVEL SECURITY",
        "table events as app role: it is not enabled and forced",
    ),
    ("GRANT TRUNCATE ON contacts TO tenantry_app", "REVOKE TRUNCATE ON contacts FROM tenantry_app", "may TRUNCATE"),
    (
        "CREATE UNIQUE INDEX everywhere ON contacts (id)",
        "DROP INDEX everywhere",
        "everywhere does not begin with tenant_id",
    ),
    (
        "CREATE UNIQUE INDEX everywhere ON contacts (id); "
        "ALTER TABLE bookings ADD CONSTRAINT across FOREIGN KEY (contact_id) REFERENCES contacts (id)",
        "ALTER TABLE bookings DROP CONSTRAINT across; DROP INDEX everywhere",
        "foreign key across leaves the tenant out",
    ),
    ("CREATE VIEW everything AS SELECT * FROM messages", "DROP VIEW everything", "views as app role: everything"),
    (
        "CREATE FUNCTION peek() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION peek()",
        "peek()",
    ),
    ("ALTER ROLE tenantry_app BYPASSRLS", "ALTER ROLE tenantry_app NOBYPASSRLS", "app role as app role: tenantry_app"),
    (
        "ALTER TABLE events OWNER TO tenantry_app",
        "ALTER TABLE events OWNER TO tenantry_owner",
        "table events as app role: tenantry_app owns it",
    ),
    (
        "GRANT SELECT ON schema_migrations TO tenantry_app",
        "REVOKE SELECT ON schema_migrations FROM tenantry_app",
        "table schema_migrations as app role: the app role may SELECT",
    ),
)


async def test_the_catalogue_names_each_thing_that_is_broken_and_nothing_when_it_is_mended(installed: Path) -> None:
    async with installation(installed) as (runtime, owner):
        for breaks, mends, named in BROKEN:
            await execute(owner, breaks)
            assert failures(Report(tuple(await catalogue.examine(runtime.db))), named), breaks
            await execute(owner, mends)
            assert Report(tuple(await catalogue.examine(runtime.db))).failures() == [], mends


async def test_checks_that_were_taken_out_are_named_by_their_routes(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name, unchecked, _ in UNCHECKED:
        monkeypatch.setattr(place, name, unchecked)
    report = await prove(runtime)
    assert not report.passed
    unnamed = [line for *_, named in UNCHECKED for line in named if not failures(report, line)]
    assert unnamed == [], report.failures()
    assert await left_behind(runtime) == []


async def test_a_member_who_sees_the_whole_tenant_is_seen_in_every_list(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Principal, "whole_tenant", True)
    report = await prove(runtime)
    for path in ("agents", "conversations", "calendar/events", "usage", "limits", "secrets", "tool-calls"):
        assert failures(report, f"GET /api/v1/{path} of a member as the other member: 200, with the victim's"), path
    for line in (
        "POST /api/agent/reply of a member as the other member",
        "PUT /api/agent/config/active of a member as the other member: 200",
        "PUT /api/v1/agents/{agent_id} of the tenant as the other member: 200",
        "DELETE /api/v1/agents/{agent_id} of a member as the other member: 204",
        "PUT /api/v1/limits of a member as the other member: 200",
    ):
        assert failures(report, line), report.failures()


async def test_what_is_attacked_is_removed_when_the_proof_breaks_off(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With no time that can be booked, the world of the proof cannot be made.
    monkeypatch.setattr("tenantry.cli.prove.seeding._MOST_TURNS", 1)
    report = await prove(runtime)
    assert not report.passed
    assert failures(report, "it broke off")
    assert await left_behind(runtime) == []


async def test_what_a_killed_proof_left_is_removed_by_the_next_and_nothing_else(
    runtime: Runtime, session_home: Path
) -> None:
    killed = await asyncio.create_subprocess_exec(
        *TENANTRY, "prove", env=environment(session_home), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        while sum("@" not in name for name in await left_behind(runtime)) < 2:
            assert killed.returncode is None
            await asyncio.sleep(0.02)
        # While it runs, nothing of it is a leftover.
        left = await left_behind(runtime)
        assert await remove_leftovers(runtime.db) == []
        assert set(await left_behind(runtime)) >= set(left)
    finally:
        killed.kill()
        await killed.wait()
    slug = f"prove-a-{secrets.token_hex(5)}"
    async with runtime.db.operator(tenant_id := new_id()) as tx:
        await tenants.create(tx, slug, "An agency of that name", "UTC", tenant_id)
        await tenants.add_member(tx, f"ada@{slug}.example", Role.OWNER, "ada")
    removed: list[str] = []
    while len(removed) < 2:
        # The database lets go of what a killed process held as soon as it sees the connection gone.
        removed += await remove_leftovers(runtime.db)
    assert {name.removeprefix(slug[:6])[:2] for name in removed} == {"a-", "b-"}
    assert await left_behind(runtime) == [slug, f"ada@{slug}.example"]
    async with runtime.db.operator(tenant_id) as tx:
        await tenants.delete(tx, tenant_id)
        await tenants.delete_user(tx, f"ada@{slug}.example")
