"""Consents that were asked for and are not given yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from tenantry.domain.connection import ProviderName
from tenantry.domain.errors import InvalidInput
from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """A consent as it was asked for; `asked_by` is the key that asked."""

    id: UUID
    owner_member_id: UUID | None
    provider: ProviderName
    sealed_verifier: bytes
    redirect_uri: str
    asked_by: UUID


async def ask(
    tx: TenantTx, consent: StoredConsent, *, state_hash: bytes, session_hash: bytes, lasts: timedelta
) -> datetime:
    """Keep what is asked for; when it ends. What has ended is removed. Raises InvalidInput when the owner is no member
    of the tenant."""
    await tx.execute("DELETE FROM consents WHERE tenant_id = $1 AND expires_at <= now()", tx.tenant_id)
    try:
        return await tx.value(
            "INSERT INTO consents (tenant_id, id, owner_member_id, provider, sealed_verifier, redirect_uri, asked_by, "
            "state_hash, session_hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::interval) "
            "RETURNING expires_at",
            tx.tenant_id,
            consent.id,
            consent.owner_member_id,
            consent.provider,
            consent.sealed_verifier,
            consent.redirect_uri,
            f"key:{consent.asked_by}",
            state_hash,
            session_hash,
            lasts,
        )
    except asyncpg.ForeignKeyViolationError:
        raise InvalidInput("`owner_member_id` is no member of this tenant.") from None


async def take(tx: TenantTx, *, state_hash: bytes, session_hash: bytes) -> StoredConsent | None:
    """Use a consent, which nobody can do a second time. None when there is none of this state, when it has ended, or
    when another session asked for it, which leaves it to that one."""
    row = await tx.row(
        "DELETE FROM consents WHERE tenant_id = $1 AND state_hash = $2 AND session_hash = $3 AND expires_at > now() "
        "RETURNING id, owner_member_id, provider, sealed_verifier, redirect_uri, asked_by",
        tx.tenant_id,
        state_hash,
        session_hash,
    )
    if row is None:
        return None
    return StoredConsent(
        id=row["id"],
        owner_member_id=row["owner_member_id"],
        provider=row["provider"],
        sealed_verifier=row["sealed_verifier"],
        redirect_uri=row["redirect_uri"],
        asked_by=UUID(row["asked_by"].removeprefix("key:")),
    )
