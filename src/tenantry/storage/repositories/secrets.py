"""Sealed secrets of tenants and of their members."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tenantry.domain.errors import InvalidInput
from tenantry.domain.provider import SecretName
from tenantry.storage.repositories import tenants
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "tenant_id, id, owner_member_id, name, created_at, updated_at"
_OF_OWNER = "tenant_id = $1 AND owner_member_id IS NOT DISTINCT FROM $2 AND name = $3"


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret as the vault sealed it, and whose it is."""

    id: UUID
    owner_member_id: UUID | None
    sealed: bytes


def _name_from(row: Row) -> SecretName:
    return SecretName(
        tenant_id=row["tenant_id"],
        id=row["id"],
        owner_member_id=row["owner_member_id"],
        name=row["name"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def list_page(tx: TenantTx, *, sees_only: UUID | None, before: UUID | None, limit: int) -> list[SecretName]:
    """Up to `limit` names that may be seen, newest first, made before the one with id `before`."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM secrets WHERE tenant_id = $1 "
        "AND ($2::uuid IS NULL OR owner_member_id IS NULL OR owner_member_id = $2) "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        tx.tenant_id,
        sees_only,
        before,
        limit,
    )
    return [_name_from(row) for row in rows]


async def find(tx: TenantTx, name: str, owner_member_id: UUID | None) -> StoredSecret | None:
    """The secret of that name which calls of this owner are sent with: the owner's own before the tenant's."""
    row = await tx.row(
        "SELECT id, owner_member_id, sealed FROM secrets "
        "WHERE tenant_id = $1 AND name = $3 AND (owner_member_id IS NULL OR owner_member_id = $2) "
        "ORDER BY owner_member_id NULLS LAST LIMIT 1",
        tx.tenant_id,
        owner_member_id,
        name,
    )
    return StoredSecret(row["id"], row["owner_member_id"], row["sealed"]) if row else None


async def lock_id(tx: TenantTx, owner_member_id: UUID | None, name: str) -> UUID | None:
    """The id of the owner's own secret of that name; until the transaction ends, nobody else changes the tenant's
    secrets."""
    await tenants.raise_settings_stamp(tx)
    return await tx.value(f"SELECT id FROM secrets WHERE {_OF_OWNER}", tx.tenant_id, owner_member_id, name)


async def put(tx: TenantTx, secret_id: UUID, owner_member_id: UUID | None, name: str, sealed: bytes) -> SecretName:
    """Keep a secret under an id that `lock_id` gave, or that is new. Raises InvalidInput when the owner is no member of
    the tenant."""
    try:
        row = await tx.one(
            "INSERT INTO secrets (tenant_id, id, owner_member_id, name, sealed) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (tenant_id, id) DO UPDATE SET sealed = excluded.sealed, updated_at = now() "
            f"RETURNING {_COLUMNS}",
            tx.tenant_id,
            secret_id,
            owner_member_id,
            name,
            sealed,
        )
    except asyncpg.ForeignKeyViolationError:
        raise InvalidInput("`owner_member_id` is no member of this tenant.") from None
    return _name_from(row)


async def delete(tx: TenantTx, owner_member_id: UUID | None, name: str) -> UUID | None:
    """Remove the owner's own secret of that name; its id, or None when there is none."""
    await tenants.raise_settings_stamp(tx)
    return await tx.value(f"DELETE FROM secrets WHERE {_OF_OWNER} RETURNING id", tx.tenant_id, owner_member_id, name)


async def delete_all(tx: TenantTx, owner_member_id: UUID) -> list[str]:
    """Remove all secrets of a member; their names."""
    await tenants.raise_settings_stamp(tx)
    rows = await tx.rows(
        "DELETE FROM secrets WHERE tenant_id = $1 AND owner_member_id = $2 RETURNING name",
        tx.tenant_id,
        owner_member_id,
    )
    return sorted(row["name"] for row in rows)
