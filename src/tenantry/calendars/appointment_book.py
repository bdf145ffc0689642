"""The built-in calendar: bookings in our own database, each step a short transaction of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tenantry.domain.booking import Booking, BookingStatus, DailyLimit, Interval
from tenantry.storage.repositories import audit, bookings, calendars
from tenantry.storage.repositories.bookings import NewBooking
from tenantry.storage.tenancy import Database, TenantTx


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes a booking: one step of a turn, and on whose behalf. `key` is the same in every attempt."""

    key: str
    turn_id: UUID
    actor: str


@dataclass(frozen=True, slots=True)
class AppointmentBook:
    """One owner's built-in calendar.

    A booking is held, then confirmed. A process that is killed in between leaves a hold: the same effect run again
    finds and confirms it, and without that it runs out and is free again. Every change of a booking and the record that
    this effect made it are one transaction, so that an effect run again changes nothing a second time.
    """

    db: Database
    tenant_id: UUID
    id: UUID

    @classmethod
    async def of_owner(cls, db: Database, tenant_id: UUID, owner_member_id: UUID | None) -> "AppointmentBook":
        """The calendar of a member or, with no owner, of the tenant."""
        async with db.tenant(tenant_id) as tx:
            return cls(db, tenant_id, await calendars.find_or_create(tx, owner_member_id))

    async def busy(self, starts: Interval, buffer: timedelta, excluding: UUID | None = None) -> list[Interval]:
        """All that could stand in the way of an appointment that starts in `starts`, other than the booking
        `excluding`; to be kept `buffer` away from."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.busy(tx, self.id, starts, buffer=buffer, excluding=excluding)

    async def counted(self, agent_id: UUID, window: Interval, excluding: UUID | None = None) -> list[datetime]:
        """The starts in the window of the agent's appointments that count towards its days' limits, other than the
        booking `excluding`."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.counted(tx, self.id, agent_id, window, excluding=excluding)

    async def made_by(self, effect: Effect) -> Booking | None:
        """What an earlier attempt of the effect held or booked, whatever became of it."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.by_effect_key(tx, effect.key)

    async def changed_by(self, effect: Effect) -> Booking | None:
        """What an earlier attempt of the effect moved or cancelled."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.changed_by(tx, effect.key, effect.turn_id)

    async def hold(self, new: NewBooking, hold_for: timedelta = bookings.HOLD_FOR) -> Booking | None:
        """Keep the slot until it is confirmed or `hold_for` has passed; None when it is taken or its day is full."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.hold(tx, new, hold_for=hold_for)

    async def confirm(self, held: Booking, limit: DailyLimit | None = None) -> Booking | None:
        """Make the hold a booking; None when it ran out and its slot was taken or its day filled, or when it was
        cancelled."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.confirm(tx, held, limit=limit)

    async def move(
        self,
        booking: Booking,
        slot: Interval,
        effect: Effect,
        *,
        buffer: timedelta,
        time_zone: str,
        details: Mapping[str, Any],
        limit: DailyLimit | None = None,
    ) -> Booking | None:
        """Move a confirmed booking into the slot, adding to its details; None when the slot is taken, its day is full,
        or the booking is not confirmed any more."""
        async with self.db.tenant(self.tenant_id) as tx:
            moved = await bookings.move(
                tx, booking, slot, buffer=buffer, time_zone=time_zone, details=details, limit=limit
            )
            return await _recorded(tx, "booking.moved", moved, effect)

    async def cancel(self, booking: Booking, details: Mapping[str, Any], effect: Effect) -> Booking | None:
        """Cancel a confirmed booking, adding to its details; None when it is not confirmed any more."""
        async with self.db.tenant(self.tenant_id) as tx:
            cancelled = await bookings.cancel(tx, booking.id, details=details)
            return await _recorded(tx, "booking.cancelled", cancelled, effect)

    async def find(self, booking_id: UUID, *, contact_id: UUID, now: datetime) -> Booking | None:
        """The contact's own confirmed booking in this calendar that is not over, by its id."""
        async with self.db.tenant(self.tenant_id) as tx:
            found = await bookings.get(tx, booking_id)
        if found is None or found.calendar_id != self.id or found.contact_id != contact_id:
            return None
        return found if found.status is BookingStatus.CONFIRMED and found.ends_at > now else None

    async def next_of(self, agent_id: UUID, contact_id: UUID, now: datetime) -> Booking | None:
        """The contact's soonest confirmed booking with this agent that is not over."""
        async with self.db.tenant(self.tenant_id) as tx:
            found = await bookings.upcoming(tx, calendar_id=self.id, agent_id=agent_id, contact_id=contact_id, now=now)
        return found[0] if found else None


async def _recorded(tx: TenantTx, action: str, booking: Booking | None, effect: Effect) -> Booking | None:
    if booking is not None:
        await audit.record(
            tx,
            actor=effect.actor,
            action=action,
            target=f"booking:{booking.id}",
            details={"effect_key": effect.key},
        )
    return booking
