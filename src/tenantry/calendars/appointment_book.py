"""An owner's appointments: bookings in our own database, each step a short transaction of its own, and what has to be
done in a calendar at a provider left to a job in the same transaction."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tenantry.calendars.remote import Remote, RemoteSides
from tenantry.calendars.settling import SETTLE
from tenantry.domain.booking import Booking, BookingStatus, DailyLimit, Interval
from tenantry.storage import jobs
from tenantry.storage.repositories import audit, bookings, calendars, outbox
from tenantry.storage.repositories.bookings import TAKEN, NewBooking
from tenantry.storage.tenancy import Database, TenantTx

# How long a contact waits for a calendar at a provider before being told that it takes longer, in seconds.
PATIENCE_S = 8.0
_LOOK_S = (0.02, 0.05, 0.1, 0.2)
_LONGEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes a booking: one step of a turn, and on whose behalf. `key` is the same in every attempt."""

    key: str
    turn_id: UUID
    actor: str


@dataclass(frozen=True, slots=True)
class AppointmentBook:
    """One owner's appointments.

    A booking is held, then confirmed or, where the owner's bookings go to a calendar at a provider (`remote`), pending
    until that has taken it. A process that is killed in between leaves a hold: the same effect run again finds and
    confirms it, and without that it runs out and is free again. Every change of a booking, the record that this effect
    made it and the job that brings it to the provider are one transaction, so that an effect run again changes nothing
    a second time and nothing is forgotten.
    """

    db: Database
    tenant_id: UUID
    id: UUID
    sides: RemoteSides
    remote: Remote | None = None

    @classmethod
    async def of_owner(
        cls, db: Database, sides: RemoteSides, tenant_id: UUID, owner_member_id: UUID | None
    ) -> "AppointmentBook":
        """The appointments of a member or, with no owner, of the tenant."""
        async with db.tenant(tenant_id) as tx:
            calendar_id = await calendars.find_or_create(tx, owner_member_id)
            return cls(db, tenant_id, calendar_id, sides, await sides.of_owner(tx, calendar_id))

    async def busy(self, starts: Interval, buffer: timedelta, excluding: UUID | None = None) -> list[Interval]:
        """All that could stand in the way of an appointment that starts in `starts`, here and at providers, other than
        the booking `excluding`; to be kept `buffer` away from. Raises CalendarUnavailable, ConnectionBroken and
        CalendarRefused when a provider does not say."""
        here = await self.busy_here(starts, buffer, excluding)
        if self.remote is None:
            return here
        return [*here, *await self.sides.busy(self.remote, _reach(starts, buffer), excluding)]

    async def lately_busy(self, starts: Interval, buffer: timedelta, excluding: UUID | None = None) -> list[Interval]:
        """As `busy`, but what providers know as it may have been two seconds ago: for offers."""
        here = await self.busy_here(starts, buffer, excluding)
        if self.remote is None:
            return here
        return [*here, *await self.sides.lately_busy(self.remote, _reach(starts, buffer), excluding)]

    async def busy_here(self, starts: Interval, buffer: timedelta, excluding: UUID | None = None) -> list[Interval]:
        """As `busy`, but for what only providers know."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.busy(tx, self.id, starts, buffer=buffer, excluding=excluding)

    async def counted(self, agent_id: UUID, window: Interval, excluding: UUID | None = None) -> list[datetime]:
        """The starts in the window of the agent's appointments that count towards its days' limits, other than the
        booking `excluding`."""
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.counted(tx, self.id, agent_id, window, excluding=excluding)

    @property
    def settled_by_provider(self) -> bool:
        """Whether a booking is checked against the provider's calendars, and made in one, after it was held here."""
        return self.remote is not None and self.remote.takes_bookings is not None

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
        """Make the hold a booking, or pending; None when it ran out and its slot was taken or its day filled, or when
        it was cancelled or declined. One that was confirmed before is given back as it is."""
        takes_bookings = self.remote.takes_bookings if self.remote else None
        async with self.db.tenant(self.tenant_id) as tx:
            booked = await bookings.confirm(tx, held, takes_bookings.id if takes_bookings else None, limit=limit)
            if booked is not None and booked.status is BookingStatus.PENDING:
                await jobs.enqueue(tx, SETTLE, booked.id)
            elif booked is not None:
                await self.sides.invite(tx, booked.id)
            return booked

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
        """Move a booking into the slot, adding to its details; None when the slot is taken, its day is full, or the
        booking is neither confirmed nor pending any more."""
        async with self.db.tenant(self.tenant_id) as tx:
            moved = await bookings.move(
                tx, booking, slot, buffer=buffer, time_zone=time_zone, details=details, limit=limit
            )
            return await self._recorded(tx, "booking.moved", moved, effect)

    async def cancel(self, booking: Booking, details: Mapping[str, Any], effect: Effect) -> Booking | None:
        """Cancel a booking, adding to its details; None when it is neither confirmed nor pending any more."""
        async with self.db.tenant(self.tenant_id) as tx:
            cancelled = await bookings.cancel(tx, booking.id, details=details)
            return await self._recorded(tx, "booking.cancelled", cancelled, effect)

    async def decided(self, booking: Booking) -> Booking:
        """The booking as soon as it is not pending any more. One that still is after `PATIENCE_S` is kept as a request:
        its contact is told later what became of it, in a turn of theirs."""
        loop = asyncio.get_running_loop()
        until, looks = loop.time() + PATIENCE_S, 0
        while booking.status is BookingStatus.PENDING:
            if loop.time() >= until:
                return await self._requested(booking)
            await asyncio.sleep(_LOOK_S[min(looks, len(_LOOK_S) - 1)])
            looks += 1
            booking = await self._now(booking)
        return booking

    async def find(self, booking_id: UUID, *, contact_id: UUID, now: datetime) -> Booking | None:
        """The contact's own booking here that is not over, by its id."""
        async with self.db.tenant(self.tenant_id) as tx:
            found = await bookings.get(tx, booking_id)
        if found is None or found.calendar_id != self.id or found.contact_id != contact_id:
            return None
        return found if found.status in TAKEN and found.ends_at > now else None

    async def next_of(self, agent_id: UUID, contact_id: UUID, now: datetime) -> Booking | None:
        """The contact's soonest booking with this agent that is not over."""
        async with self.db.tenant(self.tenant_id) as tx:
            found = await bookings.upcoming(tx, calendar_id=self.id, agent_id=agent_id, contact_id=contact_id, now=now)
        return found[0] if found else None

    async def _now(self, booking: Booking) -> Booking:
        async with self.db.tenant(self.tenant_id) as tx:
            return await bookings.get(tx, booking.id) or booking

    async def _requested(self, booking: Booking) -> Booking:
        async with self.db.tenant(self.tenant_id) as tx:
            if await outbox.request(tx, booking.id):
                return booking
            return await bookings.get(tx, booking.id) or booking

    async def _recorded(self, tx: TenantTx, action: str, booking: Booking | None, effect: Effect) -> Booking | None:
        if booking is None:
            return None
        if booking.remote_calendar_id is not None:
            await jobs.enqueue(tx, SETTLE, booking.id)
        else:
            await self.sides.invite(tx, booking.id)
        target, details = f"booking:{booking.id}", {"effect_key": effect.key}
        await audit.record(tx, actor=effect.actor, action=action, target=target, details=details)
        return booking


def _reach(starts: Interval, buffer: timedelta) -> Interval:
    return Interval(starts.start - buffer, starts.end + _LONGEST + buffer)
