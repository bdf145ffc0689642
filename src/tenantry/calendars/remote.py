"""The calendars at providers that stand for an owner's, and when they are busy."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Protocol
from uuid import UUID

from tenantry.calendars.base import CalendarProvider
from tenantry.calendars.invitations import INVITE
from tenantry.calendars.recently import Recently, whole_weeks
from tenantry.domain.booking import Booking, Interval
from tenantry.domain.calendar import RemoteCalendar, RemoteEvent
from tenantry.domain.connection import ProviderName
from tenantry.domain.errors import ConnectionBroken
from tenantry.storage import jobs
from tenantry.storage.repositories import remote_calendars
from tenantry.storage.tenancy import TenantTx


class Providers(Protocol):
    """The way to an owner's own connection, and to nobody else's."""

    async def of(self, tenant_id: UUID, owner_member_id: UUID | None, name: ProviderName) -> CalendarProvider:
        """The provider signed in to by this owner. Raises ConnectionBroken when they did not."""
        ...


class NoProviders:
    """Of an installation in which nobody can connect anything."""

    async def of(self, tenant_id: UUID, owner_member_id: UUID | None, name: ProviderName) -> CalendarProvider:
        """Raises ConnectionBroken."""
        raise ConnectionBroken


@dataclass(frozen=True, slots=True)
class Remote:
    """Where an owner's bookings go, and what else counts as busy for them."""

    takes_bookings: RemoteCalendar | None
    others: tuple[RemoteCalendar, ...]


@dataclass(frozen=True, slots=True)
class RemoteSides:
    """Finds the remote calendars of owners and asks their providers. `mails` says that contacts are mailed invitations
    by this installation."""

    providers: Providers
    mails: bool = False
    recently: Recently = field(default_factory=Recently)

    async def invite(self, tx: TenantTx, booking_id: UUID) -> None:
        """Have the booking's contact mailed what they do not know of it yet, where mails are sent."""
        if self.mails:
            await jobs.enqueue(tx, INVITE, booking_id)

    async def of_owner(self, tx: TenantTx, calendar_id: UUID) -> Remote | None:
        """What stands for an owner's calendar; None when it is only here."""
        found = await remote_calendars.of_calendar(tx, calendar_id)
        return _remote(found, next((each.id for each in found if each.takes_bookings), None)) if found else None

    async def of_booking(self, tx: TenantTx, booking: Booking) -> Remote | None:
        """As `of_owner`, with the calendar that the booking went to; None when that was disconnected."""
        if booking.remote_calendar_id is None:
            return None
        return _remote(await remote_calendars.of_calendar(tx, booking.calendar_id), booking.remote_calendar_id)

    async def provider(self, of: RemoteCalendar) -> CalendarProvider:
        """The provider of a calendar, by its owner's connection. Raises ConnectionBroken."""
        return await self.providers.of(of.tenant_id, of.owner_member_id, of.provider)

    async def busy(self, remote: Remote, window: Interval, excluding: UUID | None = None) -> list[Interval]:
        """When any of the calendars is busy in the window, but for the event of the booking `excluding`. Raises
        CalendarUnavailable, ConnectionBroken and CalendarRefused."""
        elsewhere, events = await asyncio.gather(
            self.busy_elsewhere(remote, window), self._events(remote.takes_bookings, window)
        )
        return [*elsewhere, *_busy(events, excluding)]

    async def lately_busy(self, remote: Remote, window: Interval, excluding: UUID | None = None) -> list[Interval]:
        """As `busy`, but as it may have been two seconds ago, and beyond the window too."""
        weeks = whole_weeks(window)
        elsewhere, events = await asyncio.gather(
            self.recently.ask((remote.others, weeks), partial(self.busy_elsewhere, remote, weeks)),
            self.recently.ask((remote.takes_bookings, weeks), partial(self._events, remote.takes_bookings, weeks)),
        )
        return [*elsewhere, *_busy(events, excluding)]

    async def busy_elsewhere(self, remote: Remote, window: Interval) -> list[Interval]:
        """When any calendar but the one that takes bookings is busy. Raises as `busy`."""
        found = await asyncio.gather(
            *(self._busy_of(calendars, window) for calendars in _by_connection(remote.others)),
        )
        return [interval for intervals in found for interval in intervals]

    async def _events(self, calendar: RemoteCalendar | None, window: Interval) -> list[RemoteEvent]:
        return await (await self.provider(calendar)).events(calendar.remote_id, window) if calendar else []

    async def _busy_of(self, calendars: Sequence[RemoteCalendar], window: Interval) -> list[Interval]:
        provider = await self.provider(calendars[0])
        return await provider.busy([calendar.remote_id for calendar in calendars], window)


def _remote(found: Iterable[RemoteCalendar], takes_bookings: UUID | None) -> Remote:
    calendars = tuple(found)
    return Remote(
        takes_bookings=next((each for each in calendars if each.id == takes_bookings), None),
        others=tuple(each for each in calendars if each.counts_busy and each.id != takes_bookings),
    )


def _busy(events: Iterable[RemoteEvent], excluding: UUID | None) -> list[Interval]:
    return [event.slot for event in events if event.busy and (event.key is None or event.key != excluding)]


def _by_connection(calendars: Sequence[RemoteCalendar]) -> list[list[RemoteCalendar]]:
    by_connection = sorted(calendars, key=lambda each: each.connection_id)
    return [list(group) for _, group in groupby(by_connection, key=lambda each: each.connection_id)]
