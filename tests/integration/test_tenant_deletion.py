"""With a tenant go all its rows, of every table that there is, and nobody else's."""

from pathlib import Path
from uuid import UUID

import aiohttp

from tenantry.cli.prove import calls, connections
from tenantry.cli.prove.http import Wire
from tenantry.cli.prove.seeding import settle
from tenantry.cli.prove.world import Estate, make_world, new_run_id
from tenantry.credentials.master_key import load_master_key
from tenantry.domain.ids import new_id
from tenantry.server.runtime import Runtime
from tenantry.storage import jobs
from tenantry.storage.embedded import running_address
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.repositories import tenants

# The columns are those of the catalogue, so that a table of a later migration is looked through too.
_TABLES = """
    SELECT c.oid::regclass::text AS name, CASE c.relname WHEN 'tenants' THEN 'id' ELSE a.attname END AS tenant
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND c.relname NOT IN ('users', 'schema_migrations') AND c.relname NOT LIKE 'pgqueuer%' ORDER BY 1
"""


async def test_no_table_keeps_a_row_of_a_deleted_tenant(runtime: Runtime, session_home: Path, url: str) -> None:
    estate = Estate([], [])
    try:
        world = await make_world(runtime.db, estate, new_run_id())
        async with aiohttp.ClientSession(url) as session:
            world = await settle(Wire(session), world)
        world = await connections.connect(connections.registered(runtime).resources, world)
        world = await calls.call(runtime.db, runtime.resources.vault, world)
        async with runtime.db.tenant(world.a.tenant_id) as tx:
            await jobs.enqueue(tx, "of_nobody", new_id())
        before, others = (
            await rows_of(session_home, world.a.tenant_id),
            await fingerprints(runtime.db, world.b.tenant_id),
        )
        assert [name for name, count in before.items() if not count] == []
        assert {"usage", "turn_traces", "secrets", "providers", "memory_blocks", "tenant_limits"} <= before.keys()
        async with runtime.db.operator(world.a.tenant_id) as tx:
            await tenants.delete(tx, world.a.tenant_id)
            assert await tx.rows("SELECT id FROM pgqueuer WHERE tenant_id = $1", world.a.tenant_id) == []
        after = await rows_of(session_home, world.a.tenant_id)
        assert after == dict.fromkeys(before, 0)
        assert await fingerprints(runtime.db, world.b.tenant_id) == others
    finally:
        await estate.remove(runtime.db)


async def rows_of(home: Path, tenant_id: UUID) -> dict[str, int]:
    """How many rows each table has of the tenant, whatever its policies hide."""
    address = running_address(home, load_master_key(home, None).password("postgres"))
    assert address is not None
    connection = await address.connect()
    try:
        found: dict[str, int] = {}
        for row in await connection.fetch(_TABLES):
            assert row["tenant"], f"{row['name']} has no tenant"
            query = f"SELECT count(*) FROM {row['name']} WHERE {row['tenant']} = $1"
            found[row["name"]] = await connection.fetchval(query, tenant_id)
        return found
    finally:
        await connection.close()
