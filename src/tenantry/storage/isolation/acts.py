"""Attempts on every table: with no tenant, as another tenant, over a connection that another tenant used."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tenantry.storage.isolation.crossing import Crossing, untried
from tenantry.storage.isolation.tables import TENANT_SETTING, ForeignKey, Table, all_tables, foreign_keys
from tenantry.storage.tenancy import Database, TenantTx

NO_TENANT = "app role, no tenant"
EMPTY_TENANT = "app role, tenant ''"
OTHER_TENANT = "app role, other tenant"
REUSED = "app role, reused connection"
OPERATOR = "operator, no tenant"
BORDER = "tables"

_REFUSED_BY_POLICY = asyncpg.InsufficientPrivilegeError
# Besides a hole, a read of a tenant without a policy could be long; a few rows prove as much.
_MANY = 200
# The pool hands out the connection that came back last; another request may be quicker.
_HANDED_OUT = 4
# The operator makes tenants and people, and finds the turns that a killed process left and the calls that are not over.
_OPERATOR_SEES = frozenset({"tenants", "users", "turns", "calls"})


@dataclass(frozen=True, slots=True)
class _Target:
    """A table with rows of the victim and of the intruder: their keys, and a whole row of the victim as JSON."""

    table: Table
    victim_keys: list[str]
    victim_row: str
    intruder_keys: list[str]


async def attack(db: Database, victim: UUID, intruder: UUID) -> list[Crossing]:
    """Try every table and every foreign key. Both tenants must have rows; nothing is changed."""
    async with db.untenanted() as tx:
        tables = [table for table in await all_tables(tx) if table.reachable and table.key]
        keys = await foreign_keys(tx, tables)
    found: list[Crossing] = []
    targets: list[_Target] = []
    for table in tables:
        target = await _target(db, table, victim, intruder) if table.readable else None
        if target is None:
            found.append(untried(BORDER, f"table {table.name}", f"prove makes no row of {table.name} for a tenant"))
        else:
            found.append(Crossing(BORDER, "its own tenant", f"SELECT {table.name}", "rows", "rows", held=True))
            targets.append(target)
    found += await _with_no_tenant(db, targets)
    found += await _as_other_tenant(db, targets, victim, intruder)
    found += await _foreign_keys(db, keys, {target.table.oid: target for target in targets}, intruder)
    found += await _reused_connection(db, targets, victim, intruder)
    return found


async def _target(db: Database, table: Table, victim: UUID, intruder: UUID) -> _Target | None:
    keys: list[list[str]] = []
    victim_row: str | None = None
    for tenant_id in (victim, intruder):
        own = f"WHERE r.{table.tenant_column} = $1" if table.tenant_column else "WHERE $1::uuid IS NOT NULL"
        async with db.tenant(tenant_id) as tx:
            rows = await tx.rows(
                f"SELECT {table.key_of('r')} AS key, to_jsonb(r)::text AS row FROM {table.name} r "  # noqa: S608
                f"{own} LIMIT {_MANY}",
                tenant_id,
            )
        keys.append([row["key"] for row in rows])
        victim_row = victim_row or (rows[0]["row"] if rows else None)
    if victim_row is None or not all(keys):
        return None
    return _Target(table, keys[0], victim_row, keys[1])


async def _with_no_tenant(db: Database, targets: list[_Target]) -> list[Crossing]:
    found: list[Crossing] = []
    async with db.untenanted() as tx:
        for target in targets:
            found.append(await _sees_nothing(tx, NO_TENANT, target))
            found.append(await _insert(tx, NO_TENANT, target))
        await tx.execute(f"SET LOCAL {TENANT_SETTING} = ''")
        for target in targets:
            found.append(await _sees_nothing(tx, EMPTY_TENANT, target))
    async with db.operator() as tx:
        for target in targets:
            if target.table.name not in _OPERATOR_SEES:
                found.append(await _sees_nothing(tx, OPERATOR, target))
    return found


async def _as_other_tenant(db: Database, targets: list[_Target], victim: UUID, intruder: UUID) -> list[Crossing]:
    found: list[Crossing] = []
    async with db.tenant(intruder) as tx:
        for target in targets:
            table = target.table
            mine = f"{table.key_of('r')} = ANY($1::text[])"
            found.append(await _sees_nothing(tx, OTHER_TENANT, target))
            found.append(
                await _touches_nothing(
                    tx,
                    f"UPDATE {table.name}",
                    f"UPDATE {table.name} r SET {table.columns[0]} = r.{table.columns[0]} WHERE {mine}",  # noqa: S608
                    target.victim_keys,
                )
            )
            found.append(
                await _touches_nothing(
                    tx,
                    f"DELETE {table.name}",
                    f"DELETE FROM {table.name} r WHERE {mine}",  # noqa: S608
                    target.victim_keys,
                )
            )
            found.append(await _insert(tx, OTHER_TENANT, target))
            found.append(await _refused(tx, f"TRUNCATE {table.name}", f"TRUNCATE {table.name} CASCADE"))
            if table.tenant_column:
                found.append(
                    await _refused(
                        tx,
                        f"hand over a row of {table.name}",
                        f"UPDATE {table.name} r SET {table.tenant_column} = $2 WHERE {mine}",  # noqa: S608
                        target.intruder_keys[:1],
                        victim,
                    )
                )
    return found


async def _foreign_keys(
    db: Database, keys: list[ForeignKey], targets: dict[int, _Target], intruder: UUID
) -> list[Crossing]:
    found: list[Crossing] = []
    async with db.tenant(intruder) as tx:
        await tx.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for key in keys:
            child, parent = targets.get(key.child.oid), targets.get(key.parent.oid)
            if key.pairs and child is not None and parent is not None:
                found.append(await _refer(tx, key, child, parent))
    return found


async def _refer(tx: TenantTx, key: ForeignKey, child: _Target, parent: _Target) -> Crossing:
    columns = ", ".join(column for column, _ in key.pairs)
    values = ", ".join(f"p.{column}" for _, column in key.pairs)
    outcome = await _try(
        tx,
        f"UPDATE {key.child.name} r SET ({columns}) = "  # noqa: S608
        f"(SELECT {values} FROM jsonb_populate_record(NULL::{key.parent.name}, $2::text::jsonb) p) "
        f"WHERE {key.child.key_of('r')} = ANY($1::text[])",
        child.intruder_keys[:1],
        parent.victim_row,
    )
    held = isinstance(outcome, asyncpg.ForeignKeyViolationError | _REFUSED_BY_POLICY)
    return Crossing(
        "foreign keys", OTHER_TENANT, f"{key.child.name}.{columns} → {key.parent.name}", "refused", _told(outcome), held
    )


async def _reused_connection(db: Database, targets: list[_Target], victim: UUID, intruder: UUID) -> list[Crossing]:
    found: list[Crossing] = []
    for ending in ("COMMIT", "ROLLBACK"):
        async with db.tenant(victim) as tx:
            # The very connection, after the victim's transaction: what a pool would hand to the next one.
            await tx.execute(ending)
            await tx.execute("BEGIN")
            left = await tx.value(f"SELECT current_setting('{TENANT_SETTING}', true)")
            found.append(
                Crossing("reused connection", REUSED, f"{TENANT_SETTING} after {ending}", "''", repr(left), not left)
            )
            for target in targets:
                found.append(await _sees_nothing(tx, REUSED, target, border="reused connection"))
    async with db.tenant(victim) as tx:
        backend = await tx.value("SELECT pg_backend_pid()")
    async with AsyncExitStack() as others:
        for _ in range(_HANDED_OUT):
            tx = await others.enter_async_context(db.tenant(intruder))
            if await tx.value("SELECT pg_backend_pid()") == backend:
                again = f"{REUSED}, other tenant"
                found += [await _sees_nothing(tx, again, target, border="reused connection") for target in targets]
                return found
    return [*found, untried("reused connection", "pool", "the pool did not hand the same connection out again")]


async def _sees_nothing(tx: TenantTx, tried_as: str, target: _Target, *, border: str = BORDER) -> Crossing:
    table = target.table
    # With no tenant there are no rows at all; as another one, none of the victim's. The operator finds what is to be
    # done of others, which at the proof's own tenants is nothing.
    keys = target.victim_keys if tx.tenant_id.int or tried_as == OPERATOR else None
    query = (
        f"SELECT count(*) FROM {table.name} r "  # noqa: S608
        f"WHERE $1::text[] IS NULL OR {table.key_of('r')} = ANY($1::text[])"
    )
    outcome = await _try(tx, query, keys, counts=True)
    held = outcome == 0 or isinstance(outcome, _REFUSED_BY_POLICY)
    return Crossing(border, tried_as, f"SELECT {table.name}", "0 rows", _told(outcome), held)


async def _touches_nothing(tx: TenantTx, what: str, query: str, keys: list[str]) -> Crossing:
    outcome = await _try(tx, query, keys)
    held = outcome == 0 or isinstance(outcome, _REFUSED_BY_POLICY)
    return Crossing(BORDER, OTHER_TENANT, what, "0 rows", _told(outcome), held)


async def _refused(tx: TenantTx, what: str, query: str, *args: object) -> Crossing:
    outcome = await _try(tx, query, *args)
    held = isinstance(outcome, _REFUSED_BY_POLICY)
    return Crossing(BORDER, OTHER_TENANT, what, "refused", _told(outcome), held)


async def _insert(tx: TenantTx, tried_as: str, target: _Target) -> Crossing:
    table = target.table
    columns = ", ".join(table.columns)
    outcome = await _try(
        tx,
        f"INSERT INTO {table.name} ({columns}) "  # noqa: S608
        f"SELECT {columns} FROM jsonb_populate_record(NULL::{table.name}, $1::text::jsonb)",
        target.victim_row,
    )
    held = isinstance(outcome, _REFUSED_BY_POLICY)
    return Crossing(BORDER, tried_as, f"INSERT {table.name}", "refused", _told(outcome), held)


async def _try(tx: TenantTx, query: str, *args: object, counts: bool = False) -> int | asyncpg.PostgresError:
    """Run a statement and take it back: the rows it touched (or counted), or how it was refused."""
    await tx.execute("SAVEPOINT attempt")
    try:
        return int(await tx.value(query, *args)) if counts else await tx.execute(query, *args)
    except asyncpg.PostgresError as error:
        return error
    finally:
        await tx.execute("ROLLBACK TO SAVEPOINT attempt")


def _told(outcome: int | asyncpg.PostgresError) -> str:
    return f"{outcome} rows" if isinstance(outcome, int) else str(outcome)
