"""`tenantry prove` holds on what is right, and names the border when one is broken."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter

from tenantry.api.agents import routes as agent_routes
from tenantry.api.conversations import routes as conversation_routes
from tenantry.channels.http_reply import routes as reply_routes
from tenantry.cli.prove.proof import prove
from tenantry.cli.prove.report import FEWEST, Report
from tenantry.credentials.master_key import load_master_key
from tenantry.domain.access import Principal
from tenantry.domain.agent import Agent
from tenantry.domain.conversation import Conversation
from tenantry.domain.errors import NotFound
from tenantry.server import app as server_app
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.settings import Settings
from tenantry.storage.address import ServerAddress
from tenantry.storage.embedded import running_address
from tenantry.storage.isolation import catalogue
from tenantry.storage.repositories import agents, conversations, tenants
from tenantry.storage.tenancy import TenantTx
from tenantry.tools import registry as tool_registry
from tests.acceptance.commands import run

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


async def test_a_sound_installation_holds_and_is_left_as_it_was(runtime: Runtime) -> None:
    report = await prove(runtime)
    assert report.failures() == []
    assert report.passed
    assert len(report.crossings) >= FEWEST
    borders = {crossing.border for crossing in report.crossings}
    assert borders >= {"routes", "tables", "foreign keys", "reused connection", "forged ids", "same ids"}
    assert await left_behind(runtime) == []


async def test_the_command_says_what_it_tried_and_fails_by_name_with_one_policy_dropped(home: Path) -> None:
    async with installation(home) as (runtime, owner):
        code, printed = await run(home, "prove")
        assert code == 0, printed
        assert "0 let through, 0 without a case" in printed
        await execute(owner, "DROP POLICY tenant_isolation ON bookings")
        code, printed = await run(home, "prove", "--json")
        assert code == 1, printed
        # The server's log, which stands before it, tells of the turn that could not book.
        report = json.loads(printed[printed.index('{\n  "passed"') :])
        failed = [crossing for crossing in report["crossings"] if not crossing["held"]]
        assert any(crossing["got"] == "table bookings has no policy for the app role" for crossing in failed)
        assert not report["passed"]
        assert await left_behind(runtime) == []


async def test_rows_of_a_table_without_row_level_security_are_reached(home: Path) -> None:
    async with installation(home) as (runtime, owner):
        await execute(owner, "ALTER TABLE messages DISABLE ROW LEVEL SECURITY")
        report = await prove(runtime)
        assert not report.passed
        for attempt in ("SELECT messages", "UPDATE messages", "DELETE messages", "INSERT messages"):
            assert failures(report, f"{attempt} as app role, other tenant"), attempt
        assert failures(report, "SELECT messages as app role, reused connection")
        assert all("messages" in line for line in report.failures())


async def test_a_new_table_without_rows_or_policy_has_no_case(home: Path) -> None:
    async with installation(home) as (runtime, owner):
        await execute(owner, "CREATE TABLE notes (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id))")
        report = await prove(runtime)
        assert [crossing.what for crossing in report.without_case] == ["table notes"]
        assert failures(report, "table notes as app role: table notes has no policy")


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


async def test_the_catalogue_names_each_thing_that_is_broken_and_nothing_when_it_is_mended(home: Path) -> None:
    async with installation(home) as (runtime, owner):
        for breaks, mends, named in BROKEN:
            await execute(owner, breaks)
            assert failures(Report(tuple(await catalogue.examine(runtime.db))), named), breaks
            await execute(owner, mends)
            assert Report(tuple(await catalogue.examine(runtime.db))).failures() == [], mends


async def _any_agent(tx: TenantTx, agent_id: UUID, who: Principal) -> Agent:
    agent = await agents.get(tx, agent_id, sees_only=None)
    if agent is None:
        raise NotFound
    return agent


async def _any_conversation(tx: TenantTx, conversation_id: UUID, who: Principal) -> Conversation:
    conversation = await conversations.get(tx, conversation_id, sees_only=None)
    if conversation is None:
        raise NotFound
    return conversation


def _any_client(client_id: str | None, who: Principal) -> None:
    return None


async def _any_user(context: Any, request: Any, given: Any) -> Any:
    tool = tool_registry._TOOLS[request.name]  # pyright: ignore[reportPrivateUsage]
    return await tool.run(context, request.arguments)


# A check that is taken out of the code, and how the proof must name the route or the tool that lost it.
UNCHECKED: tuple[tuple[ModuleType, str, Any, tuple[str, ...]], ...] = (
    (
        agent_routes,
        "_visible",
        _any_agent,
        (
            "GET /api/v1/agents/{agent_id} of a member as the other member: 200",
            "GET /api/v1/agents/{agent_id}/preview of a member as a viewer's key: 200",
        ),
    ),
    (
        conversation_routes,
        "_visible",
        _any_conversation,
        ("GET /api/v1/conversations/{conversation_id}/events of a member as the other member: 200",),
    ),
    (reply_routes, "_check_client", _any_client, ("GET /api/agent/health of a member as another tenant's key: 200",)),
    (tool_registry, "_refused", _any_user, ("cancel_appointment, user_id is the victim's",)),
)


@pytest.mark.parametrize(
    ("module", "name", "unchecked", "named"), UNCHECKED, ids=("agents", "conversations", "client", "user")
)
async def test_a_check_that_was_taken_out_is_named_by_its_route(
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    unchecked: Any,
    named: tuple[str, ...],
) -> None:
    monkeypatch.setattr(module, name, unchecked)
    report = await prove(runtime)
    assert not report.passed
    for line in named:
        assert failures(report, line), report.failures()
    assert await left_behind(runtime) == []


async def test_a_member_who_sees_the_whole_tenant_is_seen_in_every_list(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Principal, "sees_only", None)
    report = await prove(runtime)
    for path in ("agents", "conversations", "calendar/events", "usage", "limits"):
        assert failures(report, f"GET /api/v1/{path} of a member as the other member: 200, with the victim's"), path
    assert failures(report, "POST /api/agent/reply of a member as the other member")


async def test_a_new_route_has_no_case(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter(prefix="/api/v1/notes")

    @router.get("/{note_id}", include_in_schema=False)
    async def read_note(note_id: UUID) -> None: ...

    monkeypatch.setattr(server_app, "API_ROUTERS", (*server_app.API_ROUTERS, router))
    report = await prove(runtime)
    assert report.failures() == [
        "route GET /api/v1/notes/{note_id} as -: route GET /api/v1/notes/{note_id} has no case "
        "(expected a case that tries it)"
    ]


async def test_what_is_attacked_is_removed_when_the_proof_breaks_off(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With no time that can be booked, the world of the proof cannot be made.
    monkeypatch.setattr("tenantry.cli.prove.seeding._MOST_TURNS", 1)
    report = await prove(runtime)
    assert not report.passed
    assert failures(report, "it broke off")
    assert await left_behind(runtime) == []
