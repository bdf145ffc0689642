"""Bringing what was booked here into the calendar at the provider, once, and whatever happens on the way.

A booking says what is wanted; a job brings its remote event to that, however often it runs: make it, move it, take it
away. One job at a time has the booking's lease. A process that is killed anywhere in between leaves the lease, which
runs out, and the job, which is run again; what it had done at the provider by then is found there by the booking's id.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from tenantry.calendars.base import CalendarProvider
from tenantry.calendars.remote import RemoteSides
from tenantry.calendars.settling import LEASE, SETTLE, Settling, remove_event
from tenantry.domain.booking import BookingStatus
from tenantry.domain.calendar import Appointment
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken, TenantryError
from tenantry.domain.ids import new_id
from tenantry.storage import jobs
from tenantry.storage.jobs import Later
from tenantry.storage.repositories import booking_notices, outbox, remote_calendars
from tenantry.storage.repositories.outbox import Unsettled
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

_SHARE_OF_LEASE = 0.75
_BUSY = timedelta(seconds=0.5)
# What only the owner can mend is looked at again after this, and at once when they have.
_BROKEN_S = 300.0

_Trouble = CalendarUnavailable | ConnectionBroken | CalendarRefused | TimeoutError
_TROUBLES = (CalendarUnavailable, ConnectionBroken, CalendarRefused, TimeoutError)


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles bookings of all tenants. `poll` is how soon changes are looked for where something was booked."""

    db: Database
    sides: RemoteSides
    lease: timedelta = LEASE
    poll: timedelta = timedelta(minutes=1)

    async def settle(self, tenant_id: UUID, booking_id: UUID) -> None:
        """Bring the booking's remote event to what is wanted. Raises Later."""
        holder = new_id()
        async with self.db.tenant(tenant_id) as tx:
            work = await outbox.claim(tx, booking_id, holder, self.lease)
            if work is None:
                if not await outbox.is_settled(tx, booking_id):
                    # A job of its own: waiting is no failed attempt, after which it would wait longer and longer.
                    await jobs.enqueue(tx, SETTLE, booking_id, after=_BUSY)
                return
            remote = await self.sides.of_booking(tx, work.booking)
        settling = Settling(self.db, self.sides, work, holder, self.poll)
        try:
            async with asyncio.timeout(self.lease.total_seconds() * _SHARE_OF_LEASE):
                await settling.run(remote)
        except _TROUBLES as error:
            await self._put_off(work, holder, error)
        except BaseException:
            with suppress(TenantryError):
                await self._release(work, holder)
            raise

    async def remove(self, tenant_id: UUID, booking_id: UUID) -> None:
        """Take away the event of a booking that was deleted. Raises Later."""
        async with self.db.tenant(tenant_id) as tx:
            gone = await outbox.removal(tx, booking_id)
            calendar = await remote_calendars.get(tx, gone.remote_calendar_id) if gone else None
        if gone is None:
            return
        if calendar is not None:
            nameless = Appointment(gone.booking_id, gone.slot, "UTC", "")
            try:
                async with asyncio.timeout(self.lease.total_seconds() * _SHARE_OF_LEASE):
                    provider: CalendarProvider = await self.sides.provider(calendar)
                    await remove_event(provider, calendar.remote_id, gone.remote_id, nameless)
            except _TROUBLES as error:
                if gone.slot.end > datetime.now(UTC):
                    raise _later(error) from error
                log.warning("event left behind", tenant_id=str(tenant_id), booking_id=str(booking_id))
        async with self.db.tenant(tenant_id) as tx:
            await outbox.removed(tx, booking_id)

    async def _put_off(self, work: Unsettled, holder: UUID, error: _Trouble) -> None:
        """It could not be done now. Raises Later while there is something to wait for."""
        booking, now, left = work.booking, datetime.now(UTC), None
        over = work.slot.start <= now
        async with self.db.tenant(booking.tenant_id) as tx:
            if booking.status is BookingStatus.PENDING and (over or isinstance(error, CalendarRefused)):
                left = await outbox.put_back(tx, work, holder) or await outbox.decline(tx, work, holder)
                if left is not None and left.requested:
                    await booking_notices.leave(tx, booking.id, "declined")
            elif work.slot.end <= now:
                log.warning("event left behind", tenant_id=str(booking.tenant_id), booking_id=str(booking.id))
                await outbox.settle(tx, work, holder, booking.status, work.remote_id, work.remote_tag)
                return
            await outbox.release(tx, booking.id, holder)
        # What was given up may have left something there, which is not for its owner to mend.
        raise (Later("given_up") if left else _later(error)) from error

    async def _release(self, work: Unsettled, holder: UUID) -> None:
        async with self.db.tenant(work.booking.tenant_id) as tx:
            await outbox.release(tx, work.booking.id, holder)


def _later(error: _Trouble) -> Later:
    if isinstance(error, TimeoutError):
        return Later("timeout")
    return Later(error.code, error.retry_after if isinstance(error, CalendarUnavailable) else _BROKEN_S)
