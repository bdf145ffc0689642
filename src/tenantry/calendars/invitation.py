"""Appointments as iCalendar events (RFC 5545), and the invitations made of them (iTIP, RFC 5546)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress, vDuration

from tenantry.calendars.components import add
from tenantry.calendars.vtimezone import vtimezone
from tenantry.domain.booking import Booking, BookingStatus
from tenantry.domain.calendar import Attendee

_PRODUCT = "-//Tenantry//Tenantry//EN"
# How often a feed is worth asking for again.
REFRESH = timedelta(minutes=15)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Method(StrEnum):
    """What an invitation asks of whom it is sent to: to take the appointment, as it is now, into their calendar, or to
    take it out again."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class Organizer:
    """Who invites."""

    email: str
    name: str = ""


def host_of(public_url: str | None) -> str:
    """What the names of events end with: the host of the installation's URL."""
    return (urlsplit(public_url).hostname if public_url else None) or "tenantry"


def uid_of(booking_id: UUID, host: str) -> str:
    """The event's name, the same in every invitation and feed."""
    return f"{booking_id}@{host}"


def one_line(text: str) -> str:
    """The text without line breaks and other control characters: what would begin a property of its own."""
    return _CONTROL.sub(" ", text).strip()


def invitation(booking: Booking, method: Method, host: str, organizer: Organizer, attendee: Attendee) -> bytes:
    """The booking as an iTIP object, without its details: anybody could have any text mailed to any address by them."""
    event = _event(booking, host, BookingStatus.CANCELLED if method is Method.CANCEL else BookingStatus.CONFIRMED)
    add(event, "ORGANIZER", _address(organizer.email, organizer.name))
    invited = _address(attendee.email, attendee.name)
    # They agreed to it in their conversation, and nobody reads what would be replied.
    invited.params.update({"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE"})
    add(event, "ATTENDEE", invited)
    return _calendar([event], [booking], method).to_ical()


def snapshot(booking: Booking, host: str) -> bytes:
    """The booking as an event that nobody is invited to."""
    return _calendar([_event(booking, host, booking.status)], [booking]).to_ical()


def feed(bookings: Sequence[Booking], name: str, host: str) -> bytes:
    """These bookings as a calendar to subscribe to, each with what the agent collected."""
    events: list[Event] = []
    for booking in bookings:
        event = _event(booking, host, booking.status)
        if booking.details:
            add(event, "DESCRIPTION", collected(booking.details))
        events.append(event)
    calendar = _calendar(events, bookings)
    add(calendar, "X-WR-CALNAME", one_line(name))
    every = vDuration(REFRESH)
    add(calendar, "REFRESH-INTERVAL", every, VALUE="DURATION")
    add(calendar, "X-PUBLISHED-TTL", every)
    return calendar.to_ical()


def _calendar(events: Sequence[Event], bookings: Sequence[Booking], method: Method | None = None) -> Calendar:
    calendar = Calendar()
    add(calendar, "PRODID", _PRODUCT)
    add(calendar, "VERSION", "2.0")
    if method is not None:
        add(calendar, "METHOD", method.value)
    for event in events:
        calendar.add_component(event)
    if bookings:
        # A year more on either side: clients show an event's zone elsewhere too.
        first = min(booking.starts_at for booking in bookings).year - 1
        last = max(booking.ends_at for booking in bookings).year + 1
        zones = [vtimezone(name, first, last) for name in sorted(calendar.get_missing_tzids())]
        calendar.subcomponents[:0] = zones
    return calendar


def _event(booking: Booking, host: str, status: BookingStatus) -> Event:
    zone = ZoneInfo(booking.time_zone)
    event = Event()
    add(event, "UID", uid_of(booking.id, host))
    add(event, "SEQUENCE", booking.sequence)
    add(event, "DTSTAMP", booking.updated_at.astimezone(UTC))
    add(event, "DTSTART", _time(booking.starts_at, zone))
    add(event, "DTEND", _time(booking.ends_at, zone))
    add(event, "SUMMARY", one_line(booking.title))
    add(event, "STATUS", "CANCELLED" if status is BookingStatus.CANCELLED else "CONFIRMED")
    return event


def _time(moment: datetime, zone: ZoneInfo) -> datetime:
    """In the zone; in UTC where wall time comes twice, since it would be taken for the first (RFC 5545, 3.3.5)."""
    local = moment.astimezone(zone)
    return moment.astimezone(UTC) if local.fold else local


def _address(email: str, name: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{one_line(email)}")
    if name:
        address.params["CN"] = one_line(name)
    return address


def collected(details: Mapping[str, Any]) -> str:
    """What the agent collected, a line for each variable."""
    return "\n".join(
        f"{name.replace('_', ' ').capitalize()}: {one_line(_said(value))}" for name, value in details.items()
    )


def _said(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            money = cast(dict[str, object], value)
            return f"{money.get('amount', '')} {money.get('currency') or ''}"
        case _:
            return str(value)
