"""Wall time of an IANA zone to instants, by one pinned copy of the zone data."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:00(\.0+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?", re.IGNORECASE
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

ZONES = frozenset(available_timezones())


def parse_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ValueError for any other text."""
    if name not in ZONES:
        raise ValueError("no IANA time zone, such as Europe/London")
    return ZoneInfo(name)


class NonexistentTime(ValueError):
    """A wall time that the clocks skip when they go forward."""

    def __init__(self, wall: datetime, zone: ZoneInfo) -> None:
        super().__init__(f"{wall:%H:%M} does not exist on {wall:%Y-%m-%d} in {zone.key}, the clocks skip it")
        self._wall = wall
        self._zone = zone

    @property
    def after(self) -> datetime:
        """The UTC instant of the first wall time that exists again."""
        return first_instant(self._wall, self._zone)


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall time without zone. One that comes twice, when clocks go back, is the first.

    Raises NonexistentTime for one that the clocks skip, OverflowError at the ends of the calendar.
    """
    found = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) != wall:
        raise NonexistentTime(wall, zone)
    return found


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall time in whole minutes or, when the clocks skip it, the moment after the skip."""
    while True:
        try:
            return instant(wall, zone)
        except NonexistentTime:
            wall += timedelta(minutes=1)


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """The UTC instant at which the day begins in the zone."""
    return first_instant(datetime.combine(day, time()), zone)


def parse_instant(text: str, zone: ZoneInfo) -> datetime:
    """The UTC instant of "2026-11-24T15:00", in whole minutes: wall time of the zone, or with an offset or Z.

    Raises NonexistentTime, which is a ValueError, for wall time that the clocks skip; ValueError for any other text.
    """
    if not _DATE_TIME.fullmatch(text):
        raise ValueError('not a date and time in whole minutes such as "2026-11-24T15:00"')
    value = datetime.fromisoformat(text.upper())
    try:
        return instant(value, zone) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None


def parse_date(text: str) -> date | None:
    """The day that "2026-11-24" names, or None when the text is of another form.

    Raises ValueError for a day that no calendar has.
    """
    return date.fromisoformat(text) if _DATE.fullmatch(text) else None
