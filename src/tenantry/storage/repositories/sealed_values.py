"""Every place that keeps sealed values, for sealing them anew."""

from dataclasses import dataclass
from uuid import UUID

from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values of this `kind`; `member` is the column of whom they are bound to, None where they are
    the tenant's."""

    table: str
    column: str
    member: str | None
    kind: str


COLUMNS = (
    SealedColumn("providers", "sealed_key", None, "provider"),
    SealedColumn("secrets", "sealed", "owner_member_id", "secret"),
    SealedColumn("connections", "sealed", "owner_member_id", "connection"),
    SealedColumn("consents", "sealed_verifier", "owner_member_id", "consent"),
    SealedColumn("call_recordings", "sealed", None, "recording"),
)


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A sealed value and what it is bound to besides tenant and kind."""

    id: UUID
    member_id: UUID | None
    sealed: bytes


async def list_other(
    tx: TenantTx, of: SealedColumn, header: bytes, *, after: UUID | None, limit: int
) -> list[SealedValue]:
    """Up to `limit` values of the tenant that do not begin with this header, by id, behind the one with id `after`."""
    rows = await tx.rows(
        f"SELECT id, {of.member or 'NULL::uuid'} AS member_id, {of.column} AS sealed FROM {of.table} "
        f"WHERE tenant_id = $1 AND {of.column} IS NOT NULL AND substring({of.column} FOR $3::int) <> $2 "
        "AND ($4::uuid IS NULL OR id > $4) ORDER BY id LIMIT $5",
        tx.tenant_id,
        header,
        len(header),
        after,
        limit,
    )
    return [SealedValue(row["id"], row["member_id"], row["sealed"]) for row in rows]


async def replace(tx: TenantTx, of: SealedColumn, value: SealedValue, sealed: bytes) -> bool:
    """Put the same value, sealed anew, in its place; False when another one is there meanwhile."""
    touched = await tx.execute(
        f"UPDATE {of.table} SET {of.column} = $4 WHERE tenant_id = $1 AND id = $2 AND {of.column} = $3",
        tx.tenant_id,
        value.id,
        value.sealed,
        sealed,
    )
    return touched == 1
