"""What became of contacts' appointments without them, until they were told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.domain.calendar import BookingNotice
from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import TenantTx

Kind = Literal["confirmed", "declined", "moved", "cancelled"]

_notices = msgspec.json.Decoder(tuple[BookingNotice, ...])

# For a statement with a conversation `c`: what its contact is to be told by the agent that answers in it.
OF_CONVERSATION = (
    "(SELECT jsonb_agg(to_jsonb(n) ORDER BY n.id) FROM booking_notices n WHERE n.tenant_id = c.tenant_id "
    "AND n.contact_id = c.contact_id AND n.agent_id = c.agent_id) AS notices"
)


def notices_from(text: str | None) -> tuple[BookingNotice, ...]:
    """The notices of a row with `OF_CONVERSATION`."""
    return _notices.decode(text) if text else ()


async def leave(
    tx: TenantTx,
    booking_id: UUID,
    kind: Kind,
    previous: datetime | None = None,
) -> None:
    """Have the contact of the booking told by its agent. A newer one takes the place of an older one of the booking,
    but keeps since when the contact knew it to be."""
    await tx.execute(
        "WITH older AS (DELETE FROM booking_notices WHERE tenant_id = $1 AND booking_id = $3 RETURNING previous_start) "
        "INSERT INTO booking_notices (tenant_id, id, booking_id, contact_id, agent_id, kind, starts_at, "
        "previous_start, time_zone, title) "
        "SELECT b.tenant_id, $2, b.id, b.contact_id, b.agent_id, $4, b.starts_at, "
        "coalesce((SELECT min(previous_start) FROM older), $5), b.time_zone, b.title "
        "FROM bookings b WHERE b.tenant_id = $1 AND b.id = $3",
        tx.tenant_id,
        new_id(),
        booking_id,
        kind,
        previous,
    )


async def told(tx: TenantTx, notice_ids: Sequence[UUID]) -> None:
    """The contact knows."""
    await tx.execute(
        "DELETE FROM booking_notices WHERE tenant_id = $1 AND id = ANY($2)", tx.tenant_id, list(notice_ids)
    )
