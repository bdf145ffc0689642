"""Opening hours as instants: they belong to the day on which they begin, and may reach over midnight."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tenantry.domain.agent import OpeningHours
from tenantry.domain.booking import Interval
from tenantry.domain.errors import FieldError
from tenantry.domain.wall_time import first_instant

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")
_DAY = timedelta(days=1)


def over_midnight(hours: OpeningHours) -> bool:
    """Whether they close on the day after they open, be it at its very beginning."""
    return hours.closes == "24:00" or hours.closes <= hours.opens


def open_time(hours: OpeningHours, day: date, zone: ZoneInfo) -> Interval:
    """The UTC instants from the opening on this day of the zone to the closing. A wall time that comes twice is the
    first, one that the clocks skip is the moment after the skip."""
    closing_day = day + _DAY if over_midnight(hours) else day
    closes = time() if hours.closes == "24:00" else time.fromisoformat(hours.closes)
    return Interval(
        first_instant(datetime.combine(day, time.fromisoformat(hours.opens)), zone),
        first_instant(datetime.combine(closing_day, closes), zone),
    )


def hours_faults(at: str, hours: OpeningHours) -> Iterator[FieldError]:
    """What is wrong with the hours beyond their types; `at` is the path of their field."""
    if not _CLOCK.match(hours.opens):
        yield FieldError(f"{at}.opens", f"{hours.opens!r} is no time of day, such as 09:00")
    if not _CLOCK.match(hours.closes) and hours.closes != "24:00":
        yield FieldError(f"{at}.closes", f"{hours.closes!r} is no time of day, such as 17:30, or 24:00")
    if hours.opens == hours.closes:
        yield FieldError(f"{at}.closes", "is the same as opens; an open day all round is 00:00 to 24:00")
    if len(set(hours.days)) != len(hours.days):
        yield FieldError(f"{at}.days", "names a day twice")
