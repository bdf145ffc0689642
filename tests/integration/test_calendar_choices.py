"""Which calendars are used, and what becomes of what is booked when that changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenantry.calendars.appointment_book import AppointmentBook
from tenantry.calendars.choosing import Choosing
from tenantry.calendars.settle import Settler
from tenantry.calendars.sync import Syncer
from tenantry.domain.booking import Booking, BookingStatus
from tenantry.domain.calendar import CalendarChoice
from tenantry.domain.connection import Connection
from tenantry.storage.jobs import Later
from tenantry.storage.repositories import connections, remote_calendars
from tenantry.storage.repositories.remote_calendars import Chosen
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, effect, make_party
from tests.integration.memory_provider import CHOICE, SIDES, MemoryProvider, MemoryProviders, connect, hours

FAMILY = CalendarChoice("family", "Family", primary=False, writable=True)
HOLIDAYS = CalendarChoice("holidays", "Holidays", primary=False, writable=False)
OTHERS_MAIN = CalendarChoice("main of another account", "Main", primary=True, writable=True)


class Adopted:
    """A member's connection, of which the main calendar is used."""

    def __init__(self, db: Database, tenant: TenantForTest) -> None:
        self.db, self.tenant, self.owner = db, tenant, tenant.members["mark"]
        self.choosing = Choosing(db, MemoryProviders())

    async def connect(self) -> MemoryProvider:
        return await connect(self.db, self.tenant.id, self.owner)

    async def connection(self) -> Connection:
        async with self.db.tenant(self.tenant.id) as tx:
            found = await connections.find(tx, self.owner, "google")
        assert found is not None
        return found

    async def adopt(self) -> dict[str, tuple[bool, bool]]:
        """Which calendars are used then: whether they count as busy, and take bookings."""
        connection = await self.connection()
        await self.choosing.adopt(self.tenant.id, connection.id)
        async with self.db.tenant(self.tenant.id) as tx:
            used = await remote_calendars.of_connection(tx, connection.id)
        return {each.remote_id: (each.counts_busy, each.takes_bookings) for each in used}


@pytest.fixture
def adopted(database: Database, tenant: TenantForTest) -> Adopted:
    return Adopted(database, tenant)


async def test_what_its_owner_chose_stays_when_they_sign_in_again(adopted: Adopted) -> None:
    provider = await adopted.connect()
    provider.offered = [CHOICE, FAMILY, HOLIDAYS]
    wanted = [Chosen(HOLIDAYS, True, False), Chosen(FAMILY, True, True)]
    await adopted.choosing.choose(await adopted.connection(), wanted)
    assert await adopted.adopt() == {"holidays": (True, False), "family": (True, True)}


async def test_another_account_is_booked_in_its_own_main_calendar(adopted: Adopted) -> None:
    provider = await adopted.connect()
    provider.offered = [OTHERS_MAIN, HOLIDAYS]
    assert await adopted.adopt() == {OTHERS_MAIN.remote_id: (True, True)}


async def test_a_calendar_that_only_counted_as_busy_is_just_left_out(adopted: Adopted) -> None:
    provider = await adopted.connect()
    provider.offered = [CHOICE, FAMILY, HOLIDAYS]
    await adopted.choosing.choose(await adopted.connection(), [Chosen(HOLIDAYS, True, False)])
    provider.offered = [CHOICE, FAMILY]
    assert await adopted.adopt() == {}
    provider.offered = [CHOICE, FAMILY, HOLIDAYS]
    assert await adopted.adopt() == {"main": (True, True)}


async def test_it_is_tried_again_while_the_provider_is_away(adopted: Adopted) -> None:
    provider = await adopted.connect()
    provider.away = True
    with pytest.raises(Later, match="calendar_unavailable"):
        await adopted.adopt()


NOON = (datetime.now(UTC) + timedelta(days=7)).replace(hour=12, minute=0, second=0, microsecond=0)


async def held_by(party: Party) -> tuple[AppointmentBook, Booking]:
    book = await party.calendar()
    held = await book.hold(party.new_booking(book, NOON))
    assert held is not None
    return book, held


async def test_what_is_booked_in_a_calendar_that_is_no_longer_used_stays_in_step(
    adopted: Adopted, tenant: TenantForTest
) -> None:
    provider = await adopted.connect()
    provider.offered = [CHOICE, FAMILY]
    party = replace(await make_party(adopted.db, tenant.id, adopted.owner), sides=SIDES)
    book, held = await held_by(party)
    booked = await book.confirm(held)
    assert booked is not None
    settler, syncer = Settler(adopted.db, SIDES, poll=timedelta(0)), Syncer(adopted.db, SIDES, poll=timedelta(0))
    await settler.settle(tenant.id, booked.id)

    await adopted.choosing.choose(await adopted.connection(), [Chosen(FAMILY, True, True)])
    used = await adopted.adopt()
    assert used == {"main": (False, False), "family": (True, True)}

    (event,) = provider.of(booked.id)
    provider.move(event.id, hours(NOON + timedelta(hours=3)))
    async with adopted.db.operator() as tx:
        due = [calendar_id for tenant_id, calendar_id in await remote_calendars.due(tx, 1000) if tenant_id == tenant.id]
    for calendar_id in due:
        await syncer.sync(tenant.id, calendar_id)
    now = await book.find(booked.id, contact_id=party.contact_id, now=NOON)
    assert now is not None
    assert now.starts_at == NOON + timedelta(hours=3)

    await book.cancel(now, {}, effect())
    await settler.settle(tenant.id, booked.id)
    assert provider.of(booked.id) == []
    await adopted.choosing.choose(await adopted.connection(), [Chosen(FAMILY, True, True)])
    assert await adopted.adopt() == {"family": (True, True)}


async def test_a_hold_whose_calendar_was_disconnected_is_booked_here(adopted: Adopted, tenant: TenantForTest) -> None:
    await adopted.connect()
    book, held = await held_by(replace(await make_party(adopted.db, tenant.id, adopted.owner), sides=SIDES))
    async with adopted.db.tenant(tenant.id) as tx:
        await tx.execute("DELETE FROM connections WHERE tenant_id = $1", tenant.id)
    booked = await book.confirm(held)
    assert booked is not None
    assert booked.status is BookingStatus.CONFIRMED
