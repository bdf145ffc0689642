"""Following what owners do in their own calendars: what they move is moved here, what they delete is cancelled."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tenantry.calendars.base import CalendarProvider
from tenantry.calendars.remote import RemoteSides
from tenantry.calendars.watching import Watching
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, Changes, RemoteCalendar
from tenantry.storage.repositories import audit, booking_notices, remote_calendars
from tenantry.storage.repositories.remote_calendars import Placed
from tenantry.storage.tenancy import Database, TenantTx

# Where the provider tells of changes, this is for what it may have failed to tell.
_WATCHED_POLL = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Syncer:
    """Looks for changes in calendars of all tenants, in each every `poll` while something is booked in it, and at once
    when its provider tells of them, for which `watching` looks; without it nobody is asked to."""

    db: Database
    sides: RemoteSides
    poll: timedelta = timedelta(minutes=1)
    watching: Watching | None = None

    async def sync(self, tenant_id: UUID, remote_calendar_id: UUID) -> None:
        """Follow what changed since the last look, when a look is due. Killed in between, it looks again from where it
        began. Raises CalendarUnavailable, ConnectionBroken and CalendarRefused; the next look is due then as ever."""
        async with self.db.tenant(tenant_id) as tx:
            look = await remote_calendars.claim_sync(tx, remote_calendar_id, self.poll, _WATCHED_POLL)
            if look is None:
                return
            calendar = await remote_calendars.get(tx, remote_calendar_id)
            # Before the provider is asked: what is changed here while it answers, its answer does not know.
            placed = {each.remote_id: each for each in await remote_calendars.placed(tx, remote_calendar_id)}
        if calendar is not None and self.watching is not None:
            # Before the provider is asked for changes: between the two it would tell of none.
            await (self.watching.end(calendar) if look.last else self.watching.keep(calendar))
        if calendar is None or not placed:
            return
        provider = await self.sides.provider(calendar)
        changes = await provider.changes(calendar.remote_id, look.token)
        moved = {e.id: (placed[e.id], e.slot) for e in changes.events if e.id in placed and e.slot != placed[e.id].slot}
        deleted: list[Placed] = []
        for each in _missing(changes, placed):
            there = await _really_there(provider, calendar, each)
            if there is None:
                deleted.append(each)
            elif there != each.slot:
                moved[each.remote_id] = (each, there)
        async with self.db.tenant(tenant_id) as tx:
            for each, slot in moved.values():
                if await remote_calendars.moved_there(tx, each, slot):
                    await _followed(self.sides, tx, each, "moved")
            for each in deleted:
                if await remote_calendars.deleted_there(tx, each):
                    await _followed(self.sides, tx, each, "cancelled")
            await remote_calendars.synced(tx, remote_calendar_id, look, changes.token)


def _missing(changes: Changes, placed: dict[str, Placed]) -> list[Placed]:
    if not changes.whole:
        return [placed[remote_id] for remote_id in changes.gone if remote_id in placed]
    there = {event.id for event in changes.events}
    return [each for remote_id, each in placed.items() if remote_id not in there]


async def _really_there(provider: CalendarProvider, calendar: RemoteCalendar, placed: Placed) -> Interval | None:
    """Where the event is, asked for by itself: a list may leave out what is far off, or has another id by now."""
    event = await provider.find(calendar.remote_id, Appointment(placed.booking_id, placed.slot, "UTC", ""))
    return event.slot if event else None


async def _followed(sides: RemoteSides, tx: TenantTx, placed: Placed, kind: "booking_notices.Kind") -> None:
    previous = placed.slot.start if kind == "moved" else None
    await booking_notices.leave(tx, placed.booking_id, kind, previous)
    await sides.invite(tx, placed.booking_id)
    await audit.record(tx, actor="system:calendar", action=f"booking.{kind}", target=f"booking:{placed.booking_id}")
