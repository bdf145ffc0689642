"""Which calendars are used when an account is connected, again, or another one instead."""

import pytest

from tenantry.calendars.choosing import Choosing
from tenantry.domain.calendar import CalendarChoice
from tenantry.domain.connection import Connection
from tenantry.storage.jobs import Later
from tenantry.storage.repositories import connections, remote_calendars
from tenantry.storage.repositories.remote_calendars import Chosen
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.memory_provider import CHOICE, MemoryProvider, MemoryProviders, connect

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
