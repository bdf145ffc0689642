"""The feeds of calendars: who knows a feed's secret, of which only the hash is kept, reads the appointments."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.storage.repositories import calendars
from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class FeedCalendar:
    """The calendar that a feed is of. `name` is its owner's, a member's or the tenant's."""

    id: UUID
    name: str


async def put(tx: TenantTx, owner_member_id: UUID | None, feed_hash: bytes) -> datetime:
    """Give the owner's calendar this feed, in the place of the one it had; when it was made."""
    calendar_id = await calendars.find_or_create(tx, owner_member_id)
    return await tx.value(
        "UPDATE calendars SET feed_hash = $3, feed_made_at = now() WHERE tenant_id = $1 AND id = $2 "
        "RETURNING feed_made_at",
        tx.tenant_id,
        calendar_id,
        feed_hash,
    )


async def remove(tx: TenantTx, owner_member_id: UUID | None) -> bool:
    """End the feed of the owner's calendar; False when it has none."""
    touched = await tx.execute(
        "UPDATE calendars SET feed_hash = NULL, feed_made_at = NULL WHERE tenant_id = $1 "
        "AND owner_member_id IS NOT DISTINCT FROM $2 AND feed_hash IS NOT NULL",
        tx.tenant_id,
        owner_member_id,
    )
    return touched > 0


async def made_at(tx: TenantTx, owner_member_id: UUID | None) -> datetime | None:
    """When the feed of the owner's calendar was made; None when it has none."""
    return await tx.value(
        "SELECT feed_made_at FROM calendars WHERE tenant_id = $1 AND owner_member_id IS NOT DISTINCT FROM $2",
        tx.tenant_id,
        owner_member_id,
    )


async def find(tx: TenantTx, feed_hash: bytes) -> FeedCalendar | None:
    """The calendar of the feed with this hash; None when there is none, or its owner is no member any more."""
    row = await tx.row(
        "SELECT c.id, coalesce(nullif(m.display_name, ''), t.name) AS name FROM calendars c "
        "JOIN tenants t ON t.id = c.tenant_id "
        "LEFT JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.owner_member_id "
        "WHERE c.tenant_id = $1 AND c.feed_hash = $2 AND m.removed_at IS NULL",
        tx.tenant_id,
        feed_hash,
    )
    return FeedCalendar(row["id"], row["name"]) if row else None
