"""Mails about appointments to the contacts whose they are."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import email_validator

from tenantry.calendars.invitation import Method, Organizer, host_of
from tenantry.calendars.invitation_mail import invitation_mail
from tenantry.domain.agent import AgentDefinition, VariableType
from tenantry.domain.booking import Booking, BookingStatus
from tenantry.domain.calendar import Attendee
from tenantry.domain.connection import ProviderName
from tenantry.outbound.mail import Mailer
from tenantry.settings import Settings
from tenantry.storage.repositories import invitations
from tenantry.storage.repositories.invitations import Invited, Invitee
from tenantry.storage.tenancy import Database

# The job that mails the contact of the booking it is about.
INVITE: Final = "send_invitation"
# These write to the attendees of their events themselves.
_INVITE_THEMSELVES: frozenset[ProviderName] = frozenset({"microsoft", "google"})


def attendee_of(booking: Booking, definition: AgentDefinition) -> Attendee | None:
    """Whom to invite: the valid e-mail address that the agent collected for the appointment, and the name; None without
    an address."""
    email = _first(booking, definition, VariableType.EMAIL)
    if email is None:
        return None
    try:
        checked = email_validator.validate_email(email, check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        return None
    return Attendee(checked.normalized, _first(booking, definition, VariableType.NAME) or "")


def _first(booking: Booking, definition: AgentDefinition, of: VariableType) -> str | None:
    values = (booking.details.get(variable.name) for variable in definition.variables if variable.type is of)
    return next((value for value in values if isinstance(value, str) and value), None)


def invitation_due(booking: Booking, provider: ProviderName | None) -> Method | None:
    """What we write to the contact ourselves about a booking as it is now: nothing where the provider invites, and
    nothing about what is not firm. With no provider the booking is in our own calendar alone."""
    if provider in _INVITE_THEMSELVES:
        return None
    return {BookingStatus.CONFIRMED: Method.REQUEST, BookingStatus.CANCELLED: Method.CANCEL}.get(booking.status)


@dataclass(frozen=True, slots=True)
class Invitations:
    """Mails contacts what became of their appointments. Without a mailer it sends nothing."""

    db: Database
    mailer: Mailer | None
    host: str

    @classmethod
    def of(cls, db: Database, settings: Settings) -> "Invitations":
        """Those of the installation."""
        return cls(db, Mailer(settings.mail) if settings.mail else None, host_of(settings.public_url))

    async def send(self, tenant_id: UUID, booking_id: UUID) -> int:
        """Mail what the contact does not know yet of the booking as it is now; how many mails that were. Doing it again
        sends nothing; after a crash in between, the same mail with the same Message-ID.

        Raises MailUnavailable, which is worth another attempt, and MailRefused, which is not.
        """
        if self.mailer is None:
            return 0
        async with self.db.tenant(tenant_id) as tx:
            invitee = await invitations.get(tx, booking_id)
        if invitee is None:
            return 0
        due = _due(invitee)
        for method, attendee in due:
            await self._mail(self.mailer, invitee, method, attendee)
        return len(due)

    async def _mail(self, mailer: Mailer, invitee: Invitee, method: Method, attendee: Attendee) -> None:
        booking, before = invitee.booking, invitee.invited
        moved = method is Method.REQUEST and before is not None and before.address == attendee.email
        name, address = mailer.sender
        await mailer.send(invitation_mail(booking, method, self.host, Organizer(address, name), attendee, moved=moved))
        async with self.db.tenant(booking.tenant_id) as tx:
            await invitations.remember(tx, booking.id, Invited(attendee.email, booking.sequence, method))


def _due(invitee: Invitee) -> list[tuple[Method, Attendee]]:
    booking, before = invitee.booking, invitee.invited
    method = invitation_due(booking, invitee.provider)
    if method is None:
        return []
    attendee = attendee_of(booking, invitee.definition)
    asked = before if before and before.method == Method.REQUEST else None
    if method is Method.CANCEL:
        return [(Method.CANCEL, Attendee(asked.address))] if asked else []
    if attendee is None or before == Invited(attendee.email, booking.sequence, Method.REQUEST):
        return []
    # Without the name, which the contact gave as well: else anybody could have any text mailed to any address.
    due = [(Method.REQUEST, Attendee(attendee.email))]
    if asked and asked.address != attendee.email:
        # Somebody else comes now.
        due.insert(0, (Method.CANCEL, Attendee(asked.address)))
    return due
