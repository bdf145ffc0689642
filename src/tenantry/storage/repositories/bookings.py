"""Bookings: no two live ones of a calendar overlap, and an effect that is made again finds what it made before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.booking import Booking, BookingStatus, DailyLimit, Interval
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import calendars
from tenantry.storage.tenancy import Row, TenantTx

HOLD_FOR = timedelta(minutes=2)

COLUMNS = (
    "b.tenant_id, b.id, b.calendar_id, b.agent_id, b.contact_id, b.conversation_id, b.status, b.starts_at, b.ends_at, "
    "b.time_zone, b.title, b.details, b.remote_calendar_id, b.sequence, b.created_at, b.updated_at"
)
# A booking that its contact has, though a remote calendar may still have to take it.
TAKEN = frozenset({BookingStatus.CONFIRMED, BookingStatus.PENDING})
# What is in a remote calendar is to be changed there too.
_WANTED = "wanted = wanted + CASE WHEN remote_calendar_id IS NULL THEN 0 ELSE 1 END"
# Of `bookings o`, those that count towards a day's limit.
_COUNTS = "(o.status IN ('pending', 'confirmed') OR (o.status = 'held' AND o.hold_expires_at > clock_timestamp()))"
_object = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class NewBooking:
    """A booking to be held. `buffer` is the least gap to any other, `limit` bounds the day that it is on; `effect_key`
    names the effect for ever: holding again under the same key gives the same booking, whatever its `id`.
    `reference_hash` finds it by the code that the contact is told."""

    effect_key: str
    calendar_id: UUID
    agent_id: UUID
    contact_id: UUID
    conversation_id: UUID
    slot: Interval
    buffer: timedelta
    time_zone: str
    title: str
    details: Mapping[str, Any]
    limit: DailyLimit | None = None
    reference_hash: bytes | None = None
    id: UUID = field(default_factory=new_id)


def booking_from(row: Row) -> Booking:
    return Booking(
        tenant_id=row["tenant_id"],
        id=row["id"],
        calendar_id=row["calendar_id"],
        agent_id=row["agent_id"],
        contact_id=row["contact_id"],
        conversation_id=row["conversation_id"],
        status=BookingStatus(row["status"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        time_zone=row["time_zone"],
        title=row["title"],
        details=_object.decode(row["details"]),
        remote_calendar_id=row["remote_calendar_id"],
        sequence=row["sequence"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def clear(calendar: str, booking: str, start: str, end: str, buffer: str) -> str:
    """The condition that no other live booking of the calendar is nearer than the larger of the two buffers. The
    arguments are SQL; a booking lasts a day at most and so does a buffer, which bounds the search by starts_at."""
    gap = f"greatest({buffer}, upper(o.blocked) - o.ends_at)"
    return (
        f"NOT EXISTS (SELECT FROM bookings o WHERE o.tenant_id = $1 AND o.calendar_id = {calendar} "
        f"AND o.id <> {booking} AND o.status IN ('held', 'pending', 'confirmed') "
        f"AND o.starts_at > {start} - interval '48 hours' AND o.starts_at < {end} + interval '24 hours' "
        f"AND o.starts_at < {end} + {gap} AND o.ends_at + {gap} > {start})"
    )


def _has_room(booking: str, calendar: str, agent: str, limit: int) -> str:
    """The condition that the day of the limit, whose three parameters begin at `limit`, has room for the booking. The
    other arguments are SQL."""
    return (
        f"(${limit}::int IS NULL OR ${limit}::int > (SELECT count(*) FROM bookings o WHERE o.tenant_id = $1 "
        f"AND o.calendar_id = {calendar} AND o.agent_id = {agent} AND o.id <> {booking} AND {_COUNTS} "
        f"AND o.starts_at >= ${limit + 1}::timestamptz AND o.starts_at < ${limit + 2}::timestamptz))"
    )


def _parameters(limit: DailyLimit | None) -> tuple[int | None, datetime | None, datetime | None]:
    return (limit.maximum, limit.day.start, limit.day.end) if limit else (None, None, None)


async def hold(tx: TenantTx, new: NewBooking, *, hold_for: timedelta = HOLD_FOR) -> Booking | None:
    """Hold the slot, for `hold_for` unless it is confirmed; None when it is taken or its day is full.

    Whatever was made under the same effect key before is given back as it is now, even cancelled.
    """
    await calendars.lock(tx, new.calendar_id)
    earlier = await by_effect_key(tx, new.effect_key)
    if earlier is not None:
        return earlier
    await _expire(tx, new.calendar_id, new.slot)
    # ON CONFLICT: who does not lock the calendar is still held off by the constraint, and then it is taken as well.
    row = await tx.row(
        "INSERT INTO bookings AS b (tenant_id, id, calendar_id, agent_id, contact_id, conversation_id, effect_key, "
        "status, starts_at, ends_at, blocked, time_zone, hold_expires_at, title, details, reference_hash) "
        "SELECT $1, $2, $3, $4, $5, $6, $7, 'held', $8, $9, tstzrange($8, $9::timestamptz + $10::interval), $11, "
        "clock_timestamp() + $12::interval, $13, $14, $15 "
        f"WHERE {clear('$3', '$2', '$8::timestamptz', '$9::timestamptz', '$10::interval')} "
        f"AND {_has_room('$2', '$3', '$4', limit=16)} "
        f"ON CONFLICT DO NOTHING RETURNING {COLUMNS}",
        tx.tenant_id,
        new.id,
        new.calendar_id,
        new.agent_id,
        new.contact_id,
        new.conversation_id,
        new.effect_key,
        new.slot.start,
        new.slot.end,
        new.buffer,
        new.time_zone,
        hold_for,
        new.title,
        new.details,
        new.reference_hash,
        *_parameters(new.limit),
    )
    return booking_from(row) if row else None


async def confirm(
    tx: TenantTx, booking: Booking, remote_calendar_id: UUID | None = None, *, limit: DailyLimit | None = None
) -> Booking | None:
    """Make a held booking firm, or pending where it is to go to a remote calendar that is still there; an expired one
    too while nobody took its slot and its day has room. None when the slot is gone."""
    await calendars.lock(tx, booking.calendar_id)
    if remote_calendar_id is not None:
        # Its owner may have disconnected it since it was looked up.
        remote_calendar_id = await tx.value(
            "SELECT id FROM remote_calendars WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE",
            tx.tenant_id,
            remote_calendar_id,
        )
    await _expire(tx, booking.calendar_id, Interval(booking.starts_at, booking.ends_at))
    buffer = "upper(b.blocked) - b.ends_at"
    await tx.execute(
        "UPDATE bookings b SET status = CASE WHEN $3::uuid IS NULL THEN 'confirmed' ELSE 'pending' END, "
        "remote_calendar_id = $3, wanted = CASE WHEN $3::uuid IS NULL THEN 0 ELSE 1 END, hold_expires_at = NULL, "
        "updated_at = now() WHERE b.tenant_id = $1 AND b.id = $2 AND b.status IN ('held', 'expired') "
        f"AND {clear('b.calendar_id', 'b.id', 'b.starts_at', 'b.ends_at', buffer)} "
        f"AND (b.status = 'held' OR {_has_room('b.id', 'b.calendar_id', 'b.agent_id', limit=4)})",
        tx.tenant_id,
        booking.id,
        remote_calendar_id,
        *_parameters(limit),
    )
    now = await get(tx, booking.id)
    return now if now and now.status in TAKEN else None


async def move(
    tx: TenantTx,
    booking: Booking,
    slot: Interval,
    *,
    buffer: timedelta,
    time_zone: str,
    details: Mapping[str, Any],
    limit: DailyLimit | None = None,
) -> Booking | None:
    """Put a booking into another slot of its calendar and add to its details, in one statement; one that is in a remote
    calendar is pending then. None when the slot is taken, its day is full, or the booking is neither confirmed nor
    pending any more."""
    await calendars.lock(tx, booking.calendar_id)
    await _expire(tx, booking.calendar_id, slot)
    row = await tx.row(
        "UPDATE bookings b SET starts_at = $3, ends_at = $4, blocked = tstzrange($3, $4::timestamptz + $5::interval), "
        "time_zone = $6, details = b.details || $7, updated_at = now(), sequence = sequence + 1, by_owner = false, "
        "requested_at = NULL, moved_from = CASE WHEN remote_id IS NULL THEN NULL "
        "ELSE coalesce(moved_from, tstzrange(starts_at, ends_at)) END, "
        f"status = CASE WHEN remote_calendar_id IS NULL THEN 'confirmed' ELSE 'pending' END, {_WANTED} "
        "WHERE b.tenant_id = $1 AND b.id = $2 AND b.status IN ('confirmed', 'pending') "
        f"AND {clear('b.calendar_id', 'b.id', '$3::timestamptz', '$4::timestamptz', '$5::interval')} "
        f"AND {_has_room('b.id', 'b.calendar_id', 'b.agent_id', limit=8)} "
        f"RETURNING {COLUMNS}",
        tx.tenant_id,
        booking.id,
        slot.start,
        slot.end,
        buffer,
        time_zone,
        details,
        *_parameters(limit),
    )
    return booking_from(row) if row else None


async def cancel(tx: TenantTx, booking_id: UUID, *, details: Mapping[str, Any]) -> Booking | None:
    """Cancel a confirmed or pending booking and add to its details; None when it is neither any more."""
    row = await tx.row(
        "UPDATE bookings b SET status = 'cancelled', details = b.details || $3, updated_at = now(), "
        f"sequence = sequence + 1, {_WANTED} "
        f"WHERE b.tenant_id = $1 AND b.id = $2 AND b.status IN ('confirmed', 'pending') RETURNING {COLUMNS}",
        tx.tenant_id,
        booking_id,
        details,
    )
    return booking_from(row) if row else None


async def _expire(tx: TenantTx, calendar_id: UUID, near: Interval) -> None:
    # A hold that ran out still excludes others in the constraint until its status says so.
    await tx.execute(
        "UPDATE bookings SET status = 'expired', hold_expires_at = NULL, updated_at = now() "
        "WHERE tenant_id = $1 AND calendar_id = $2 AND status = 'held' AND hold_expires_at <= clock_timestamp() "
        "AND starts_at > $3::timestamptz - interval '48 hours' AND starts_at < $4::timestamptz + interval '24 hours'",
        tx.tenant_id,
        calendar_id,
        near.start,
        near.end,
    )


async def get(tx: TenantTx, booking_id: UUID) -> Booking | None:
    """The booking, whatever its status."""
    row = await tx.row(
        f"SELECT {COLUMNS} FROM bookings b WHERE b.tenant_id = $1 AND b.id = $2", tx.tenant_id, booking_id
    )
    return booking_from(row) if row else None


async def by_effect_key(tx: TenantTx, effect_key: str) -> Booking | None:
    """The booking that was made under this key, whatever its status."""
    row = await tx.row(
        f"SELECT {COLUMNS} FROM bookings b WHERE b.tenant_id = $1 AND b.effect_key = $2", tx.tenant_id, effect_key
    )
    return booking_from(row) if row else None


async def busy(
    tx: TenantTx, calendar_id: UUID, starts: Interval, *, buffer: timedelta, excluding: UUID | None = None
) -> list[Interval]:
    """All that could stand in the way of an appointment that starts in `starts`: the live bookings but `excluding`,
    each longer on both sides by what its own buffer exceeds `buffer`."""
    rows = await tx.rows(
        "SELECT starts_at - extra AS start, ends_at + extra AS end FROM (SELECT starts_at, ends_at, "
        "greatest(upper(blocked) - ends_at - $5::interval, interval '0') AS extra FROM bookings "
        "WHERE tenant_id = $1 AND calendar_id = $2 AND starts_at > $3::timestamptz - interval '48 hours' "
        "AND starts_at < $4::timestamptz + interval '48 hours' AND id IS DISTINCT FROM $6 "
        "AND (status IN ('confirmed', 'pending') OR (status = 'held' AND hold_expires_at > clock_timestamp()))) live",
        tx.tenant_id,
        calendar_id,
        starts.start,
        starts.end,
        buffer,
        excluding,
    )
    return [Interval(row["start"], row["end"]) for row in rows]


async def counted(
    tx: TenantTx, calendar_id: UUID, agent_id: UUID, window: Interval, *, excluding: UUID | None = None
) -> list[datetime]:
    """The starts in the window of the agent's bookings in the calendar that count towards its days' limits, but of
    `excluding`."""
    rows = await tx.rows(
        f"SELECT o.starts_at FROM bookings o WHERE o.tenant_id = $1 AND o.calendar_id = $2 AND o.agent_id = $3 "
        f"AND o.id IS DISTINCT FROM $4 AND {_COUNTS} AND o.starts_at >= $5 AND o.starts_at < $6",
        tx.tenant_id,
        calendar_id,
        agent_id,
        excluding,
        window.start,
        window.end,
    )
    return [row["starts_at"] for row in rows]


async def by_reference(tx: TenantTx, calendar_id: UUID, reference_hash: bytes, now: datetime) -> Booking | None:
    """The confirmed booking in this calendar that is not over and that the code of this hash was told for."""
    row = await tx.row(
        f"SELECT {COLUMNS} FROM bookings b WHERE b.tenant_id = $1 AND b.reference_hash = $2 AND b.calendar_id = $3 "
        "AND b.status IN ('confirmed', 'pending') AND b.ends_at > $4",
        tx.tenant_id,
        reference_hash,
        calendar_id,
        now,
    )
    return booking_from(row) if row else None


async def upcoming(
    tx: TenantTx, *, calendar_id: UUID, agent_id: UUID, contact_id: UUID, now: datetime
) -> list[Booking]:
    """The contact's bookings with this agent in this calendar that are not over, soonest first."""
    rows = await tx.rows(
        f"SELECT {COLUMNS} FROM bookings b WHERE b.tenant_id = $1 AND b.contact_id = $2 AND b.agent_id = $3 "
        "AND b.calendar_id = $4 AND b.status IN ('confirmed', 'pending') AND b.ends_at > $5 "
        "ORDER BY b.starts_at, b.id LIMIT 100",
        tx.tenant_id,
        contact_id,
        agent_id,
        calendar_id,
        now,
    )
    return [booking_from(row) for row in rows]


async def list_page(
    tx: TenantTx,
    *,
    sees_only: UUID | None,
    starts_from: datetime,
    starts_before: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Booking]:
    """Up to `limit` confirmed and pending bookings in order of start and id, those after the one with the start and id
    `after`.

    With `sees_only` those in the calendars of that member and of the tenant itself, else those of all.
    """
    after_start, after_id = after or (None, None)
    rows = await tx.rows(
        f"SELECT {COLUMNS} FROM bookings b JOIN calendars c ON c.tenant_id = b.tenant_id AND c.id = b.calendar_id "
        "WHERE b.tenant_id = $1 AND ($2::uuid IS NULL OR c.owner_member_id IS NULL OR c.owner_member_id = $2) "
        "AND b.status IN ('confirmed', 'pending') AND b.starts_at >= $3 "
        "AND ($4::timestamptz IS NULL OR b.starts_at < $4) "
        "AND ($5::timestamptz IS NULL OR (b.starts_at, b.id) > ($5, $6::uuid)) ORDER BY b.starts_at, b.id LIMIT $7",
        tx.tenant_id,
        sees_only,
        starts_from,
        starts_before,
        after_start,
        after_id,
        limit,
    )
    return [booking_from(row) for row in rows]


async def of_calendar(tx: TenantTx, calendar_id: UUID, *, ends_after: datetime, most: int) -> list[Booking]:
    """Up to `most` confirmed bookings of the calendar in order of start, those that end after this moment."""
    rows = await tx.rows(
        f"SELECT {COLUMNS} FROM bookings b WHERE b.tenant_id = $1 AND b.calendar_id = $2 AND b.status = 'confirmed' "
        "AND b.starts_at > $3::timestamptz - interval '24 hours' AND b.ends_at > $3 "
        "ORDER BY b.starts_at, b.id LIMIT $4",
        tx.tenant_id,
        calendar_id,
        ends_after,
        most,
    )
    return [booking_from(row) for row in rows]


async def changed_by(tx: TenantTx, effect_key: str, turn_id: UUID) -> Booking | None:
    """The booking that this effect of the turn moved or cancelled, as the audit log has it."""
    # Ids begin with their time in milliseconds: nothing is read from before the turn, but for an hour of clocks that
    # differ.
    since = UUID(int=max(0, turn_id.int - (3_600_000 << 80)))
    target: str | None = await tx.value(
        "SELECT target FROM audit_log WHERE tenant_id = $1 AND id >= $2 "
        "AND action IN ('booking.moved', 'booking.cancelled') AND details ->> 'effect_key' = $3",
        tx.tenant_id,
        since,
        effect_key,
    )
    return await get(tx, UUID(target.removeprefix("booking:"))) if target else None
