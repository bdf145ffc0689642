"""Tests of the time: whether now is within some hours of a zone, and those hours in words."""

from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from tenantry.domain.agent import WEEKDAYS, OpeningHours
from tenantry.domain.opening_hours import open_time
from tenantry.domain.routing import TimeTest

# `ZoneInfo` itself holds on to eight zones only.
_zone = cache(ZoneInfo)
# Of each day the same hours are asked for with every conversation.
_open_time = lru_cache(maxsize=4096)(open_time)


def holds(test: TimeTest, now: datetime) -> bool:
    """Whether the test holds at `now` (aware). On the days on which clocks change, hours are what they are to
    appointments: one stretch of time, from the first time that the clocks show its beginning."""
    return _within_hours(test, now) is test.open


def failure(test: TimeTest, now: datetime) -> str | None:
    """Why the test does not hold at `now` (aware), or None if it does."""
    if holds(test, now):
        return None
    local = now.astimezone(_zone(test.time_zone))
    place = "outside" if test.open else "within"
    holiday = ", and it is a holiday" if test.open and local.date() in test.holidays else ""
    return f"not now: {local:%A %H:%M} in {test.time_zone} is {place} {described(test.hours)}{holiday}"


@lru_cache(maxsize=1024)
def described(hours: tuple[OpeningHours, ...]) -> str:
    """The hours as people write them: "mon-fri 09:00-17:00, sat 10:00-14:00"."""
    return ", ".join(f"{_described_days(each)} {each.opens}-{each.closes}" for each in hours)


def _described_days(hours: OpeningHours) -> str:
    numbers = sorted(WEEKDAYS.index(day) for day in hours.days)
    # Neighbouring days are as far from their places in the list.
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda placed: placed[1] - placed[0])]
    return "+".join(WEEKDAYS[run[0]] if len(run) == 1 else f"{WEEKDAYS[run[0]]}-{WEEKDAYS[run[-1]]}" for run in runs)


def _within_hours(test: TimeTest, now: datetime) -> bool:
    zone = _zone(test.time_zone)
    today = now.astimezone(zone).date()
    # Yesterday's hours may reach into today; where clocks go back over midnight, tomorrow's may have begun.
    for day in (today, today - timedelta(days=1), today + timedelta(days=1)):
        if day in test.holidays:
            continue
        for hours in test.hours:
            if WEEKDAYS[day.weekday()] in hours.days:
                interval = _open_time(hours, day, zone)
                if interval.start <= now < interval.end:
                    return True
    return False
