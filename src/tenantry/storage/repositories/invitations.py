"""What is remembered of the mails about a booking."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.booking import Booking
from tenantry.domain.connection import ProviderName
from tenantry.storage.repositories import bookings
from tenantry.storage.tenancy import TenantTx

_definition = msgspec.json.Decoder(AgentDefinition)


@dataclass(frozen=True, slots=True)
class Invited:
    """The last mail: to whom, of which change (`Booking.sequence`), and by which iTIP method."""

    address: str
    sequence: int
    method: str


@dataclass(frozen=True, slots=True)
class Invitee:
    """A booking, whose calendar it is in (None: the tenant's) and at which provider (None: ours alone), its agent as it
    answers now, and the last mail about it."""

    booking: Booking
    owner_member_id: UUID | None
    provider: ProviderName | None
    definition: AgentDefinition
    invited: Invited | None


async def get(tx: TenantTx, booking_id: UUID) -> Invitee | None:
    """All that an invitation is made of; None when there is no such booking."""
    booking = await bookings.get(tx, booking_id)
    if booking is None:
        return None
    row = await tx.one(
        "SELECT coalesce(v.definition, a.definition) AS definition, c.owner_member_id, n.provider, "
        "b.invited_address, b.invited_sequence, b.invited_method FROM bookings b "
        "JOIN calendars c ON c.tenant_id = b.tenant_id AND c.id = b.calendar_id "
        "JOIN agents a ON a.tenant_id = b.tenant_id AND a.id = b.agent_id "
        "LEFT JOIN agent_versions v ON v.tenant_id = a.tenant_id AND v.agent_id = a.id AND v.number = a.published "
        "LEFT JOIN remote_calendars r ON r.tenant_id = b.tenant_id AND r.id = b.remote_calendar_id "
        "LEFT JOIN connections n ON n.tenant_id = r.tenant_id AND n.id = r.connection_id "
        "WHERE b.tenant_id = $1 AND b.id = $2",
        tx.tenant_id,
        booking_id,
    )
    method = row["invited_method"]
    return Invitee(
        booking=booking,
        owner_member_id=row["owner_member_id"],
        provider=row["provider"],
        definition=_definition.decode(row["definition"]),
        invited=Invited(row["invited_address"], row["invited_sequence"], method) if method else None,
    )


async def remember(tx: TenantTx, booking_id: UUID, invited: Invited) -> None:
    """Keep that this was mailed, unless a later change was meanwhile."""
    await tx.execute(
        "UPDATE bookings SET invited_address = $3, invited_sequence = $4, invited_method = $5 "
        "WHERE tenant_id = $1 AND id = $2 AND coalesce(invited_sequence, 0) <= $4",
        tx.tenant_id,
        booking_id,
        invited.address,
        invited.sequence,
        invited.method,
    )
