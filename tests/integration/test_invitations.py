"""Invitations by mail: who gets one, once, and what becomes of it when the appointment changes."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from icalendar import Calendar

from tenantry.calendars.invitation import Method
from tenantry.calendars.invitations import Invitations, attendee_of, invitation_due
from tenantry.domain.agent import AgentDefinition, Variable, VariableType
from tenantry.domain.booking import Booking, BookingStatus, Interval
from tenantry.domain.calendar import Attendee
from tenantry.domain.errors import MailRefused, MailUnavailable
from tenantry.outbound.mail import Mailer
from tenantry.settings import MailSettings
from tenantry.storage.repositories import bookings
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, make_party
from tests.smtp_server import Mailbox, mail_server

START = datetime(2027, 3, 9, 15, tzinfo=UTC)
LATER = datetime(2027, 3, 15, 14, tzinfo=UTC)  # the clocks went forward in between
DEFINITION = AgentDefinition(
    name="Viewings",
    time_zone="America/New_York",
    variables=(Variable("full_name", VariableType.NAME), Variable("mail", VariableType.EMAIL)),
)
ADA: dict[str, Any] = {"mail": "ada@example.com", "full_name": "Ada", "property": "1 Main St"}


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with mail_server() as opened:
        yield opened


@dataclass
class Case:
    """A booking of a contact, and what sends its mails."""

    party: Party
    invitations: Invitations
    booking: Booking

    async def send(self) -> int:
        return await self.invitations.send(self.party.tenant_id, self.booking.id)

    async def change(self, **columns: Any) -> None:
        """What moving or cancelling does to the row."""
        assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 3))
        async with self.party.db.tenant(self.party.tenant_id) as tx:
            await tx.execute(
                f"UPDATE bookings SET sequence = sequence + 1, {assignments} WHERE tenant_id = $1 AND id = $2",
                tx.tenant_id,
                self.booking.id,
                *columns.values(),
            )


async def a_case(
    database: Database, tenant_id: UUID, mailer: Mailer | None, details: Mapping[str, Any] = ADA, days: int = 0
) -> Case:
    party = await make_party(database, tenant_id, definition=DEFINITION)
    book = await party.calendar()
    start = START + timedelta(days=days)
    new = party.new_booking(book, start, time_zone="America/New_York", title="Viewings", details=details)
    held = await book.hold(new)
    assert held is not None
    confirmed = await book.confirm(held)
    assert confirmed is not None
    return Case(party, Invitations(database, mailer, "agents.example"), confirmed)


@pytest.fixture
async def case(database: Database, tenant: TenantForTest, mailbox: Mailbox) -> Case:
    return await a_case(database, tenant.id, mailer_to(mailbox))


def mailer_to(mailbox: Mailbox) -> Mailer:
    return Mailer(MailSettings("127.0.0.1", mailbox.port, "off", None, None, "bookings@acme.example", "Acme"))


def invitation_in(mailbox: Mailbox, which: int = -1) -> tuple[str, int, datetime]:
    """Method, sequence and start of a mail's invitation, as a mail program reads them."""
    (part,) = [part for part in mailbox.mails[which].walk() if part.get_content_type() == "text/calendar"]
    calendar = Calendar.from_ical(part.get_content())
    assert isinstance(calendar, Calendar)
    assert part.get_param("method") == calendar["METHOD"]
    (event,) = calendar.events
    start = event.start
    assert isinstance(start, datetime)
    return str(calendar["METHOD"]), event["SEQUENCE"], start


async def test_a_booking_is_mailed_once(case: Case, mailbox: Mailbox) -> None:
    assert [await case.send() for _ in range(3)] == [1, 0, 0]
    (mail,) = mailbox.mails
    assert mailbox.recipients == ["ada@example.com"]
    assert mail["To"] == "Ada <ada@example.com>"
    assert "Appointment: Viewings, Tuesday, 9 March 2027, 10:00-11:00" in mail["Subject"]
    assert invitation_in(mailbox) == ("REQUEST", 0, START)


async def test_a_move_and_a_cancellation_are_told_each_once(case: Case, mailbox: Mailbox) -> None:
    await case.send()
    hour = case.booking.ends_at - case.booking.starts_at
    async with case.party.db.tenant(case.party.tenant_id) as tx:
        slot = Interval(LATER, LATER + hour)
        assert await bookings.move(
            tx, case.booking, slot, buffer=hour * 0, time_zone="America/New_York", details={"property": "2 Main St"}
        )
    await case.change(by_owner=False)
    assert [await case.send() for _ in range(2)] == [1, 0]
    assert "Appointment moved: Viewings, Monday, 15 March 2027, 10:00" in mailbox.mails[-1]["Subject"]
    method, sequence, start = invitation_in(mailbox)
    assert (method, start) == ("REQUEST", LATER)
    await case.change(status="cancelled")
    assert [await case.send() for _ in range(2)] == [1, 0]
    method, last, start = invitation_in(mailbox)
    assert (method, start) == ("CANCEL", LATER)
    assert last > sequence > 0
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 3


async def test_what_was_never_mailed_is_not_called_off(case: Case, mailbox: Mailbox) -> None:
    await case.change(status="cancelled")
    assert await case.send() == 0
    assert mailbox.mails == []


async def test_who_gives_another_address_is_invited_there_and_no_longer_at_the_first(
    case: Case, mailbox: Mailbox
) -> None:
    await case.send()
    await case.change(details=ADA | {"mail": "ada@work.example"})
    assert [await case.send() for _ in range(2)] == [2, 0]
    assert mailbox.recipients == ["ada@example.com", "ada@example.com", "ada@work.example"]
    assert [invitation_in(mailbox, which)[0] for which in range(3)] == ["REQUEST", "CANCEL", "REQUEST"]


async def test_a_mail_of_which_nothing_was_remembered_is_recognised_when_it_comes_again(
    case: Case, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise RuntimeError("killed after the server took it")

    with monkeypatch.context() as broken:
        broken.setattr("tenantry.storage.repositories.invitations.remember", killed)
        with pytest.raises(RuntimeError):
            await case.send()
    assert await case.send() == 1
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]


async def test_a_server_that_is_away_is_asked_again_and_a_refused_address_is_not(case: Case, mailbox: Mailbox) -> None:
    mailbox.rcpt = "451 later"
    with pytest.raises(MailUnavailable):
        await case.send()
    mailbox.rcpt = "550 nobody"
    with pytest.raises(MailRefused):
        await case.send()
    mailbox.rcpt = ""
    assert await case.send() == 1


async def test_without_a_server_or_an_address_nothing_is_sent(
    database: Database, tenant: TenantForTest, mailbox: Mailbox
) -> None:
    assert await (await a_case(database, tenant.id, None)).send() == 0
    without: tuple[dict[str, Any], ...] = (
        {},
        {"mail": "nobody"},
        {"mail": "a@b.example\r\nBcc: eve@e.example"},
        {"mail": 3},
    )
    for days, details in enumerate(without, 1):
        case = await a_case(database, tenant.id, mailer_to(mailbox), details, days)
        assert await case.send() == 0, details
    assert mailbox.mails == []


async def test_another_tenants_booking_is_none(case: Case, tenant: TenantForTest, make_tenant: Any) -> None:
    other = await make_tenant()
    assert await case.invitations.send(other.id, case.booking.id) == 0


async def test_providers_that_invite_themselves_are_left_to_it(case: Case) -> None:
    for provider, due in ((None, Method.REQUEST), ("caldav", Method.REQUEST), ("google", None), ("microsoft", None)):
        assert invitation_due(case.booking, provider) == due  # pyright: ignore[reportArgumentType]
    for status in (BookingStatus.HELD, BookingStatus.PENDING, BookingStatus.DECLINED, BookingStatus.EXPIRED):
        assert invitation_due(replace(case.booking, status=status), None) is None


async def test_the_attendee_is_whoever_the_agent_collected(case: Case) -> None:
    assert attendee_of(case.booking, DEFINITION) == Attendee("ada@example.com", "Ada")
    assert attendee_of(case.booking, replace(DEFINITION, variables=())) is None
