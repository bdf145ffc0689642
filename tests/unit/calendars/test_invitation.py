"""Invitations and feeds as a calendar program reads them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from dateutil.tz import tzical
from icalendar import Calendar, Event

from tenantry.calendars.invitation import Method, Organizer, feed, host_of, invitation, snapshot, uid_of
from tenantry.calendars.invitation_mail import invitation_mail, message_id
from tenantry.calendars.vtimezone import vtimezone
from tenantry.domain.booking import Booking, BookingStatus
from tenantry.domain.calendar import Attendee

HOST = "agents.acme.example"
ORGANIZER = Organizer("bookings@acme.example", "Acme")
ADA = Attendee("ada@example.com", "Ada")
ID = UUID(int=7)
START = datetime(2026, 11, 24, 20, tzinfo=UTC)  # 15:00 in New York


def a_booking(start: datetime = START, zone: str = "America/New_York", **changes: Any) -> Booking:
    booking = Booking(
        tenant_id=ID,
        id=ID,
        calendar_id=ID,
        agent_id=ID,
        contact_id=ID,
        conversation_id=ID,
        status=BookingStatus.CONFIRMED,
        starts_at=start,
        ends_at=start + timedelta(hours=1),
        time_zone=zone,
        title="Property Seller Agent",
        details={},
        remote_calendar_id=None,
        sequence=2,
        created_at=START,
        updated_at=START,
    )
    return replace(booking, **changes)


def the_event(content: bytes) -> tuple[Calendar, Event]:
    calendar = Calendar.from_ical(content)
    assert isinstance(calendar, Calendar)
    (event,) = calendar.events
    return calendar, event


def test_an_invitation_says_who_when_and_which_change() -> None:
    calendar, event = the_event(invitation(a_booking(), Method.REQUEST, HOST, ORGANIZER, ADA))
    assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
    assert (event["UID"], event["SEQUENCE"], event["STATUS"]) == (f"{ID}@{HOST}", 2, "CONFIRMED")
    assert event["SUMMARY"] == "Property Seller Agent"
    assert (event["ORGANIZER"], event["ORGANIZER"].params["CN"]) == ("mailto:bookings@acme.example", "Acme")
    assert (event["ATTENDEE"], event["ATTENDEE"].params["CN"]) == ("mailto:ada@example.com", "Ada")
    assert event["DTSTART"].params["TZID"] == "America/New_York"
    assert event.start == START
    assert event.end == START + timedelta(hours=1)
    assert [zone.tz_name for zone in calendar.timezones] == ["America/New_York"]


def test_a_cancellation_names_the_same_event() -> None:
    cancelled = a_booking(status=BookingStatus.CANCELLED, sequence=3)
    calendar, event = the_event(invitation(cancelled, Method.CANCEL, HOST, ORGANIZER, ADA))
    assert (calendar["METHOD"], event["STATUS"], event["SEQUENCE"]) == ("CANCEL", "CANCELLED", 3)
    assert event["UID"] == uid_of(ID, HOST)


@pytest.mark.parametrize(("url", "host"), [(None, "tenantry"), ("https://agents.acme.example:8443", HOST)])
def test_names_of_events_end_with_the_installations_host(url: str | None, host: str) -> None:
    assert host_of(url) == host


ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Auckland",
)


@pytest.mark.parametrize("name", ZONES)
def test_a_zone_is_in_the_object_as_it_is_in_the_pinned_data(name: str) -> None:
    """Every hour of three years, in UTC, has the offset that a program reads out of the VTIMEZONE alone."""
    onsets: list[tuple[datetime, timedelta]] = []
    for part in vtimezone(name, 2025, 2027).subcomponents:
        before, after = part["TZOFFSETFROM"].td, part["TZOFFSETTO"].td
        further = [moment.dt for moment in part["RDATE"].dts] if "RDATE" in part else []
        onsets += [(moment - before, after) for moment in (part["DTSTART"].dt, *further)]
    onsets.sort()
    zone, moment = ZoneInfo(name), datetime(2025, 1, 1)
    offset = None
    while moment < datetime(2028, 1, 1):
        while onsets and onsets[0][0] <= moment:
            offset = onsets.pop(0)[1]
        assert offset == moment.replace(tzinfo=UTC).astimezone(zone).utcoffset(), moment
        moment += timedelta(hours=1)
    assert onsets == []


@pytest.mark.parametrize(
    ("start", "zone", "wall"),
    [
        (datetime(2026, 3, 8, 6, 30, tzinfo=UTC), "America/New_York", "20260308T013000"),
        (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), "America/New_York", "20260308T030000"),
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "America/New_York", "20261101T013000"),
        # The second 01:30 of that night, which no wall time says.
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "America/New_York", "20261101T063000Z"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "Europe/Dublin", "20260329T020000"),
        (datetime(2026, 10, 3, 15, 30, tzinfo=UTC), "Australia/Lord_Howe", "20261004T023000"),
    ],
)
def test_on_days_when_clocks_change_the_mail_means_the_instant_that_was_booked(
    start: datetime, zone: str, wall: str
) -> None:
    content = invitation(a_booking(start, zone), Method.REQUEST, HOST, ORGANIZER, ADA)
    _, event = the_event(content)
    assert event["DTSTART"].to_ical().decode() == wall
    if not wall.endswith("Z"):
        # A reader that knows no zones but those in the object.
        lines = [line for line in content.decode().splitlines() if not line.startswith("COMMENT")]
        begin, end = lines.index("BEGIN:VTIMEZONE"), lines.index("END:VTIMEZONE")
        alone = tzical(_File("\r\n".join(lines[begin : end + 1]))).get()
        read = datetime.strptime(wall, "%Y%m%dT%H%M%S").replace(tzinfo=alone)
        assert read.astimezone(UTC) == start


class _File:
    """What dateutil reads a zone from."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> str:
        return self._text


HOSTILE = "Viewing\r\nATTENDEE:mailto:eve@evil.example\r\nBcc: eve@evil.example\n\x00\x0b\x85\u2028end"


def test_a_title_cannot_add_lines_to_the_object_or_the_mail() -> None:
    booking = a_booking(title=HOSTILE)
    eve = Attendee("ada@example.com", 'Ada"\r\nORGANIZER:mailto:eve@evil.example')
    calendar, event = the_event(invitation(booking, Method.REQUEST, HOST, ORGANIZER, eve))
    assert event["ATTENDEE"] == "mailto:ada@example.com"
    assert event["ORGANIZER"] == "mailto:bookings@acme.example"
    assert event["SUMMARY"] == "Viewing ATTENDEE:mailto:eve@evil.example Bcc: eve@evil.example end"
    assert [name for name, _ in calendar.property_items()].count("ATTENDEE") == 1
    mail = read(invitation_mail(booking, Method.REQUEST, HOST, ORGANIZER, eve))
    assert "Bcc" not in mail
    assert [address.addr_spec for address in mail["To"].addresses] == ["ada@example.com"]


def read(mail: EmailMessage) -> Any:
    return message_from_bytes(mail.as_bytes(), policy=default)


def test_a_mail_has_the_invitation_for_people_for_programs_and_as_a_file() -> None:
    mail = read(invitation_mail(a_booking(), Method.REQUEST, HOST, ORGANIZER, ADA))
    when = "Tuesday, 24 November 2026, 15:00-16:00 (America/New_York)"
    assert mail["Subject"] == f"Appointment: Property Seller Agent, {when}"
    assert mail["From"].addresses[0].display_name == "Acme"
    assert mail["Auto-Submitted"] == "auto-generated"
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert when in parts["text/plain"].get_content()
    assert dict(parts["text/calendar"]["Content-Type"].params) == {"charset": "utf-8", "method": "REQUEST"}
    _, event = the_event(parts["text/calendar"].get_content().encode())
    assert event.start == START
    assert parts["application/ics"].get_filename() == "invite.ics"
    assert parts["application/ics"].get_content() == invitation(a_booking(), Method.REQUEST, HOST, ORGANIZER, ADA)


def test_a_mail_that_is_sent_again_has_the_same_name_and_a_change_another() -> None:
    booking = a_booking()
    again = [invitation_mail(booking, Method.REQUEST, HOST, ORGANIZER, ADA)["Message-ID"] for _ in range(2)]
    assert again == [f"<{ID}.2.request@{HOST}>"] * 2
    assert message_id(replace(booking, sequence=3), Method.REQUEST, HOST) not in again
    assert message_id(booking, Method.CANCEL, HOST) not in again


def test_nothing_that_was_collected_is_mailed() -> None:
    booking = a_booking(details={"note": "Buy at evil.example", "email": "ada@example.com"})
    assert b"evil" not in invitation(booking, Method.REQUEST, HOST, ORGANIZER, ADA)
    assert b"evil" not in snapshot(booking, HOST)


def test_a_feed_is_read_back_as_it_was_booked() -> None:
    days = (datetime(2026, 10, 30, 14, tzinfo=UTC), datetime(2026, 11, 2, 15, tzinfo=UTC))
    details = {"asking_price": {"amount": 250000, "currency": "USD"}, "urgent": True, "note": "a\nEND:VEVENT"}
    booked = [a_booking(start, id=UUID(int=n), details=details) for n, start in enumerate(days)]
    calendar = Calendar.from_ical(feed(booked, "Appointments of Mark", HOST))
    assert isinstance(calendar, Calendar)
    assert "METHOD" not in calendar
    assert calendar["X-WR-CALNAME"] == "Appointments of Mark"
    assert calendar["X-PUBLISHED-TTL"].to_ical() == b"PT15M"
    seen = recurring_ical_events.of(calendar).between(date(2026, 10, 1), date(2026, 12, 1))
    # 10:00 in New York before and after the clocks go back.
    assert [(event.start, event["DTSTART"].to_ical()[-6:]) for event in seen] == [
        (days[0], b"100000"),
        (days[1], b"100000"),
    ]
    assert seen[0]["DESCRIPTION"] == "Asking price: 250000 USD\nUrgent: yes\nNote: a END:VEVENT"
    assert "ATTENDEE" not in seen[0]


def test_a_feed_without_appointments_is_a_calendar() -> None:
    calendar = Calendar.from_ical(feed([], "Appointments", HOST))
    assert isinstance(calendar, Calendar)
    assert calendar.events == []
