"""Proof by the code that a contact was told when they booked; wrong ones are counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tenantry.calendars.appointment_book import AppointmentBook, Effect
from tenantry.domain.booking import Booking
from tenantry.storage.repositories import audit, bookings, contacts

MOST_WRONG = 5
WITHIN = timedelta(hours=1)
_REFUSED = "booking.reference_refused"


class TooManyAttempts(Exception):
    """The contact gave so many wrong codes of late that even a right one is not looked at."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody says that a booking is theirs. A conversation has one contact, so that what is counted for the contact
    bounds each of their conversations as well."""

    contact_id: UUID
    conversation_id: UUID
    reference_hash: bytes
    effect: Effect


async def claimed(book: AppointmentBook, claim: Claim, now: datetime) -> Booking | None:
    """The confirmed booking in this calendar that is not over and has the claimed code, whoever booked it. None is
    one wrong code, whatever else the code may belong to, and is kept in the audit log.

    Raises TooManyAttempts after five wrong ones within an hour.
    """
    target = f"contact:{claim.contact_id}"
    async with book.db.tenant(book.tenant_id) as tx:
        # Claims of one contact are looked at one after another, so that many at once are counted too.
        await contacts.lock(tx, claim.contact_id)
        if await audit.effects(tx, action=_REFUSED, target=target, within=WITHIN) >= MOST_WRONG:
            raise TooManyAttempts
        booking = await bookings.by_reference(tx, book.id, claim.reference_hash, now)
        if booking is None:
            details = {"conversation_id": str(claim.conversation_id), "effect_key": claim.effect.key}
            await audit.record(tx, actor=claim.effect.actor, action=_REFUSED, target=target, details=details)
    return booking
