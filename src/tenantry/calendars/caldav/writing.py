"""Appointments as calendar objects (RFC 5545)."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component, Event, vCalAddress

from tenantry.calendars.caldav.reading import main_event, uid_of
from tenantry.calendars.vtimezone import vtimezone
from tenantry.domain.calendar import Appointment, Attendee
from tenantry.domain.errors import CalendarRefused

_PRODUCT = "-//Tenantry//Tenantry//EN"
# Servers refuse objects with control characters, and a contact's words may have them.
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])

# As far ahead as an appointment can be moved.
_YEARS_OF_RULES = 3


def file_name(key: UUID) -> str:
    """What the object of a booking is called in its calendar."""
    return f"{key}.ics"


def written(appointment: Appointment, now: datetime) -> bytes:
    """A new calendar object of the appointment; `now` is UTC."""
    calendar = Calendar()
    _set(calendar, "PRODID", _PRODUCT)
    _set(calendar, "VERSION", "2.0")
    event = Event()
    _set(event, "UID", uid_of(appointment.key))
    _set(event, "CREATED", now)
    _set(event, "STATUS", "CONFIRMED")
    if appointment.attendee is not None:
        _invite(event, appointment.attendee)
    calendar.add_component(event)
    return _brought_to(calendar, event, _printable(appointment), now)


def rewritten(text: str, appointment: Appointment, now: datetime) -> bytes | None:
    """The calendar object with the slot and the words of the appointment, and all else that its owner has in it; None
    when it has them already. Raises CalendarRefused for what is no event."""
    appointment = _printable(appointment)
    try:
        calendar = Calendar.from_ical(text)
        event = main_event(calendar)
        return None if _says(event, appointment) else _brought_to(calendar, event, appointment, now)
    except (ValueError, KeyError) as error:
        raise CalendarRefused("The event in the calendar cannot be read.") from error


def _printable(appointment: Appointment) -> Appointment:
    title, description = appointment.title.translate(_CONTROLS), appointment.description.translate(_CONTROLS)
    return replace(appointment, title=title, description=description)


def _says(event: Event, appointment: Appointment) -> bool:
    start, end = event.DTSTART, event.DTEND
    return (
        isinstance(start, datetime)
        and isinstance(end, datetime)
        and start.tzinfo is not None
        and end.tzinfo is not None
        and (start.astimezone(UTC), end.astimezone(UTC)) == (appointment.slot.start, appointment.slot.end)
        and str(event.get("SUMMARY", "")) == appointment.title
        and appointment.description in str(event.get("DESCRIPTION", ""))
        and event.sequence >= appointment.sequence
        and str(event.get("STATUS", "")).upper() != "CANCELLED"
    )


def _brought_to(calendar: Calendar, event: Event, appointment: Appointment, now: datetime) -> bytes:
    moved = "DTSTART" in event
    sequence = max(appointment.sequence, event.sequence + 1 if moved else 0)
    _set(event, "SUMMARY", appointment.title)
    # What its owner wrote below ours stays.
    if appointment.description and appointment.description not in str(event.get("DESCRIPTION", "")):
        _set(event, "DESCRIPTION", appointment.description)
    zone = ZoneInfo(appointment.time_zone)
    event.pop("DURATION", None)
    _set(event, "DTSTART", _wall(appointment.slot.start, zone))
    _set(event, "DTEND", _wall(appointment.slot.end, zone))
    _set(event, "SEQUENCE", sequence)
    _set(event, "DTSTAMP", now)
    _set(event, "LAST-MODIFIED", now)
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        _set(event, "STATUS", "CONFIRMED")
    if zone.key not in ("UTC", *(each.tz_name for each in calendar.timezones)):
        year = appointment.slot.start.year
        calendar.add_component(vtimezone(zone.key, year, year + _YEARS_OF_RULES))
    return calendar.to_ical()


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    """The wall time of the zone, by which the event stays where it was agreed when a zone's rules change. UTC for the
    hour that comes a second time when clocks go back: the wall time alone names the first (RFC 5545, 3.3.5)."""
    wall = at.astimezone(zone)
    return at.astimezone(UTC) if wall.fold else wall


def _invite(event: Event, attendee: Attendee) -> None:
    address = vCalAddress(f"mailto:{attendee.email}")
    address.params["CN"] = attendee.name or attendee.email
    address.params["ROLE"] = "REQ-PARTICIPANT"
    address.params["PARTSTAT"] = "ACCEPTED"
    # The invitation is ours to send, also where the server could (RFC 6638, 7.1): a contact gets one.
    address.params["SCHEDULE-AGENT"] = "CLIENT"
    _set(event, "ATTENDEE", address)


def _set(component: Component, name: str, value: object) -> None:
    component.pop(name, None)
    component.add(name, value)  # pyright: ignore[reportUnknownMemberType]
