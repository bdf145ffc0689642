"""Which calendars of a connection stand for its owner's: at first the main one, then those that the owner chose."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from tenantry.calendars.settling import SETTLE
from tenantry.domain.calendar import CalendarChoice, RemoteCalendar
from tenantry.domain.connection import Connection, ProviderName
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken, FieldError, InvalidInput
from tenantry.storage import jobs
from tenantry.storage.jobs import Later
from tenantry.storage.repositories import calendars, connections, outbox, remote_calendars
from tenantry.storage.repositories.remote_calendars import Chosen
from tenantry.storage.tenancy import Database, TenantTx

# The job that takes the connection it is about into use.
ADOPT: Final = "adopt_connection"
_BROKEN_S = 300.0


class Offers(Protocol):
    """As much of a provider as choosing needs."""

    async def calendars(self) -> list[CalendarChoice]:
        """As `CalendarProvider.calendars`."""
        ...


class Offering(Protocol):
    """The way to an owner's own connection, and to nobody else's."""

    async def of(self, tenant_id: UUID, owner_member_id: UUID | None, name: ProviderName) -> Offers:
        """As `Providers.of`."""
        ...


async def connected(tx: TenantTx, connection: Connection) -> None:
    """A connection was made or renewed: take it into use, and do what was waiting for it."""
    await jobs.enqueue(tx, ADOPT, connection.id)


@dataclass(frozen=True, slots=True)
class Choosing:
    """Chooses calendars for the owners of connections."""

    db: Database
    providers: Offering

    async def adopt(self, tenant_id: UUID, connection_id: UUID) -> None:
        """Have bookings go to the main calendar of the connection and be kept clear of what is in it, unless calendars
        of it were chosen already and are there still: another account may have been signed in to. Then settle what was
        waiting for its owner. Raises Later."""
        async with self.db.tenant(tenant_id) as tx:
            connection = await connections.get(tx, connection_id)
            chosen = await remote_calendars.of_connection(tx, connection_id)
        if connection is None:
            return
        try:
            offered = await self.offered(connection)
        except CalendarUnavailable as away:
            raise Later(away.code, away.retry_after) from away
        except (ConnectionBroken, CalendarRefused) as error:
            raise Later(error.code, _BROKEN_S) from error
        used = _used_from_now_on(chosen, offered)
        async with self.db.tenant(tenant_id) as tx:
            if used is not None:
                await self._put(tx, connection, used, offered)
            calendar_id = await calendars.find_or_create(tx, connection.owner_member_id)
            for booking_id in await outbox.unsettled_of_calendar(tx, calendar_id):
                await jobs.enqueue(tx, SETTLE, booking_id, after=timedelta(0))

    async def offered(self, connection: Connection) -> list[CalendarChoice]:
        """The calendars that the provider has for the connection. Raises CalendarUnavailable, ConnectionBroken and
        CalendarRefused."""
        provider = await self.providers.of(connection.tenant_id, connection.owner_member_id, connection.provider)
        return await provider.calendars()

    async def choose(self, connection: Connection, wanted: Sequence[Chosen]) -> list[RemoteCalendar]:
        """Use these calendars of the connection and no others of it; of each choice only the `remote_id` is needed.
        What is booked in others stays in step with them.

        Raises InvalidInput for what the provider does not offer, and as `offered`.
        """
        offered = {choice.remote_id: choice for choice in await self.offered(connection)}
        _check(offered, wanted)
        chosen = [Chosen(offered[w.choice.remote_id], w.counts_busy, w.takes_bookings) for w in wanted]
        async with self.db.tenant(connection.tenant_id) as tx:
            await self._put(tx, connection, chosen, offered.values())
            return await remote_calendars.of_connection(tx, connection.id)

    async def _put(
        self, tx: TenantTx, connection: Connection, chosen: Sequence[Chosen], offered: Iterable[CalendarChoice]
    ) -> None:
        calendar_id = await calendars.find_or_create(tx, connection.owner_member_id)
        await calendars.lock(tx, calendar_id)
        booked = await remote_calendars.booked(tx, connection.id) - {each.choice.remote_id for each in chosen}
        idle = [Chosen(choice, False, False) for choice in offered if choice.remote_id in booked]
        await remote_calendars.put(tx, calendar_id, connection.id, [*chosen, *idle])


def _used_from_now_on(chosen: Sequence[RemoteCalendar], offered: Sequence[CalendarChoice]) -> list[Chosen] | None:
    """The chosen calendars that are offered and, where nothing was chosen or what took bookings is not offered, the
    main one; None when all are as they were."""
    there = {choice.remote_id: choice for choice in offered}
    gone = [each for each in chosen if each.remote_id not in there]
    if chosen and not gone:
        return None
    left = [
        Chosen(there[each.remote_id], each.counts_busy, each.takes_bookings)
        for each in chosen
        if each.remote_id in there
    ]
    main = _main_of(offered)
    if main is None or (chosen and not any(each.takes_bookings for each in gone)):
        return left
    return [main, *(each for each in left if each.choice != main.choice)]


def _main_of(offered: Sequence[CalendarChoice]) -> Chosen | None:
    writable = [choice for choice in offered if choice.writable]
    main = next((choice for choice in writable if choice.primary), writable[0] if writable else None)
    return Chosen(main, counts_busy=True, takes_bookings=True) if main else None


def _check(offered: dict[str, CalendarChoice], wanted: Sequence[Chosen]) -> None:
    faults: list[FieldError] = []
    seen: set[str] = set()
    for index, each in enumerate(wanted):
        remote_id = each.choice.remote_id
        choice = offered.get(remote_id)
        if choice is None:
            faults.append(FieldError(f"calendars.{index}.remote_id", "is no calendar of this connection"))
        elif each.takes_bookings and not choice.writable:
            faults.append(FieldError(f"calendars.{index}.takes_bookings", "cannot be: it can only be read"))
        if remote_id in seen:
            faults.append(FieldError(f"calendars.{index}.remote_id", "is named twice"))
        seen.add(remote_id)
    if sum(each.takes_bookings for each in wanted) > 1:
        faults.append(FieldError("calendars", "only one of them can take bookings"))
    if faults:
        raise InvalidInput("These calendars cannot be used; see the named fields.", errors=faults)
