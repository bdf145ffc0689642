"""Which recurrence rules are expanded: a rule is somebody's input, and expanding it may take hours."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

# A quarter of an hour apart, all day long.
_MOST_A_DAY = 96
# From the first occurrence to the end of the window; each takes about 5 µs.
_MOST_STEPS = 150_000
_STEPS_A_DAY = {"HOURLY": 24.0, "DAILY": 1.0, "WEEKLY": 1 / 7, "MONTHLY": 1 / 28, "YEARLY": 1 / 365}
# With one of these, a rule of a short step may match nothing, and is followed day by day to the year 9999 to find out.
_SIEVES = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")


def expandable(rule: Mapping[str, Sequence[Any]], start: datetime, until: datetime) -> bool:
    """Whether a recurrence rule (RFC 5545, 3.3.10) that begins at `start` is expanded up to `until`, both UTC.

    What calendars offer to people is: a bound of occurrences a day, of steps, and no rules by the minute or second.
    """
    frequency = str(next(iter(rule.get("FREQ", ())), "")).upper()
    steps_a_day = _STEPS_A_DAY.get(frequency)
    if steps_a_day is None or (steps_a_day >= 1 and any(rule.get(name) for name in _SIEVES)):
        return False
    a_day = max(1.0, steps_a_day)
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        a_day *= max(1, len(rule.get(name, ())))
    days = (until.astimezone(UTC) - start).total_seconds() / 86_400
    return a_day <= _MOST_A_DAY and days * steps_a_day <= _MOST_STEPS
