"""API keys, of which only the hash is kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.domain.access import ROLE_SCOPES, Principal, Scope
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Role
from tenantry.storage.repositories import limits
from tenantry.storage.repositories.tenants import tenant_from
from tenantry.storage.tenancy import Row, TenantTx

_PRINCIPAL = f"""
    SELECT k.id AS key_id, k.member_id, k.scopes, m.role,
           t.id AS tenant_id, t.slug, t.name AS tenant_name, t.time_zone, t.allowed_models, t.active_agent_id,
           t.settings_stamp,
           {limits.EFFECTIVE}
    FROM api_keys k
    JOIN tenants t ON t.id = k.tenant_id
    {limits.JOIN}
    LEFT JOIN members m ON m.tenant_id = k.tenant_id AND m.id = k.member_id AND m.removed_at IS NULL
    WHERE k.tenant_id = $1 AND k.revoked_at IS NULL AND (k.member_id IS NULL OR m.id IS NOT NULL)
"""


async def principal_of(tx: TenantTx, key_hash: bytes) -> Principal | None:
    """Whoever holds the key with this hash: None when it is not there, is revoked, or its member was removed."""
    return _principal_from(await tx.row(f"{_PRINCIPAL} AND k.key_hash = $2", tx.tenant_id, key_hash))


async def holder_of(tx: TenantTx, key_id: UUID) -> Principal | None:
    """Whoever holds the key with this id: None when it is not there, is revoked, or its member was removed."""
    return _principal_from(await tx.row(f"{_PRINCIPAL} AND k.id = $2", tx.tenant_id, key_id))


def _principal_from(row: Row | None) -> Principal | None:
    if row is None:
        return None
    role = Role(row["role"]) if row["role"] else None
    allowed = ROLE_SCOPES[role] if role else frozenset(Scope)
    return Principal(
        tenant=tenant_from(row, limits.limits_from(row)),
        key_id=row["key_id"],
        member_id=row["member_id"],
        role=role,
        scopes=allowed.intersection(row["scopes"]),
    )


async def in_use(tx: TenantTx, key_id: UUID) -> bool:
    """Whether the key still opens anything: it is not revoked, and its member was not removed."""
    return await tx.value(
        "SELECT EXISTS (SELECT FROM api_keys k LEFT JOIN members m ON m.tenant_id = k.tenant_id AND m.id = k.member_id "
        "AND m.removed_at IS NULL WHERE k.tenant_id = $1 AND k.id = $2 AND k.revoked_at IS NULL "
        "AND (k.member_id IS NULL OR m.id IS NOT NULL))",
        tx.tenant_id,
        key_id,
    )


async def create(tx: TenantTx, *, key_hash: bytes, name: str, member_id: UUID | None, scopes: frozenset[Scope]) -> UUID:
    """Keep a new key of the tenant, or of one of its members."""
    key_id = new_id()
    await tx.execute(
        "INSERT INTO api_keys (tenant_id, id, member_id, name, key_hash, scopes) VALUES ($1, $2, $3, $4, $5, $6)",
        tx.tenant_id,
        key_id,
        member_id,
        name,
        key_hash,
        sorted(scopes),
    )
    return key_id


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key."""

    id: UUID
    name: str
    member_id: UUID | None
    scopes: tuple[str, ...]
    created_at: datetime


async def list_in_use(tx: TenantTx) -> list[ApiKey]:
    """The tenant's keys that are not revoked, the oldest first."""
    rows = await tx.rows(
        "SELECT id, name, member_id, scopes, created_at FROM api_keys "
        "WHERE tenant_id = $1 AND revoked_at IS NULL ORDER BY id",
        tx.tenant_id,
    )
    return [ApiKey(row["id"], row["name"], row["member_id"], tuple(row["scopes"]), row["created_at"]) for row in rows]


async def revoke(tx: TenantTx, key_id: UUID) -> bool:
    """End a key at once; False when there is no such key in use."""
    touched = await tx.execute(
        "UPDATE api_keys SET revoked_at = now() WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        tx.tenant_id,
        key_id,
    )
    return touched == 1


async def revoke_all(tx: TenantTx, member_id: UUID) -> int:
    """End all keys of a member at once; how many there were."""
    return await tx.execute(
        "UPDATE api_keys SET revoked_at = now() WHERE tenant_id = $1 AND member_id = $2 AND revoked_at IS NULL",
        tx.tenant_id,
        member_id,
    )
