"""The mail that an invitation is sent by (iMIP, RFC 6047)."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from tenantry.calendars.invitation import Method, Organizer, invitation, one_line
from tenantry.domain.booking import Booking
from tenantry.domain.calendar import Attendee

_SUBJECTS = {Method.REQUEST: "Appointment", Method.CANCEL: "Appointment cancelled"}
_SENTENCES = {
    Method.REQUEST: "Your appointment is confirmed",
    Method.CANCEL: "Your appointment is cancelled",
}
_MOVED = "Appointment moved"
_MOVED_SENTENCE = "Your appointment has a new time"


def message_id(booking: Booking, method: Method, host: str) -> str:
    """The same for every attempt to send the same, so that whoever gets it twice can tell."""
    return f"<{booking.id}.{booking.sequence}.{method.lower()}@{host}>"


def invitation_mail(
    booking: Booking, method: Method, host: str, organizer: Organizer, attendee: Attendee, *, moved: bool = False
) -> EmailMessage:
    """The invitation as text, as a calendar object that mail programs act on, and as a file. `moved` says that this
    address was invited before, to another time."""
    subject = _MOVED if moved else _SUBJECTS[method]
    sentence = _MOVED_SENTENCE if moved else _SENTENCES[method]
    title, when = one_line(booking.title), when_of(booking)
    # A mail stays the same when it is sent again: its date is that of the change.
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = message_id(booking, method, host)
    mail["Date"] = format_datetime(booking.updated_at)
    # The name is the operator's: a tenant's own could be anybody's.
    mail["From"] = Address(organizer.name, addr_spec=organizer.email)
    mail["To"] = Address(one_line(attendee.name), addr_spec=attendee.email)
    mail["Subject"] = f"{subject}: {title}, {when}"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{sentence}.\n\n{title}\n{when}\n")
    content = invitation(booking, method, host, organizer, attendee)
    mail.add_alternative(content.decode(), subtype="calendar", params={"method": method.value})
    mail.add_attachment(content, "application", "ics", filename="invite.ics")
    return mail


def when_of(booking: Booking) -> str:
    """Such as "Tuesday, 24 November 2026, 15:00-16:00 (America/New_York)", in the zone in which it was agreed."""
    zone = ZoneInfo(booking.time_zone)
    start, end = booking.starts_at.astimezone(zone), booking.ends_at.astimezone(zone)
    ends = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%A, {end.day} %B %Y, %H:%M}"
    return f"{start:%A}, {start.day} {start:%B %Y, %H:%M}-{ends} ({booking.time_zone})"
