"""Removing a contact with every row that is about it, in whichever table the schema says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from tenantry.domain.lifecycle import FreedBooking
from tenantry.storage.isolation.tables import ForeignKey, all_tables, foreign_keys
from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class Removal:
    """A statement that deletes the rows of one table that depend on the contact $2 of the tenant $1."""

    table: str
    statement: str


async def removals(tx: TenantTx) -> tuple[Removal, ...]:
    """What removes a contact, in order: along every chain of foreign keys by which a row goes with it, the rows that
    depend on others first. A table of a later migration is found like the rest."""
    keys = [key for key in await foreign_keys(tx, await all_tables(tx)) if key.cascades]
    chains = sorted(_chains(keys, "contacts", ()), key=len, reverse=True)
    return (
        *(Removal(chain[-1].child.name, _delete(chain)) for chain in chains),
        Removal("contacts", "DELETE FROM contacts WHERE tenant_id = $1 AND id = $2"),
    )


def _chains(keys: Sequence[ForeignKey], table: str, so_far: tuple[ForeignKey, ...]) -> Iterator[tuple[ForeignKey, ...]]:
    for key in keys:
        if key.parent.name == table and key not in so_far:
            chain = (*so_far, key)
            yield chain
            yield from _chains(keys, key.child.name, chain)


def _delete(chain: Sequence[ForeignKey]) -> str:
    condition = "tenant_id = $1 AND id = $2"
    for key in chain:
        columns = ", ".join(column for column, _ in key.pairs)
        of_parent = ", ".join(column for _, column in key.pairs)
        parents = f"SELECT {of_parent} FROM {key.parent.name} WHERE {condition}"
        condition = f"tenant_id = $1 AND ({columns}) IN ({parents})"
    return f"DELETE FROM {chain[-1].child.name} WHERE {condition}"


async def lock(tx: TenantTx, contact_id: UUID) -> tuple[UUID, ...] | None:
    """Hold the contact and all that its turns write to, so that nothing is added until the transaction ends; the ids of
    its conversations, or None when there is no such contact."""
    # In the order in which turns take them: who books locks the contact by its foreign key first, who stores a turn the
    # conversation, who claims a call the turn alone.
    found = await tx.value(
        "SELECT id FROM contacts WHERE tenant_id = $1 AND id = $2 FOR UPDATE", tx.tenant_id, contact_id
    )
    if found is None:
        return None
    rows = await tx.rows(
        "SELECT id FROM conversations WHERE tenant_id = $1 AND contact_id = $2 ORDER BY id FOR UPDATE",
        tx.tenant_id,
        contact_id,
    )
    conversation_ids = tuple(row["id"] for row in rows)
    await tx.execute(
        "SELECT FROM turns WHERE tenant_id = $1 AND conversation_id = ANY($2) AND status IN ('queued', 'running') "
        "ORDER BY id FOR UPDATE",
        tx.tenant_id,
        list(conversation_ids),
    )
    return conversation_ids


async def remove(tx: TenantTx, contact_id: UUID, steps: Sequence[Removal]) -> dict[str, int]:
    """Remove the locked contact; how many rows went from each table, empty ones left out."""
    removed: dict[str, int] = {}
    for step in steps:
        count = await tx.execute(step.statement, tx.tenant_id, contact_id)
        if count:
            removed[step.table] = removed.get(step.table, 0) + count
    return removed


async def bookings_to_come(tx: TenantTx, contact_id: UUID) -> tuple[FreedBooking, ...]:
    """The contact's live bookings that are not over."""
    rows = await tx.rows(
        "SELECT b.calendar_id, c.owner_member_id, b.starts_at, b.ends_at FROM bookings b "
        "JOIN calendars c ON c.tenant_id = b.tenant_id AND c.id = b.calendar_id "
        "WHERE b.tenant_id = $1 AND b.contact_id = $2 AND b.status IN ('held', 'pending', 'confirmed') "
        "AND b.ends_at > now() ORDER BY b.starts_at, b.id",
        tx.tenant_id,
        contact_id,
    )
    return tuple(FreedBooking(*row.values()) for row in rows)


async def usage_rows(tx: TenantTx, conversation_ids: Sequence[UUID]) -> int:
    """How many rows of usage the turns of these conversations have."""
    return await tx.value(
        "SELECT count(*) FROM turns t JOIN usage u ON u.tenant_id = t.tenant_id AND u.turn_id = t.id "
        "WHERE t.tenant_id = $1 AND t.conversation_id = ANY($2)",
        tx.tenant_id,
        list(conversation_ids),
    )


async def rows_of_tenant(tx: TenantTx) -> dict[str, int]:
    """How many rows the tenant has in each of its tables, empty ones left out."""
    tables = [table for table in await all_tables(tx) if table.tenant_column and table.readable]
    counts = (
        f"SELECT '{table.name}' AS name, count(*) AS held FROM {table.name} r WHERE r.{table.tenant_column} = $1"
        for table in tables
    )
    rows = await tx.rows(" UNION ALL ".join(counts), tx.tenant_id)
    return {row["name"]: row["held"] for row in rows if row["held"]}
