"""Time zones as iCalendar has them (RFC 5545, 3.6.5), by the pinned zone data."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

from tenantry.calendars.components import add

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
# The offset before, the one after, and the zone's name after it.
_Change = tuple[timedelta, timedelta, str]


@lru_cache(maxsize=256)
def vtimezone(name: str, first_year: int, last_year: int) -> Timezone:
    """The zone of that IANA name as it is from the first of these years to the end of the last; not to be changed.

    The library's own `Timezone.from_tzinfo` lets clocks go forward an hour late: an onset is in the time that was
    before it (RFC 5545, 3.6.5), and 2:00 becomes 3:00 at 2:00.
    """
    zone = ZoneInfo(name)
    start, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    component = Timezone()
    add(component, "TZID", name)
    offset, tzname = _at(start, zone)
    onsets: dict[_Change, list[datetime]] = defaultdict(list)
    # What holds at the beginning is told as if it began then.
    onsets[offset, offset, tzname].append(start)
    for moment in _changes(zone, start, end):
        before, _ = _at(moment - _SECOND, zone)
        onsets[before, *_at(moment, zone)].append(moment)
    for (before, after, tzname_after), moments in onsets.items():
        part = TimezoneDaylight() if after > before else TimezoneStandard()
        first, *others = [(moment + before).replace(tzinfo=None) for moment in moments]
        add(part, "DTSTART", first)
        if others:
            add(part, "RDATE", others)
        add(part, "TZOFFSETFROM", before)
        add(part, "TZOFFSETTO", after)
        add(part, "TZNAME", tzname_after)
        component.add_component(part)
    return component


def _at(moment: datetime, zone: ZoneInfo) -> tuple[timedelta, str]:
    local = moment.astimezone(zone)
    return local.utcoffset() or timedelta(0), local.tzname() or zone.key


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """The instants at which offset or name change, to the second; no zone has two within a day."""
    found: list[datetime] = []
    while start < end:
        following = start + _DAY
        if _at(following, zone) != _at(start, zone):
            low, high = start, following
            while high - low > _SECOND:
                middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
                low, high = (middle, high) if _at(middle, zone) == _at(start, zone) else (low, middle)
            found.append(high)
        start = following
    return found
