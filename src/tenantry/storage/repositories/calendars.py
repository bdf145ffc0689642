"""Calendars: where the bookings of an owner are kept."""

from collections.abc import Collection
from uuid import UUID

from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import TenantTx

_FIND = "SELECT id FROM calendars WHERE tenant_id = $1 AND owner_member_id IS NOT DISTINCT FROM $2"


async def find_or_create(tx: TenantTx, owner_member_id: UUID | None) -> UUID:
    """The id of the calendar of a member or, with no owner, of the tenant; made when it is not there yet."""
    found = await tx.value(_FIND, tx.tenant_id, owner_member_id)
    if found is None:
        await tx.execute(
            "INSERT INTO calendars (tenant_id, id, owner_member_id) VALUES ($1, $2, $3) "
            "ON CONFLICT (tenant_id, owner_member_id) DO NOTHING",
            tx.tenant_id,
            new_id(),
            owner_member_id,
        )
        found = (await tx.one(_FIND, tx.tenant_id, owner_member_id))["id"]
    return found


async def lock(tx: TenantTx, calendar_id: UUID) -> None:
    """Until the transaction ends, nobody else holds, confirms or moves in this calendar.

    The exclusion constraint alone keeps bookings apart, but two statements that meet in it may deadlock, and it knows
    the buffer of the earlier booking only.
    """
    await tx.one(
        "SELECT id FROM calendars WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE", tx.tenant_id, calendar_id
    )


async def owners(tx: TenantTx, calendar_ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """The owner of each of these calendars: a member, or None for the tenant."""
    rows = await tx.rows(
        "SELECT id, owner_member_id FROM calendars WHERE tenant_id = $1 AND id = ANY($2)",
        tx.tenant_id,
        list(calendar_ids),
    )
    return {row["id"]: row["owner_member_id"] for row in rows}
