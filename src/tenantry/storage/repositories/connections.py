"""What members signed in to. Tokens and passwords come and go sealed; times are compared by the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from tenantry.domain.connection import Connection, Health, ProviderName
from tenantry.domain.errors import InvalidInput
from tenantry.storage.tenancy import Row, TenantTx

# A connection is only ever found by whose it is.
_OF_OWNER = "tenant_id = $1 AND owner_member_id IS NOT DISTINCT FROM $2 AND provider = $3"
# How long before the end of a consent its owner is told.
_NOTICE = "interval '7 days'"
_CONNECTION = f"""
    tenant_id, id, owner_member_id, provider, account, scopes, expires_at, created_at, updated_at,
    CASE WHEN health <> 'ok' THEN health
         WHEN failing_since IS NOT NULL OR refresh_expires_at < now() + {_NOTICE} THEN 'expiring'
         ELSE 'ok' END AS health,
    CASE WHEN reason = '' AND refresh_expires_at < now() + {_NOTICE}
         THEN 'The consent ends at ' || to_char(refresh_expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
              || '; sign in again before.'
         ELSE reason END AS reason
"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider gave, as it is kept. `expires_in` and `refresh_expires_in` count from `asked_at`, a time of the
    database; None: no end is known. Scopes that are None are as they were."""

    sealed: bytes
    scopes: Sequence[str] | None = None
    asked_at: datetime | None = None
    expires_in: timedelta | None = None
    refresh_expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """A connection as it is now. `usable` says that its access token has not ended, `due` that it soon does and nobody
    tried to renew it just now, `leased` that somebody is renewing it, `failed_at` when that failed last, None when it
    did not since it worked."""

    id: UUID
    sealed: bytes
    version: int
    broken: bool
    reason: str
    usable: bool
    due: bool
    leased: bool
    failed_at: datetime | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Margins:
    """How long before its end a token is renewed, how long before it it counts as ended, and how long a renewal that
    failed is not tried again while the token still works."""

    early: timedelta
    least: timedelta
    pause: timedelta


def _connection_from(row: Row) -> Connection:
    return Connection(
        tenant_id=row["tenant_id"],
        id=row["id"],
        owner_member_id=row["owner_member_id"],
        provider=row["provider"],
        account=row["account"],
        scopes=tuple(row["scopes"]),
        health=Health(row["health"]),
        reason=row["reason"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def list_page(tx: TenantTx, *, sees_only: UUID | None, before: UUID | None, limit: int) -> list[Connection]:
    """Up to `limit` connections that may be seen, newest first, made before the one with id `before`."""
    rows = await tx.rows(
        f"SELECT {_CONNECTION} FROM connections WHERE tenant_id = $1 "
        "AND ($2::uuid IS NULL OR owner_member_id IS NULL OR owner_member_id = $2) "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        tx.tenant_id,
        sees_only,
        before,
        limit,
    )
    return [_connection_from(row) for row in rows]


async def count_by_health(tx: TenantTx) -> dict[Health, int]:
    """How many of the tenant's connections stand how; those that nobody has are left out."""
    rows = await tx.rows(
        f"SELECT health, count(*) AS number FROM (SELECT {_CONNECTION} FROM connections WHERE tenant_id = $1) c "
        "GROUP BY health",
        tx.tenant_id,
    )
    return {Health(row["health"]): row["number"] for row in rows}


async def find(tx: TenantTx, owner_member_id: UUID | None, provider: ProviderName) -> Connection | None:
    """The owner's connection to the provider."""
    row = await tx.row(
        f"SELECT {_CONNECTION} FROM connections WHERE {_OF_OWNER}", tx.tenant_id, owner_member_id, provider
    )
    return _connection_from(row) if row else None


async def get(tx: TenantTx, connection_id: UUID) -> Connection | None:
    """One connection, for jobs, which name it by its id."""
    row = await tx.row(
        f"SELECT {_CONNECTION} FROM connections WHERE tenant_id = $1 AND id = $2", tx.tenant_id, connection_id
    )
    return _connection_from(row) if row else None


async def lock_id(tx: TenantTx, owner_member_id: UUID | None, provider: ProviderName) -> UUID | None:
    """The id of the owner's connection to the provider; until the transaction ends, nobody else makes or changes it."""
    whose = f"connection {tx.tenant_id} {owner_member_id} {provider}"
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", whose)
    return await tx.value(
        f"SELECT id FROM connections WHERE {_OF_OWNER} FOR UPDATE", tx.tenant_id, owner_member_id, provider
    )


async def keep(
    tx: TenantTx,
    connection_id: UUID,
    owner_member_id: UUID | None,
    provider: ProviderName,
    *,
    account: str,
    tokens: Tokens,
) -> Connection:
    """Keep what its owner signed in to, under the id that `lock_id` gave, or a new one when it gave none. Raises
    InvalidInput when the owner is no member of the tenant."""
    try:
        row = await tx.one(
            "INSERT INTO connections (tenant_id, id, owner_member_id, provider, account, scopes, sealed, expires_at, "
            "refresh_expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8::interval, now() + $9::interval) "
            "ON CONFLICT (tenant_id, id) DO UPDATE SET account = excluded.account, scopes = excluded.scopes, "
            "sealed = excluded.sealed, expires_at = excluded.expires_at, version = connections.version + 1, "
            "refresh_expires_at = excluded.refresh_expires_at, health = 'ok', reason = '', failing_since = NULL, "
            f"lease_holder = NULL, lease_until = NULL, updated_at = now() RETURNING {_CONNECTION}",
            tx.tenant_id,
            connection_id,
            owner_member_id,
            provider,
            account,
            tokens.scopes or (),
            tokens.sealed,
            tokens.expires_in,
            tokens.refresh_expires_in,
        )
    except asyncpg.ForeignKeyViolationError:
        raise InvalidInput("`owner_member_id` is no member of this tenant.") from None
    return _connection_from(row)


async def read(
    tx: TenantTx, owner_member_id: UUID | None, provider: ProviderName, margins: Margins
) -> StoredConnection | None:
    """The owner's credential for the provider as it stands."""
    row = await tx.row(
        "SELECT id, sealed, version, health <> 'ok' AS broken, reason, "
        "coalesce(expires_at > now() + $4::interval, true) AS usable, "
        "coalesce(expires_at < now() + $5::interval, false) "
        "AND NOT (failing_since IS NOT NULL AND updated_at > now() - $6::interval) AS due, "
        "coalesce(lease_until > now(), false) AS leased, "
        "CASE WHEN failing_since IS NOT NULL THEN updated_at END AS failed_at, now() AS read_at "
        f"FROM connections WHERE {_OF_OWNER}",
        tx.tenant_id,
        owner_member_id,
        provider,
        margins.least,
        margins.early,
        margins.pause,
    )
    return StoredConnection(**row) if row else None


async def take_lease(tx: TenantTx, connection_id: UUID, version: int, holder: UUID, length: timedelta) -> bool:
    """Become the one who renews this version; False when somebody is at it, or when it is not the newest any more."""
    touched = await tx.execute(
        "UPDATE connections SET lease_holder = $4, lease_until = now() + $5::interval WHERE tenant_id = $1 AND id = $2 "
        "AND version = $3 AND health = 'ok' AND (lease_until IS NULL OR lease_until <= now())",
        tx.tenant_id,
        connection_id,
        version,
        holder,
        length,
    )
    return touched == 1


async def renewed(tx: TenantTx, connection_id: UUID, version: int, tokens: Tokens) -> bool:
    """Put new tokens in the place of those of this version; False when it is not the newest any more."""
    touched = await tx.execute(
        "UPDATE connections SET sealed = $4, scopes = coalesce($5, scopes), version = version + 1, "
        "expires_at = $6::timestamptz + $7::interval, "
        "refresh_expires_at = coalesce($6::timestamptz + $8::interval, refresh_expires_at), "
        "health = 'ok', reason = '', failing_since = NULL, lease_holder = NULL, lease_until = NULL, updated_at = now() "
        "WHERE tenant_id = $1 AND id = $2 AND version = $3",
        tx.tenant_id,
        connection_id,
        version,
        tokens.sealed,
        tokens.scopes,
        tokens.asked_at,
        tokens.expires_in,
        tokens.refresh_expires_in,
    )
    return touched == 1


async def give_lease_back(tx: TenantTx, connection_id: UUID, holder: UUID, reason: str) -> None:
    """Let somebody else renew it: this time it failed, for a reason that may pass."""
    await tx.execute(
        "UPDATE connections SET failing_since = coalesce(failing_since, now()), reason = $4, lease_holder = NULL, "
        "lease_until = NULL, updated_at = now() WHERE tenant_id = $1 AND id = $2 AND lease_holder = $3",
        tx.tenant_id,
        connection_id,
        holder,
        reason,
    )


async def set_broken(tx: TenantTx, connection_id: UUID, version: int, health: Health, reason: str) -> bool:
    """Keep that its owner has to sign in again; False when this version is not the newest any more."""
    touched = await tx.execute(
        "UPDATE connections SET health = $4, reason = $5, lease_holder = NULL, lease_until = NULL, updated_at = now() "
        "WHERE tenant_id = $1 AND id = $2 AND version = $3 AND health = 'ok'",
        tx.tenant_id,
        connection_id,
        version,
        health,
        reason,
    )
    return touched == 1


async def delete(tx: TenantTx, connection_id: UUID) -> bytes | None:
    """Remove a connection that `lock_id` gave; its sealed credential."""
    return await tx.value(
        "DELETE FROM connections WHERE tenant_id = $1 AND id = $2 RETURNING sealed", tx.tenant_id, connection_id
    )


async def delete_all(tx: TenantTx, owner_member_id: UUID) -> list[str]:
    """Remove all connections of a member, by the operator; the names of the providers."""
    rows = await tx.rows(
        "DELETE FROM connections WHERE tenant_id = $1 AND owner_member_id = $2 RETURNING provider",
        tx.tenant_id,
        owner_member_id,
    )
    return sorted(row["provider"] for row in rows)
