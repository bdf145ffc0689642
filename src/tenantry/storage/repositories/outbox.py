"""What is still to be done at providers: bookings whose remote event is not as wanted, and who is doing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tenantry.domain.booking import Booking, BookingStatus, Interval
from tenantry.storage.repositories.bookings import COLUMNS, booking_from, clear
from tenantry.storage.tenancy import Row, TenantTx

_STATE = (
    f"{COLUMNS}, b.remote_id, b.remote_tag, b.wanted, b.requested_at, lower(b.moved_from) AS moved_start, "
    "upper(b.moved_from) AS moved_end, upper(b.blocked) - b.ends_at AS buffer"
)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A booking of which the remote calendar does not know everything yet. `wanted` is the change up to which it is
    brought there, `moved_from` the slot that it has there still, `requested` that its contact waits to hear of it."""

    booking: Booking
    buffer: timedelta
    remote_id: str | None
    remote_tag: str | None
    wanted: int
    moved_from: Interval | None
    requested: bool

    @property
    def slot(self) -> Interval:
        """Where it is to be."""
        return Interval(self.booking.starts_at, self.booking.ends_at)


def _unsettled_from(row: Row) -> Unsettled:
    moved = row["moved_start"]
    return Unsettled(
        booking=booking_from(row),
        buffer=row["buffer"],
        remote_id=row["remote_id"],
        remote_tag=row["remote_tag"],
        wanted=row["wanted"],
        moved_from=Interval(moved, row["moved_end"]) if moved is not None else None,
        requested=row["requested_at"] is not None,
    )


async def claim(tx: TenantTx, booking_id: UUID, holder: UUID, lease: timedelta) -> Unsettled | None:
    """Take the lease of a booking that is not settled; None when there is nothing to do, or another one has it."""
    row = await tx.row(
        "UPDATE bookings b SET settling_by = $3, settling_until = clock_timestamp() + $4::interval "
        "WHERE b.tenant_id = $1 AND b.id = $2 AND b.settled < b.wanted "
        f"AND (b.settling_until IS NULL OR b.settling_until < clock_timestamp()) RETURNING {_STATE}",
        tx.tenant_id,
        booking_id,
        holder,
        lease,
    )
    return _unsettled_from(row) if row else None


async def is_settled(tx: TenantTx, booking_id: UUID) -> bool:
    """Whether nothing is left to be done for the booking, also when it is not there any more."""
    return not await tx.value(
        "SELECT EXISTS (SELECT FROM bookings WHERE tenant_id = $1 AND id = $2 AND settled < wanted)",
        tx.tenant_id,
        booking_id,
    )


async def exists(tx: TenantTx, booking_id: UUID) -> bool:
    """Whether the booking is still there."""
    return bool(await tx.value("SELECT 1 FROM bookings WHERE tenant_id = $1 AND id = $2", tx.tenant_id, booking_id))


async def release(tx: TenantTx, booking_id: UUID, holder: UUID) -> None:
    """Give the lease back with nothing done."""
    await tx.execute(
        "UPDATE bookings SET settling_by = NULL, settling_until = NULL "
        "WHERE tenant_id = $1 AND id = $2 AND settling_by = $3",
        tx.tenant_id,
        booking_id,
        holder,
    )


async def settle(
    tx: TenantTx,
    done: Unsettled,
    holder: UUID,
    status: BookingStatus,
    remote_id: str | None,
    remote_tag: str | None,
) -> Unsettled | None:
    """Keep what was done, and give the lease back; the booking as it is now. The status is taken over unless the
    booking was changed meanwhile, and is then not settled. None when another one has taken the lease, or the booking is
    gone."""
    row = await tx.row(
        "UPDATE bookings b SET remote_id = $5::text, remote_tag = $6::text, settling_by = NULL, settling_until = NULL, "
        "updated_at = now(), settled = CASE WHEN wanted = $4 THEN $4 ELSE settled END, "
        "status = CASE WHEN wanted = $4 THEN $7::text ELSE status END, "
        "moved_from = CASE WHEN wanted = $4 THEN NULL WHEN $5::text IS NULL THEN NULL "
        "ELSE coalesce(moved_from, tstzrange($8::timestamptz, $9::timestamptz)) END "
        f"WHERE b.tenant_id = $1 AND b.id = $2 AND b.settling_by = $3 RETURNING {_STATE}",
        tx.tenant_id,
        done.booking.id,
        holder,
        done.wanted,
        remote_id,
        remote_tag,
        str(status),
        done.slot.start,
        done.slot.end,
    )
    return _unsettled_from(row) if row else None


async def put_back(tx: TenantTx, done: Unsettled, holder: UUID) -> Unsettled | None:
    """Put a booking that could not be moved back to where it was, which its remote event is then to follow; None when
    the slot was taken meanwhile, or it was changed again."""
    if done.moved_from is None:
        return None
    row = await tx.row(
        "UPDATE bookings b SET starts_at = $5, ends_at = $6, blocked = tstzrange($5, $6::timestamptz + $7::interval), "
        "status = 'confirmed', moved_from = NULL, wanted = wanted + 1, sequence = sequence + 1, settling_by = NULL, "
        "settling_until = NULL, updated_at = now() "
        "WHERE b.tenant_id = $1 AND b.id = $2 AND b.settling_by = $3 AND b.wanted = $4 "
        f"AND {clear('b.calendar_id', 'b.id', '$5::timestamptz', '$6::timestamptz', '$7::interval')} "
        f"RETURNING {_STATE}",
        tx.tenant_id,
        done.booking.id,
        holder,
        done.wanted,
        done.moved_from.start,
        done.moved_from.end,
        done.buffer,
    )
    return _unsettled_from(row) if row else None


async def decline(tx: TenantTx, work: Unsettled, holder: UUID) -> Unsettled | None:
    """Free the slot of a booking that could not be made in time; what may be there of it is still to be removed. None
    when the booking was changed meanwhile."""
    row = await tx.row(
        "UPDATE bookings b SET status = 'declined', settling_by = NULL, settling_until = NULL, updated_at = now() "
        "WHERE b.tenant_id = $1 AND b.id = $2 AND b.settling_by = $3 AND b.wanted = $4 AND b.status = 'pending' "
        f"RETURNING {_STATE}",
        tx.tenant_id,
        work.booking.id,
        holder,
        work.wanted,
    )
    return _unsettled_from(row) if row else None


async def on_their_way(tx: TenantTx, calendar_id: UUID, booking_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the bookings whose remote events are about to follow them to where they are here."""
    rows = await tx.rows(
        "SELECT id FROM bookings WHERE tenant_id = $1 AND calendar_id = $2 AND id = ANY($3) AND settled < wanted",
        tx.tenant_id,
        calendar_id,
        list(booking_ids),
    )
    return {row["id"] for row in rows}


async def request(tx: TenantTx, booking_id: UUID) -> bool:
    """Keep that the contact of a pending booking is told to wait, and will hear of it; False when it is not pending any
    more."""
    return bool(
        await tx.execute(
            "UPDATE bookings SET requested_at = coalesce(requested_at, now()) "
            "WHERE tenant_id = $1 AND id = $2 AND status = 'pending'",
            tx.tenant_id,
            booking_id,
        )
    )


async def unsettled_of_calendar(tx: TenantTx, calendar_id: UUID) -> list[UUID]:
    """The bookings of an owner's calendar that wait for a provider."""
    rows = await tx.rows(
        "SELECT id FROM bookings WHERE tenant_id = $1 AND calendar_id = $2 AND settled < wanted",
        tx.tenant_id,
        calendar_id,
    )
    return [row["id"] for row in rows]


async def count_unsettled(tx: TenantTx) -> int:
    """By the operator: how many bookings of all tenants are not at their provider as they should be."""
    return int(await tx.value("SELECT count(*) FROM bookings WHERE settled < wanted") or 0)


async def left_over(tx: TenantTx, job: str, limit: int) -> list[tuple[UUID, UUID]]:
    """By the operator: (tenant, booking) of those that are not settled and have no job of this name."""
    rows = await tx.rows(
        "SELECT tenant_id, id FROM bookings b WHERE settled < wanted AND NOT EXISTS (SELECT FROM pgqueuer q "
        "WHERE q.tenant_id = b.tenant_id AND q.entrypoint = $1 "
        "AND q.payload = uuid_send(b.tenant_id) || uuid_send(b.id)) LIMIT $2",
        job,
        limit,
    )
    return [(row["tenant_id"], row["id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Removed:
    """The event of a booking that is not here any more."""

    booking_id: UUID
    remote_calendar_id: UUID
    remote_id: str | None
    slot: Interval


async def leave_removals(tx: TenantTx, contact_id: UUID) -> list[UUID]:
    """Keep which events of a contact's bookings to come are to be removed when the bookings themselves are deleted; the
    bookings' ids. What is over stays where the owner has it."""
    rows = await tx.rows(
        "INSERT INTO remote_removals (tenant_id, id, remote_calendar_id, remote_id, starts_at, ends_at) "
        "SELECT tenant_id, id, remote_calendar_id, remote_id, starts_at, ends_at FROM bookings "
        "WHERE tenant_id = $1 AND contact_id = $2 AND remote_calendar_id IS NOT NULL AND ends_at > now() "
        "AND (settled < wanted OR status = 'confirmed') ON CONFLICT DO NOTHING RETURNING id",
        tx.tenant_id,
        contact_id,
    )
    return [row["id"] for row in rows]


async def removal(tx: TenantTx, booking_id: UUID) -> Removed | None:
    """What is to be removed for a booking that was deleted."""
    row = await tx.row(
        "SELECT remote_calendar_id, remote_id, starts_at, ends_at FROM remote_removals "
        "WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id,
        booking_id,
    )
    if row is None:
        return None
    slot = Interval(row["starts_at"], row["ends_at"])
    return Removed(booking_id, row["remote_calendar_id"], row["remote_id"], slot)


async def removed(tx: TenantTx, booking_id: UUID) -> None:
    """The event is gone."""
    await tx.execute("DELETE FROM remote_removals WHERE tenant_id = $1 AND id = $2", tx.tenant_id, booking_id)
