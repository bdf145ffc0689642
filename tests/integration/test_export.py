"""The export of a tenant: all of its rows as of one moment, piece by piece, and no secret."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from tenantry.cli.prove import calls
from tenantry.cli.prove.http import Wire
from tenantry.cli.prove.seeding import settle
from tenantry.cli.prove.world import Estate, make_world, new_run_id
from tenantry.lifecycle.export import MANIFEST, export_tenant
from tenantry.server.runtime import Runtime
from tenantry.storage import export
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_tenant_deletion import rows_of
from tests.integration.whole_database import superuser

# What of the manifest has no rows of this tenant alone.
_PEOPLE = "users"


async def downloaded(session: aiohttp.ClientSession, key: str) -> zipfile.ZipFile:
    async with session.get("/api/v1/export", headers={"Authorization": f"Bearer {key}"}) as response:
        assert (response.status, response.content_type) == (200, "application/zip")
        return zipfile.ZipFile(io.BytesIO(await response.read()))


async def sealed_of(home: Path, tenant_id: UUID) -> set[str]:
    """Every value of every column of bytes of the tenant, in hexadecimal."""
    connection = await superuser(home)
    try:
        columns = await connection.fetch(
            "SELECT attrelid::regclass::text AS name, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
            "WHERE atttypid = 'bytea'::regtype AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
        )
        assert len(columns) >= 5
        values: set[str] = set()
        for row in columns:
            query = f"SELECT {row['attname']} FROM {row['name']} WHERE tenant_id = $1 AND {row['attname']} IS NOT NULL"
            values |= {found[0].hex() for found in await connection.fetch(query, tenant_id)}
        return values
    finally:
        await connection.close()


async def test_an_export_has_every_row_of_its_tenant_and_no_secret(
    runtime: Runtime, session_home: Path, url: str
) -> None:
    estate = Estate([], [])
    try:
        world = await make_world(runtime.db, estate, new_run_id())
        async with aiohttp.ClientSession(url) as session:
            world = await settle(Wire(session), world)
            world = await calls.call(runtime.db, runtime.resources.vault, world)
            tenant_id, key = world.a.tenant_id, world.a.own.key
            archive = await downloaded(session, key)
        assert archive.testzip() is None
        manifest = json.loads(archive.read(MANIFEST))
        assert (manifest["format"], manifest["version"], manifest["tenant"]["slug"]) == (
            "tenantry-export",
            1,
            world.a.slug,
        )
        read = {
            of["table"]: [json.loads(line) for line in archive.read(of["file"]).splitlines()]
            for of in manifest["tables"]
        }
        assert {name: len(rows) for name, rows in read.items()} == {
            of["table"]: of["rows"] for of in manifest["tables"]
        }
        assert len(read.pop(_PEOPLE)) == 5
        assert {name: len(rows) for name, rows in read.items()} == await rows_of(session_home, tenant_id)
        assert {row["tenant_id"] for name, rows in read.items() if name != "tenants" for row in rows} == {
            str(tenant_id)
        }
        recorded = {each["file"]: each for each in manifest["recordings"]}
        for party in world.a.parties:
            name = f"recordings/{party.call_id}.ogg"
            audio = archive.read(name)
            assert audio == f"Recorded {party.word}".encode()
            assert (recorded[name]["bytes"], recorded[name]["unreadable_pieces"]) == (len(audio), 0)
        assert len(recorded) == len(world.a.parties)
        whole = b"\n".join(archive.read(name) for name in archive.namelist()).decode()
        assert all(party.word in whole for party in world.a.parties)
        secret = await sealed_of(session_home, tenant_id)
        secret |= {word for party in world.a.parties for word in (party.secret_value, party.key)}
        assert [value for value in secret if value in whole] == []
        assert [mark for party in world.b.parties for mark in party.marks if mark in whole] == []
        assert {of["table"]: of["left_out"] for of in manifest["tables"] if of["table"] == "secrets"} == {
            "secrets": ["sealed"]
        }
    finally:
        await estate.remove(runtime.db)


async def test_an_export_is_of_one_moment_and_one_is_made_at_a_time(
    call: Call, tenant: TenantForTest, runtime: Runtime
) -> None:
    async def count(tx: Any, name: str) -> int:
        [of] = [of for of in await export.tables(tx) if of.table.name == name]
        return sum([len(lines) async for lines in export.lines(tx, of)])

    message = {"message": "hello", "conversationId": "c"}
    assert (await call(tenant.key, "POST", "/api/agent/reply", json=message))[0] == 200
    async with export.snapshot(runtime.db, tenant.id) as tx:
        assert (await call(tenant.key, "POST", "/api/agent/reply", json=message))[0] == 200
        assert [await count(tx, name) for name in ("messages", "turns", "conversations")] == [2, 1, 1]
        status, body = await call(tenant.key, "GET", "/api/v1/export")
        assert (status, body["code"]) == (409, "export_running")
    async with export.snapshot(runtime.db, tenant.id) as tx:
        assert await count(tx, "messages") == 4
    for key in (tenant.keys["mark"], tenant.keys["vera"]):
        assert (await call(key, "GET", "/api/v1/export"))[0] == 403


async def test_an_export_is_sent_while_it_is_made(tenant: TenantForTest, runtime: Runtime) -> None:
    async with runtime.db.tenant(tenant.id) as tx:
        await tx.execute(
            "INSERT INTO audit_log (tenant_id, id, actor, action, target, details) "
            "SELECT $1, gen_random_uuid(), 'test', 'noise', 'x', jsonb_build_object('noise', ("
            "SELECT string_agg(md5(random()::text || number || more), '') FROM generate_series(1, 60) AS more)) "
            "FROM generate_series(1, 2000) AS number",
            tenant.id,
        )
    pieces = [len(piece) async for piece in export_tenant(runtime.db, runtime.resources.vault, tenant.id, "test")]
    assert sum(pieces) > 2_000_000
    assert max(pieces) < 500_000


async def test_who_goes_away_leaves_no_connection_behind(tenant: TenantForTest, runtime: Runtime) -> None:
    in_use = runtime.db.connections_in_use()
    pieces = export_tenant(runtime.db, runtime.resources.vault, tenant.id, "test")
    reading = asyncio.create_task(anext(pieces))
    while runtime.db.connections_in_use() == in_use and not reading.done():
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await pieces.aclose()
    assert runtime.db.connections_in_use() == in_use
