"""What calendar objects say about when their owner is busy (RFC 5545)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from time import thread_time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import recurring_ical_events
import structlog
from icalendar import Calendar, Event
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from tenantry.calendars.caldav.dav import CalendarObject
from tenantry.calendars.caldav.recurrence import expandable
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import RemoteEvent
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable
from tenantry.domain.wall_time import ZONES, day_begins

log = structlog.get_logger()

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
# Of the processor, for the objects of one calendar.
_PATIENCE_S = 5.0
# Of what says when an event is, in characters.
_LARGEST = 64 * 1024
_UID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@tenantry")
_FOLD = re.compile(r"\r?\n[ \t]")
_TIMES = re.compile(
    r"(?:BEGIN|END):(?:VCALENDAR|VEVENT|VTIMEZONE|STANDARD|DAYLIGHT)$"
    r"|(?:DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|RECURRENCE-ID|UID|SEQUENCE|STATUS|TRANSP"
    r"|TZID|TZOFFSETFROM|TZOFFSETTO|X-WR-TIMEZONE)[;:]",
    re.IGNORECASE,
)
_TZID = re.compile(r"^(?:TZID|X-LIC-LOCATION):(.+?)\r?$", re.MULTILINE)
_X_WR_TIMEZONE = re.compile(r"^X-WR-TIMEZONE(?:;[^:\r\n]*)?:(.+?)\r?$", re.MULTILINE)
_ZONELESS = re.compile(r"^(?:DTSTART|DTEND)(?![^:\r\n]*TZID=)[^:\r\n]*:\d{8}(?:T\d{6})?\r?$", re.MULTILINE)


def uid_of(key: UUID) -> str:
    """The UID of the event of a booking."""
    return f"{key}@tenantry"


def needs_zone(objects: Iterable[CalendarObject]) -> bool:
    """Whether any object has days, or wall times of no zone, which are of the calendar's own."""
    return any(_ZONELESS.search(_times_of(each.text)) for each in objects)


def zone_named_in(vtimezone: str) -> ZoneInfo | None:
    """The IANA zone that the text of a VTIMEZONE is, by its name, or None."""
    return next((zone for name in _TZID.findall(vtimezone) if (zone := _zone(name))), None)


def events_in(objects: Iterable[CalendarObject], window: Interval, zone: ZoneInfo) -> list[RemoteEvent]:
    """The events and occurrences that overlap the window; `zone` is the calendar's own.

    An object that cannot be understood is there from its DTSTART on, when that much can be read. This takes a
    millisecond for each object: it is to run beside the event loop. Raises CalendarUnavailable when it takes too long.
    """
    until = thread_time() + _PATIENCE_S
    events = (event for each in objects for event in _in_time(each, window, zone, until))
    return [event for event in events if _overlap(event.slot, window)]


def first_events(objects: Iterable[CalendarObject], zone: ZoneInfo) -> tuple[RemoteEvent, ...]:
    """The event of each object or, of a recurring one, its first occurrence; none for what cannot be understood.
    Otherwise as `events_in`."""
    until = thread_time() + _PATIENCE_S
    return tuple(event for each in objects for event in _in_time(each, None, zone, until))


def main_event(calendar: Calendar) -> Event:
    """The event of an object, not a changed occurrence of it. Raises CalendarRefused when there is none."""
    for event in calendar.events:
        if "RECURRENCE-ID" not in event:
            return event
    raise CalendarRefused("The event in the calendar is not one that can be changed.")


def _in_time(each: CalendarObject, window: Interval | None, zone: ZoneInfo, until: float) -> list[RemoteEvent]:
    if thread_time() > until:
        raise CalendarUnavailable("The calendar has more events than can be read in time.")
    return _read(each, window, zone)


def _read(each: CalendarObject, window: Interval | None, zone: ZoneInfo) -> list[RemoteEvent]:
    try:
        times = _times_of(each.text)
        if len(times) <= _LARGEST:
            return list(_understood(each, times, window, zone))
        reason = "large"
    except Exception as error:
        # Whatever somebody's calendar makes the libraries raise: one event must not hide all others.
        reason = type(error).__name__
    log.warning("calendar_object_not_understood", reason=reason)
    return _rough(each, zone)


def _understood(each: CalendarObject, times: str, window: Interval | None, zone: ZoneInfo) -> Iterator[RemoteEvent]:
    named = _X_WR_TIMEZONE.search(times)
    zone = (_zone(named[1]) if named else None) or zone
    calendar = Calendar.from_ical(times)
    events = calendar.events
    if not events:
        return
    recurs = any({"RRULE", "RDATE", "RECURRENCE-ID"} & event.keys() for event in events)
    if window is None or not recurs:
        first = next((event for event in events if "RECURRENCE-ID" not in event), events[0])
        yield _event(each, first, zone)
        return
    for event in events:
        for rule in event.rrules:
            if not expandable(rule, _instant(event.start, zone), window.end):
                # Dropped alone: the event still counts at its start.
                log.warning("recurrence_rule_not_expanded")
                event.pop("RRULE", None)
    # A day more, because the library takes days and floating times for UTC.
    query = recurring_ical_events.of(calendar)
    for occurrence in query.between(window.start - _DAY, window.end + _DAY):
        event = _event(each, occurrence, zone)
        yield replace(event, id=f"{event.id}#{event.slot.start:%Y%m%dT%H%M%SZ}")


def _event(each: CalendarObject, event: Any, zone: ZoneInfo) -> RemoteEvent:
    busy = event.get("TRANSP", "OPAQUE").upper() != "TRANSPARENT" and event.get("STATUS", "").upper() != "CANCELLED"
    slot = Interval(_instant(event.start, zone), _instant(event.end, zone))
    if slot.end < slot.start:
        raise ValueError("an event that ends before it starts")
    key = _UID.fullmatch(event.get("UID", ""))
    return RemoteEvent(each.path, slot, busy, each.tag, UUID(key[1]) if key else None)


def _instant(at: date | datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a value; days and floating times (RFC 5545, 3.3.5) are of `zone`."""
    if not isinstance(at, datetime):
        return day_begins(at, zone)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _rough(each: CalendarObject, zone: ZoneInfo) -> list[RemoteEvent]:
    """The event of an object by its first DTSTART and DTEND alone; without the latter it is an hour or a day long."""
    lines = each.text.partition("BEGIN:VEVENT")[2][:_LARGEST].split("\n")
    start, end = _rough_time("DTSTART", lines, zone), _rough_time("DTEND", lines, zone)
    if start is None:
        return []
    at, length = start
    slot = Interval(at, end[0] if end and end[0] > at else at + length)
    return [RemoteEvent(each.path, slot, tag=each.tag)]


def _rough_time(name: str, lines: list[str], zone: ZoneInfo) -> tuple[datetime, timedelta] | None:
    """The instant that a property names, and how long an event lasts that has no more than that."""
    line = next((line for line in lines if line.startswith((f"{name};", f"{name}:"))), "")
    parameters, _, value = line.strip().partition(":")
    tzid = next((each[5:] for each in parameters.split(";") if each.startswith("TZID=")), "")
    try:
        if len(value) == len("20270602"):
            return day_begins(datetime.strptime(value, "%Y%m%d").date(), zone), _DAY
        at = datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S")
        return at.replace(tzinfo=UTC if value.endswith("Z") else _zone(tzid) or zone).astimezone(UTC), _HOUR
    except (ValueError, OverflowError):
        return None


def _times_of(text: str) -> str:
    """What an object says about when its events are, without alarms, and what it says of whom, where and why.

    Rules of zones that are known by name are left out too: ours are newer, and reading theirs takes ten times as long
    as reading an event. Line by line, because a pattern over many lines would take a hostile text hours.
    """
    kept: list[str] = []
    zone_begins: int | None = None
    in_alarm = False
    for line in _FOLD.sub("", text).split("\n"):
        line = line.rstrip("\r")
        if line in ("BEGIN:VALARM", "END:VALARM"):
            in_alarm = line == "BEGIN:VALARM"
        elif not in_alarm and _TIMES.match(line):
            if line == "BEGIN:VTIMEZONE":
                zone_begins = len(kept)
            kept.append(line)
            if line == "END:VTIMEZONE" and zone_begins is not None:
                if any(each.startswith("TZID:") and each[5:] in ZONES for each in kept[zone_begins:]):
                    del kept[zone_begins:]
                zone_begins = None
    return "\n".join(kept)


def _zone(name: str) -> ZoneInfo | None:
    known = name.strip().strip('"')
    known = known if known in ZONES else WINDOWS_TO_OLSON.get(known, "")
    return ZoneInfo(known) if known else None


def _overlap(slot: Interval, window: Interval) -> bool:
    # What takes no time, such as a reminder, is in nobody's way.
    return slot.start < slot.end and slot.start < window.end and slot.end > window.start
