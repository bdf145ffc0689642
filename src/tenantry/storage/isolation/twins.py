"""The same ids in two tenants: every row of one tenant, once more in another."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tenantry.storage.isolation.crossing import Crossing, untried
from tenantry.storage.isolation.tables import Table, all_tables, fingerprints
from tenantry.storage.tenancy import Database, TenantTx

BORDER = "same ids"


@dataclass(frozen=True, slots=True)
class _Row:
    table: Table
    text: str


async def copy_rows(db: Database, source: UUID, target: UUID, words: dict[str, str]) -> list[Crossing]:
    """Copy all rows of `source` into `target` under the same ids, with these words replaced in their text. It must
    work, as ids are of one tenant, and must leave the source's rows as they were."""
    before = await fingerprints(db, source)
    async with db.untenanted() as tx:
        # With the tenant for its whole key, a table has one row of each tenant and no ids that could be the same.
        tables = [t for t in await all_tables(tx) if t.readable and t.tenant_column and t.key != (t.tenant_column,)]
    waiting = [_Row(table, text) for table in tables for text in await _rows(db, table, source)]
    replaced = {**words, str(source): str(target)}
    copied: dict[str, int] = {}
    refusals: dict[str, str] = {}
    while waiting:
        # Parents first, whatever the order: a row is tried again after those that it refers to.
        left: list[_Row] = []
        for row in waiting:
            refusal = await _copy(db, row, target, replaced)
            if refusal is None:
                copied[row.table.name] = copied.get(row.table.name, 0) + 1
            else:
                refusals[row.table.name] = str(refusal)
                left.append(row)
        if len(left) == len(waiting):
            break
        waiting = left
    after = await fingerprints(db, source)
    return [
        _verdict(table.name, copied.get(table.name, 0), refusals, before.get(table.name) == after.get(table.name))
        for table in tables
    ]


def _verdict(name: str, copied: int, refusals: dict[str, str], unchanged: bool) -> Crossing:
    if not copied:
        return untried(BORDER, f"table {name}", refusals.get(name, "the tenant has no row to copy"))
    got = f"{copied} rows, the other's {'as they were' if unchanged else 'changed'}"
    return Crossing(BORDER, "app role, other tenant", f"INSERT {name} with its ids", "rows of its own", got, unchanged)


async def _rows(db: Database, table: Table, source: UUID) -> list[str]:
    async with db.tenant(source) as tx:
        rows = await tx.rows(
            f"SELECT to_jsonb(r)::text AS row FROM {table.name} r WHERE r.{table.tenant_column} = $1",  # noqa: S608
            source,
        )
    return [row["row"] for row in rows]


async def _copy(db: Database, row: _Row, target: UUID, replaced: dict[str, str]) -> Exception | None:
    text = row.text
    for old, new in replaced.items():
        text = text.replace(old, new)
    columns = ", ".join(row.table.columns)
    query = (
        f"INSERT INTO {row.table.name} ({columns}) "  # noqa: S608
        f"SELECT {columns} FROM jsonb_populate_record(NULL::{row.table.name}, $1::text::jsonb)"
    )
    try:
        async with db.tenant(target) as tx:
            await _insert(tx, query, text)
    except asyncpg.InsufficientPrivilegeError:
        # What the application may not write, the operator does.
        try:
            async with db.operator(target) as tx:
                await _insert(tx, query, text)
        except asyncpg.PostgresError as error:
            return error
    except asyncpg.PostgresError as error:
        return error
    return None


async def _insert(tx: TenantTx, query: str, text: str) -> None:
    await tx.execute(query, text)
