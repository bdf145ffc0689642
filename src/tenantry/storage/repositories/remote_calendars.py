"""The calendars at providers that stand for an owner's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tenantry.domain.booking import Interval
from tenantry.domain.calendar import CalendarChoice, RemoteCalendar
from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import Row, TenantTx

_SELECT = (
    "SELECT r.tenant_id, r.id, r.calendar_id, r.connection_id, n.owner_member_id, n.provider, r.remote_id, r.name, "
    "r.counts_busy, r.takes_bookings, r.synced_at FROM remote_calendars r "
    "JOIN connections n ON n.tenant_id = r.tenant_id AND n.id = r.connection_id"
)


def _remote_from(row: Row) -> RemoteCalendar:
    return RemoteCalendar(**dict(row))


async def of_calendar(tx: TenantTx, calendar_id: UUID) -> list[RemoteCalendar]:
    """Those that stand for an owner's calendar, the one that takes bookings first."""
    rows = await tx.rows(
        f"{_SELECT} WHERE r.tenant_id = $1 AND r.calendar_id = $2 ORDER BY r.takes_bookings DESC, r.name, r.id",
        tx.tenant_id,
        calendar_id,
    )
    return [_remote_from(row) for row in rows]


async def of_connection(tx: TenantTx, connection_id: UUID) -> list[RemoteCalendar]:
    """Those of one connection."""
    rows = await tx.rows(
        f"{_SELECT} WHERE r.tenant_id = $1 AND r.connection_id = $2 ORDER BY r.name, r.id", tx.tenant_id, connection_id
    )
    return [_remote_from(row) for row in rows]


async def get(tx: TenantTx, remote_calendar_id: UUID) -> RemoteCalendar | None:
    """One of them."""
    row = await tx.row(f"{_SELECT} WHERE r.tenant_id = $1 AND r.id = $2", tx.tenant_id, remote_calendar_id)
    return _remote_from(row) if row else None


async def booked(tx: TenantTx, connection_id: UUID) -> set[str]:
    """The remote ids of those of one connection in which there are appointments to come, or some still to be removed
    from."""
    rows = await tx.rows(
        "SELECT r.remote_id FROM remote_calendars r WHERE r.tenant_id = $1 AND r.connection_id = $2 AND ("
        "EXISTS (SELECT FROM bookings b WHERE b.tenant_id = r.tenant_id AND b.remote_calendar_id = r.id "
        "AND (b.settled < b.wanted OR b.status = 'confirmed' AND b.ends_at > now())) "
        "OR EXISTS (SELECT FROM remote_removals m WHERE m.tenant_id = r.tenant_id AND m.remote_calendar_id = r.id))",
        tx.tenant_id,
        connection_id,
    )
    return {row["remote_id"] for row in rows}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A calendar of a connection and what it is to be used for."""

    choice: CalendarChoice
    counts_busy: bool
    takes_bookings: bool


async def put(tx: TenantTx, calendar_id: UUID, connection_id: UUID, chosen: Sequence[Chosen]) -> None:
    """Use these calendars of a connection and no others of it. Bookings go to the one of all the owner's that was last
    chosen for them."""
    await tx.execute(
        "DELETE FROM remote_calendars WHERE tenant_id = $1 AND connection_id = $2 AND NOT remote_id = ANY($3)",
        tx.tenant_id,
        connection_id,
        [each.choice.remote_id for each in chosen],
    )
    if any(each.takes_bookings for each in chosen):
        await tx.execute(
            "UPDATE remote_calendars SET takes_bookings = false WHERE tenant_id = $1 AND calendar_id = $2",
            tx.tenant_id,
            calendar_id,
        )
    for each in chosen:
        await tx.execute(
            "INSERT INTO remote_calendars (tenant_id, id, calendar_id, connection_id, remote_id, name, counts_busy, "
            "takes_bookings) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
            "ON CONFLICT (tenant_id, connection_id, remote_id) DO UPDATE SET name = excluded.name, "
            "counts_busy = excluded.counts_busy, takes_bookings = excluded.takes_bookings",
            tx.tenant_id,
            new_id(),
            calendar_id,
            connection_id,
            each.choice.remote_id,
            each.choice.name,
            each.counts_busy,
            each.takes_bookings,
        )


async def due(tx: TenantTx, limit: int) -> list[tuple[UUID, UUID]]:
    """By the operator: (tenant, remote calendar) of those that are to be looked at for changes now."""
    rows = await tx.rows(
        "SELECT tenant_id, id FROM remote_calendars WHERE next_sync_at <= clock_timestamp() "
        "ORDER BY next_sync_at LIMIT $1",
        limit,
    )
    return [(row["tenant_id"], row["id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Look:
    """A look for changes: from `token`, which the last one left, begun at `began_at` by the database's clock; `last`
    where nothing is booked any more."""

    token: str | None
    began_at: datetime
    last: bool


async def claim_sync(
    tx: TenantTx, remote_calendar_id: UUID, again_after: timedelta, watched_again_after: timedelta
) -> Look | None:
    """Take a look that is due, so that nobody else does before `again_after` or, where the provider tells of changes,
    `watched_again_after`; None when none is due. After the last one, none is until `keep_in_sync`."""
    row = await tx.row(
        "UPDATE remote_calendars r SET next_sync_at = CASE "
        "WHEN NOT EXISTS (SELECT FROM bookings b WHERE b.tenant_id = r.tenant_id AND b.remote_calendar_id = r.id "
        "AND b.status IN ('pending', 'confirmed') AND b.ends_at > now()) THEN 'infinity' "
        "WHEN EXISTS (SELECT FROM calendar_watches w WHERE w.tenant_id = r.tenant_id AND w.remote_calendar_id = r.id "
        "AND w.expires_at > clock_timestamp() + $4::interval) THEN clock_timestamp() + greatest($3, $4::interval) "
        "ELSE clock_timestamp() + $3::interval END "
        "WHERE tenant_id = $1 AND id = $2 AND next_sync_at <= clock_timestamp() "
        "RETURNING sync_token, clock_timestamp() AS began_at, next_sync_at = 'infinity' AS last",
        tx.tenant_id,
        remote_calendar_id,
        again_after,
        watched_again_after,
    )
    return Look(row["sync_token"], row["began_at"], row["last"]) if row else None


async def keep_in_sync(tx: TenantTx, remote_calendar_id: UUID, after: timedelta) -> None:
    """Have it looked at for changes `after` that at the latest."""
    await tx.execute(
        "UPDATE remote_calendars SET next_sync_at = clock_timestamp() + $3::interval "
        "WHERE tenant_id = $1 AND id = $2 AND next_sync_at > clock_timestamp() + $3::interval",
        tx.tenant_id,
        remote_calendar_id,
        after,
    )


async def sync_now(tx: TenantTx, remote_calendar_id: UUID) -> None:
    """Have it looked at for changes at once."""
    await keep_in_sync(tx, remote_calendar_id, timedelta(0))


async def synced(tx: TenantTx, remote_calendar_id: UUID, look: Look, token: str) -> None:
    """Keep where the next look begins: where this one did, when a booking was not where it was wanted at any time of
    this one. What its owner did with its event meanwhile was told, and nobody could follow it."""
    # Ten seconds: what was begun before the look may have been committed in it.
    await tx.execute(
        "UPDATE remote_calendars r SET synced_at = clock_timestamp(), sync_token = CASE WHEN EXISTS (SELECT "
        "FROM bookings b WHERE b.tenant_id = $1 AND b.remote_calendar_id = $2 AND (b.settled < b.wanted "
        "OR (b.remote_id IS NOT NULL AND b.updated_at > $4::timestamptz - interval '10 seconds'))) "
        "THEN sync_token ELSE $3 END WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id,
        remote_calendar_id,
        token,
        look.began_at,
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A booking as it should stand in a remote calendar."""

    booking_id: UUID
    remote_id: str
    slot: Interval
    wanted: int


async def placed(tx: TenantTx, remote_calendar_id: UUID) -> list[Placed]:
    """The confirmed bookings to come whose events are in that calendar as wanted."""
    rows = await tx.rows(
        "SELECT id, remote_id, starts_at, ends_at, wanted FROM bookings "
        "WHERE tenant_id = $1 AND remote_calendar_id = $2 AND remote_id IS NOT NULL AND status = 'confirmed' "
        "AND settled = wanted AND ends_at > now()",
        tx.tenant_id,
        remote_calendar_id,
    )
    return [
        Placed(row["id"], row["remote_id"], Interval(row["starts_at"], row["ends_at"]), row["wanted"]) for row in rows
    ]


async def moved_there(tx: TenantTx, placed: Placed, slot: Interval) -> bool:
    """Follow an event that its owner moved, wherever it is now; False when the booking was changed here meanwhile."""
    return bool(
        await tx.execute(
            "UPDATE bookings b SET starts_at = $4, ends_at = $5, by_owner = true, sequence = sequence + 1, "
            "blocked = tstzrange($4, $5::timestamptz + (upper(blocked) - ends_at)), updated_at = now() "
            "WHERE tenant_id = $1 AND id = $2 AND wanted = $3 AND settled = wanted AND status = 'confirmed'",
            tx.tenant_id,
            placed.booking_id,
            placed.wanted,
            slot.start,
            slot.end,
        )
    )


async def deleted_there(tx: TenantTx, placed: Placed) -> bool:
    """Cancel a booking whose event its owner deleted; False when the booking was changed here meanwhile."""
    return bool(
        await tx.execute(
            "UPDATE bookings SET status = 'cancelled', by_owner = true, sequence = sequence + 1, updated_at = now() "
            "WHERE tenant_id = $1 AND id = $2 AND wanted = $3 AND settled = wanted AND status = 'confirmed'",
            tx.tenant_id,
            placed.booking_id,
            placed.wanted,
        )
    )
