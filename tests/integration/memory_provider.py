"""A calendar provider in memory, for what is ours to do with any provider; the real ones have a contract test."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tenantry.calendars.remote import RemoteSides
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, CalendarChoice, Changes, RemoteEvent
from tenantry.domain.connection import ProviderName
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import calendars, remote_calendars
from tenantry.storage.repositories.remote_calendars import Chosen
from tenantry.storage.tenancy import Database

CHOICE = CalendarChoice("main", "Main", primary=True, writable=True)


@dataclass
class MemoryProvider:
    """Keeps events of one calendar. `before` and `after` run around every change, and may raise or wait."""

    offered: list[CalendarChoice] = field(default_factory=lambda: [CHOICE])
    held: dict[str, RemoteEvent] = field(default_factory=dict)
    log: list[tuple[int, str]] = field(default_factory=list)
    deleted_keys: set[UUID] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    away: bool = False
    refuses: bool = False
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None

    async def account(self) -> str:
        return "owner@example.com"

    async def calendars(self) -> list[CalendarChoice]:
        await self._asked("calendars")
        return self.offered

    async def events(self, calendar: str, window: Interval) -> list[RemoteEvent]:
        await self._asked("events")
        return [e for e in self.held.values() if e.slot.start < window.end and e.slot.end > window.start]

    async def busy(self, calendars: Sequence[str], window: Interval) -> list[Interval]:
        return [event.slot for event in await self.events("main", window) if event.busy]

    async def create(self, calendar: str, appointment: Appointment) -> RemoteEvent:
        await self._asked("create")
        if appointment.key in self.deleted_keys:
            raise CalendarRefused
        found = self._by_key(appointment.key)
        if found is None:
            found = RemoteEvent(f"event-{new_id()}", appointment.slot, True, "1", appointment.key)
            self._keep(found)
        self.after("create")
        return found

    async def find(self, calendar: str, appointment: Appointment) -> RemoteEvent | None:
        await self._asked("find")
        return self._by_key(appointment.key)

    async def change(self, calendar: str, remote_id: str, appointment: Appointment) -> RemoteEvent | None:
        await self._asked("change")
        if remote_id not in self.held:
            return None
        self._keep(replace(self.held[remote_id], slot=appointment.slot))
        self.after("change")
        return self.held[remote_id]

    async def cancel(self, calendar: str, remote_id: str) -> None:
        await self._asked("cancel")
        self.delete(remote_id)
        self.after("cancel")

    async def changes(self, calendar: str, token: str | None) -> Changes:
        await self._asked("changes")
        now = str(len(self.log))
        if token is None:
            return Changes(tuple(self.held.values()), frozenset(), now, whole=True)
        touched = {event_id for number, event_id in self.log if number >= int(token)}
        events = tuple(self.held[each] for each in touched if each in self.held)
        return Changes(events, frozenset(touched - self.held.keys()), now)

    # What the owner does in their own calendar

    def plant(self, slot: Interval, *, busy: bool = True) -> str:
        event = RemoteEvent(f"own-{new_id()}", slot, busy)
        self._keep(event)
        return event.id

    def move(self, event_id: str, slot: Interval) -> None:
        self._keep(replace(self.held[event_id], slot=slot))

    def delete(self, event_id: str) -> None:
        gone = self.held.pop(event_id, None)
        if gone is not None:
            self.log.append((len(self.log), event_id))
            self.deleted_keys |= {gone.key} if gone.key else set()

    def of(self, booking_id: UUID) -> list[RemoteEvent]:
        return [event for event in self.held.values() if event.key == booking_id]

    def _keep(self, event: RemoteEvent) -> None:
        self.held[event.id] = event
        self.log.append((len(self.log), event.id))

    def _by_key(self, key: UUID) -> RemoteEvent | None:
        return next((event for event in self.held.values() if event.key == key), None)

    async def _asked(self, what: str) -> None:
        await asyncio.sleep(0)
        self.calls.append(what)
        self.before(what)
        if self.away:
            raise CalendarUnavailable(retry_after=0)
        if self.refuses:
            raise CalendarRefused


_OF: dict[tuple[UUID, UUID | None, ProviderName], MemoryProvider] = {}


class MemoryProviders:
    """One provider for each owner that has one."""

    async def of(self, tenant_id: UUID, owner_member_id: UUID | None, name: ProviderName) -> MemoryProvider:
        provider = _OF.get((tenant_id, owner_member_id, name))
        if provider is None:
            raise ConnectionBroken
        return provider


SIDES = RemoteSides(MemoryProviders())


async def connect(
    db: Database,
    tenant_id: UUID,
    owner_member_id: UUID | None,
    name: ProviderName = "google",
    *,
    takes_bookings: bool = True,
) -> MemoryProvider:
    """Have the owner's bookings go to a calendar of a provider in memory, or only what is in it count as busy."""
    provider = _OF[tenant_id, owner_member_id, name] = MemoryProvider()
    async with db.tenant(tenant_id) as tx:
        connection_id = new_id()
        await tx.execute(
            "INSERT INTO connections (tenant_id, id, owner_member_id, provider, sealed) VALUES ($1, $2, $3, $4, '')",
            tenant_id,
            connection_id,
            owner_member_id,
            name,
        )
        calendar_id = await calendars.find_or_create(tx, owner_member_id)
        await remote_calendars.put(tx, calendar_id, connection_id, [Chosen(CHOICE, True, takes_bookings)])
    return provider


def hours(start: datetime, count: float = 1) -> Interval:
    """From `start` on, that many hours."""
    return Interval(start.astimezone(UTC), start.astimezone(UTC) + timedelta(hours=count))
