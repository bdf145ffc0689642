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
_VTIMEZONE = re.compile(r"BEGIN:VTIMEZONE\r?\n.*?END:VTIMEZONE\r?\n", re.DOTALL)
_VALARM = re.compile(r"BEGIN:VALARM\r?\n.*?END:VALARM\r?\n", re.DOTALL)
_FOLD = re.compile(r"\r?\n[ \t]")
_TIMES = re.compile(
    r"^(?:(?:BEGIN|END):(?:VCALENDAR|VEVENT|VTIMEZONE|STANDARD|DAYLIGHT)\b"
    r"|(?:DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|EXRULE|RECURRENCE-ID|UID|SEQUENCE|STATUS|TRANSP"
    r"|TZID|TZOFFSETFROM|TZOFFSETTO|X-WR-TIMEZONE)[;:]).*(?:\n|\Z)",
    re.MULTILINE | re.IGNORECASE,
)
_TZID = re.compile(r"^(?:TZID|X-LIC-LOCATION):(.+?)\r?$", re.MULTILINE)
_X_WR_TIMEZONE = re.compile(r"^X-WR-TIMEZONE(?:;[^:\r\n]*)?:(.+?)\r?$", re.MULTILINE)
_ZONELESS = re.compile(r"^(?:DTSTART|DTEND)(?![^:\r\n]*TZID=)[^:\r\n]*:\d{8}(?:T\d{6})?\r?$", re.MULTILINE)
_ROUGH_TIME = r"^{}(?:;[^:\r\n]*?TZID=\"?([^\";:\r\n]+))?[^:\r\n]*:(\d{{8}})(?:T(\d{{6}})(Z?))?"


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
    key = _UID.fullmatch(event.get("UID", ""))
    return RemoteEvent(each.path, slot, busy, each.tag, UUID(key[1]) if key else None)


def _instant(at: date | datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a value; days and floating times (RFC 5545, 3.3.5) are of `zone`."""
    if not isinstance(at, datetime):
        return day_begins(at, zone)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _rough(each: CalendarObject, zone: ZoneInfo) -> list[RemoteEvent]:
    """The event of an object by its first DTSTART and DTEND alone; without the latter it is an hour or a day long."""
    text = each.text.partition("BEGIN:VEVENT")[2][:_LARGEST]
    start, end = _rough_time("DTSTART", text, zone), _rough_time("DTEND", text, zone)
    if start is None:
        return []
    at, length = start
    return [RemoteEvent(each.path, Interval(at, max(at, end[0]) if end else at + length), tag=each.tag)]


def _rough_time(name: str, text: str, zone: ZoneInfo) -> tuple[datetime, timedelta] | None:
    """The instant that a property names, and how long an event lasts that has no more than that."""
    found = re.search(_ROUGH_TIME.format(name), text, re.MULTILINE)
    if found is None:
        return None
    tzid, day, time, utc = found.groups()
    try:
        if time is None:
            return day_begins(datetime.strptime(day, "%Y%m%d").date(), zone), _DAY
        at = datetime.strptime(day + time, "%Y%m%d%H%M%S")
        return at.replace(tzinfo=UTC if utc else _zone(tzid or "") or zone).astimezone(UTC), _HOUR
    except (ValueError, OverflowError):
        return None


def _times_of(text: str) -> str:
    """What an object says about when its events are, without what it says of whom, where and why.

    Rules of zones that are known by name are left out too: ours are newer, and reading theirs takes ten times as long
    as reading an event.
    """
    text = _VTIMEZONE.sub(lambda block: "" if _known(block[0]) else block[0], _VALARM.sub("", text))
    return "".join(_TIMES.findall(_FOLD.sub("", text)))


def _known(vtimezone: str) -> bool:
    found = re.search(r"^TZID:(.+?)\r?$", vtimezone, re.MULTILINE)
    return found is not None and found[1] in ZONES


def _zone(name: str) -> ZoneInfo | None:
    known = name.strip().strip('"')
    known = known if known in ZONES else WINDOWS_TO_OLSON.get(known, "")
    return ZoneInfo(known) if known else None


def _overlap(slot: Interval, window: Interval) -> bool:
    # What takes no time, such as a reminder, is in nobody's way.
    return slot.start < slot.end and slot.start < window.end and slot.end > window.start
