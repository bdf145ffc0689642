"""One settling of one booking, by whoever has its lease."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from tenantry.calendars.base import CalendarProvider
from tenantry.calendars.invitation import collected
from tenantry.calendars.invitations import attendee_of
from tenantry.calendars.remote import Remote, RemoteSides
from tenantry.domain.booking import BookingStatus, Interval
from tenantry.domain.calendar import Appointment, RemoteCalendar, RemoteEvent
from tenantry.domain.errors import CalendarUnavailable
from tenantry.storage import jobs
from tenantry.storage.repositories import agents, booking_notices, outbox, remote_calendars
from tenantry.storage.repositories.outbox import Unsettled
from tenantry.storage.tenancy import Database, TenantTx

# The jobs that settle the booking they are about, and that take away the event of a deleted one.
SETTLE: Final = "settle_booking"
REMOVE: Final = "remove_event"
# Longer than all requests of one settling together may take.
LEASE = timedelta(seconds=60)
_ASKED = BookingStatus.PENDING


@dataclass(frozen=True, slots=True)
class Settling:
    """Brings a claimed booking's remote event to what is wanted.

    What is asked for (`pending`) is only done where nothing else is in the slot, which is asked before and, since the
    provider keeps nobody out, again afterwards; then ours gives way.
    """

    db: Database
    sides: RemoteSides
    work: Unsettled
    holder: UUID
    poll: timedelta

    async def run(self, remote: Remote | None) -> None:
        """Do it, in the owner's calendars as they are now. Raises CalendarUnavailable, ConnectionBroken and
        CalendarRefused, after which it may have been done or not."""
        status = self.work.booking.status
        calendar = remote.takes_bookings if remote else None
        if remote is None or calendar is None:
            # It was disconnected: the booking is ours alone from now on.
            await self._settled(BookingStatus.CONFIRMED if status is _ASKED else status)
            return
        if status is _ASKED and self.work.slot.start <= datetime.now(UTC):
            raise CalendarUnavailable("The time that was asked for has come without the calendar.")
        provider = await self.sides.provider(calendar)
        async with self.db.tenant(calendar.tenant_id) as tx:
            appointment = await _appointment(tx, self.work)
        if status not in (_ASKED, BookingStatus.CONFIRMED):
            await remove_event(provider, calendar.remote_id, self.work.remote_id, appointment)
            await self._settled(status)
        elif self.work.remote_id is None:
            await self._create(provider, remote, calendar, appointment)
        else:
            await self._move(provider, remote, calendar, appointment, self.work.remote_id)

    async def _create(
        self, provider: CalendarProvider, remote: Remote, calendar: RemoteCalendar, appointment: Appointment
    ) -> None:
        if await self._taken(provider, remote, calendar):
            # An earlier attempt may have made it, and been cut off.
            await remove_event(provider, calendar.remote_id, None, appointment)
            await self._settled(BookingStatus.DECLINED)
            return
        event = await provider.create(calendar.remote_id, appointment)
        if event.slot != self.work.slot:
            event = await provider.change(calendar.remote_id, event.id, appointment) or event
        if await self._taken(provider, remote, calendar):
            await provider.cancel(calendar.remote_id, event.id)
            await self._settled(BookingStatus.DECLINED)
        elif not await self._settled(BookingStatus.CONFIRMED, event):
            # It was deleted with its contact while its event was being made.
            await provider.cancel(calendar.remote_id, event.id)

    async def _move(
        self,
        provider: CalendarProvider,
        remote: Remote,
        calendar: RemoteCalendar,
        appointment: Appointment,
        remote_id: str,
    ) -> None:
        asked = self.work.booking.status is _ASKED
        if asked and await self._taken(provider, remote, calendar):
            await self._back(provider, calendar, remote_id)
            return
        event = await provider.change(calendar.remote_id, remote_id, appointment)
        if event is None:
            # Its owner has deleted it.
            await self._settled(BookingStatus.CANCELLED)
        elif asked and await self._taken(provider, remote, calendar):
            await self._back(provider, calendar, remote_id)
        else:
            await self._settled(BookingStatus.CONFIRMED, event)

    async def _back(self, provider: CalendarProvider, calendar: RemoteCalendar, remote_id: str) -> None:
        """It cannot be where it was moved to: it goes back or, where that is taken too, it is cancelled."""
        async with self.db.tenant(calendar.tenant_id) as tx:
            now = await outbox.put_back(tx, self.work, self.holder)
            if now is not None:
                if now.requested:
                    await booking_notices.leave(tx, now.booking.id, "declined")
                await jobs.enqueue(tx, SETTLE, now.booking.id)
                return
        await provider.cancel(calendar.remote_id, remote_id)
        await self._settled(BookingStatus.CANCELLED)

    async def _taken(self, provider: CalendarProvider, remote: Remote, calendar: RemoteCalendar) -> bool:
        """Whether something else is in the slot or its buffers, now."""
        slot, booking = self.work.slot, self.work.booking
        window = Interval(slot.start - self.work.buffer, slot.end + self.work.buffer)
        events = [
            event
            for event in await provider.events(calendar.remote_id, window)
            if event.busy and event.key != booking.id and event.id != self.work.remote_id and _meet(event.slot, window)
        ]
        if events and await self._stays(events):
            return True
        return any(_meet(busy, window) for busy in await self.sides.busy_elsewhere(remote, window))

    async def _stays(self, events: list[RemoteEvent]) -> bool:
        """Whether any of the events is not of a booking of ours that is about to be elsewhere."""
        booking = self.work.booking
        keys = [event.key for event in events if event.key is not None]
        async with self.db.tenant(booking.tenant_id) as tx:
            leaving = await outbox.on_their_way(tx, booking.calendar_id, keys)
        return any(event.key not in leaving for event in events)

    async def _settled(self, status: BookingStatus, event: RemoteEvent | None = None) -> bool:
        """Keep what was done, with the event that there is now; False when the booking is not there any more."""
        remote_id, tag = (event.id, event.tag) if event else (None, None)
        async with self.db.tenant(self.work.booking.tenant_id) as tx:
            now = await outbox.settle(tx, self.work, self.holder, status, remote_id, tag)
            if now is None:
                return await outbox.exists(tx, self.work.booking.id)
            if now.wanted == self.work.wanted:
                await self._tell(tx, now)
                await self.sides.invite(tx, now.booking.id)
                if event is not None and now.booking.remote_calendar_id is not None:
                    await remote_calendars.keep_in_sync(tx, now.booking.remote_calendar_id, self.poll)
        return True

    async def _tell(self, tx: TenantTx, now: Unsettled) -> None:
        """What its contact is to hear of: what they wait for, and what the owner did."""
        status, booking_id = now.booking.status, now.booking.id
        if status is BookingStatus.CANCELLED and self.work.booking.status is not BookingStatus.CANCELLED:
            await booking_notices.leave(tx, booking_id, "cancelled")
        elif now.requested and status is BookingStatus.DECLINED:
            await booking_notices.leave(tx, booking_id, "declined")
        elif now.requested and status is BookingStatus.CONFIRMED:
            await booking_notices.leave(tx, booking_id, "confirmed")


async def remove_event(
    provider: CalendarProvider, calendar: str, remote_id: str | None, appointment: Appointment
) -> None:
    """Take the event of the appointment away. Without its id it is looked for: an attempt that was cut off may have
    made it."""
    if remote_id is None:
        event = await provider.find(calendar, appointment)
        remote_id = event.id if event else None
    if remote_id is not None:
        await provider.cancel(calendar, remote_id)


async def remove_events(tx: TenantTx, contact_id: UUID) -> None:
    """Have the events of a contact's appointments to come removed from their owners' calendars, before the contact is
    deleted."""
    for booking_id in await outbox.leave_removals(tx, contact_id):
        # Not before an attempt to make the event, which may be under way, has come to its end.
        await jobs.enqueue(tx, REMOVE, booking_id, after=LEASE)


def _meet(one: Interval, other: Interval) -> bool:
    return one.start < other.end and one.end > other.start


async def _appointment(tx: TenantTx, work: Unsettled) -> Appointment:
    booking = work.booking
    record = await agents.get(tx, booking.agent_id, sees_only=None)
    return Appointment(
        key=booking.id,
        slot=work.slot,
        time_zone=booking.time_zone,
        title=booking.title,
        description=collected(booking.details),
        attendee=attendee_of(booking, record.definition) if record else None,
        sequence=booking.sequence,
    )
