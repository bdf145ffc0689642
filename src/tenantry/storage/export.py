"""All rows of a tenant, table by table, as they were at one moment."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from tenantry.domain.errors import ExportRunning
from tenantry.storage.isolation.tables import Table, all_tables
from tenantry.storage.tenancy import Database, TenantTx

# The first half of the key of the advisory lock of which a tenant has one: an export holds a connection for long.
_EXPORTING = 0x6578_706F
_ROWS_AT_ONCE = 100
# A person may be a member of several tenants; the policy of users shows those of the transaction's tenant.
_BY_POLICY = frozenset({"users"})


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """A table to export, and its columns that stay behind: bytes are seals and hashes, in every table."""

    table: Table
    left_out: tuple[str, ...]


@asynccontextmanager
async def snapshot(db: Database, tenant_id: UUID) -> AsyncGenerator[TenantTx]:
    """A transaction that sees the tenant's rows as they are now, whatever happens meanwhile. Raises ExportRunning while
    another one is open."""
    async with db.tenant(tenant_id) as tx:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if not await tx.value("SELECT pg_try_advisory_xact_lock($1, hashtext($2))", _EXPORTING, str(tenant_id)):
            raise ExportRunning(retry_after=30)
        yield tx


async def tables(tx: TenantTx) -> list[ExportedTable]:
    """Every table that holds rows of the tenant, by name."""
    found = [t for t in await all_tables(tx) if t.readable and (t.tenant_column or t.name in _BY_POLICY)]
    rows = await tx.rows(
        "SELECT attrelid::int8 AS oid, attname::text AS name FROM pg_attribute WHERE attrelid = ANY($1::oid[]) "
        "AND attnum > 0 AND NOT attisdropped AND atttypid = 'bytea'::regtype ORDER BY attnum",
        [table.oid for table in found],
    )
    return sorted(
        (ExportedTable(t, tuple(row["name"] for row in rows if row["oid"] == t.oid)) for t in found),
        key=lambda exported: exported.table.name,
    )


async def lines(tx: TenantTx, exported: ExportedTable) -> AsyncGenerator[list[str]]:
    """The table's rows of the tenant in the order of its key, each as one JSON object, some at a time."""
    table = exported.table
    whose = f"r.{table.tenant_column} = $1" if table.tenant_column else "$1::uuid IS NOT NULL"
    keys = ", ".join(f"r.{column}" for column in table.key)
    query = f"SELECT (to_jsonb(r) - $2::text[])::text FROM {table.name} r WHERE {whose} ORDER BY {keys}"  # noqa: S608
    cursor = await tx.conn.cursor(query, tx.tenant_id, list(exported.left_out))
    while rows := await cursor.fetch(_ROWS_AT_ONCE):
        yield [row[0] for row in rows]
