"""From a booking to the mail about it, through the queue: here, and once a provider's calendar has taken it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenantry.calendars.choosing import Choosing
from tenantry.calendars.invitations import Invitations
from tenantry.calendars.remote import RemoteSides
from tenantry.calendars.settle import Settler
from tenantry.calendars.worker import calendar_jobs
from tenantry.domain.booking import Interval
from tenantry.storage.jobs import JobRunner
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.booking_parties import HOUR, Party, effect, make_party
from tests.integration.memory_provider import MemoryProviders, connect
from tests.integration.test_invitations import ADA, DEFINITION, invitation_in, mailer_to
from tests.smtp_server import Mailbox, mail_server

SIDES = RemoteSides(MemoryProviders(), mails=True)
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=9)


@pytest.fixture
async def mailbox(database: Database) -> AsyncIterator[Mailbox]:
    """Receives what a server's jobs send."""
    async with mail_server() as opened:
        invitations = Invitations(database, mailer_to(opened), "agents.example")
        handlers = calendar_jobs(Settler(database, SIDES), Choosing(database, MemoryProviders()), invitations)
        runner = JobRunner(database, handlers)
        task = asyncio.create_task(runner.run_for_ever())
        yield opened
        await runner.stop()
        await task


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    return replace(await make_party(database, tenant.id, tenant.members["jon"], DEFINITION), sides=SIDES)


async def mails(mailbox: Mailbox, count: int) -> None:
    async with asyncio.timeout(20):
        while len(mailbox.mails) < count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("remote", [False, True])
async def test_each_change_of_a_booking_is_mailed(party: Party, mailbox: Mailbox, remote: bool) -> None:
    if remote:
        await connect(party.db, party.tenant_id, party.agent.owner_member_id, "caldav")
    book = await party.calendar()
    held = await book.hold(party.new_booking(book, START, details=ADA))
    assert held is not None
    booked = await book.confirm(held)
    assert booked is not None
    await mails(mailbox, 1)
    booked, later = await book.decided(booked), START + timedelta(days=1)
    slot = Interval(later, later + HOUR)
    moved = await book.move(booked, slot, effect(), buffer=timedelta(0), time_zone="UTC", details={})
    assert moved is not None
    await mails(mailbox, 2)
    assert await book.cancel(await book.decided(moved), {}, effect())
    await mails(mailbox, 3)
    assert [invitation_in(mailbox, which) for which in range(3)] == [
        ("REQUEST", 0, START),
        ("REQUEST", 1, later),
        ("CANCEL", 2, later),
    ]
