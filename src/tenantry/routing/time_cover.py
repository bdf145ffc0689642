"""Which tests of the time hold whenever another one does, or never; exact, on wall time in minutes.

An instant is within hours when the latest wall time that its zone's clocks have shown is, which grows steadily also
where clocks change. Coverage of wall times is therefore coverage of instants.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache, partial

from tenantry.domain.agent import WEEKDAYS, OpeningHours
from tenantry.domain.opening_hours import over_midnight
from tenantry.domain.routing import TimeTest

_DAY = 24 * 60
_FAR = 9 * _DAY

# Minutes from the beginning of a stretch's second day: disjoint, in order, each up to but not including its end.
_Spans = tuple[tuple[int, int], ...]
# Days in a row, each as its number in the week and whether it is a holiday. The first only reaches into the second.
_Days = tuple[tuple[int, bool], ...]

_ANY_WEEK: _Days = ((6, False), *((weekday, False) for weekday in range(7)))


def covers(wider: TimeTest, narrower: TimeTest) -> bool:
    """Whether `wider` holds at every time at which `narrower` does. Tests of two zones are never seen to."""
    if wider.time_zone != narrower.time_zone:
        return False
    inner, outer = _spans_of(narrower.hours, narrower.open), _spans_of(wider.hours, wider.open)
    return all(_within(inner(days), outer(other_days)) for days, other_days in _stretches(narrower, wider))


def never_holds(test: TimeTest) -> bool:
    """Whether there is no time at which the test holds."""
    spans = _spans_of(test.hours, test.open)
    return not any(spans(days) for days, _ in _stretches(test, test))


def _stretches(one: TimeTest, other: TimeTest) -> Iterator[tuple[_Days, _Days]]:
    """All that the two tests can meet, as days for each of them: a week without holidays, and the days around each
    holiday of either."""
    yield _ANY_WEEK, _ANY_WEEK
    holidays = frozenset(day.toordinal() for day in one.holidays)
    other_holidays = frozenset(day.toordinal() for day in other.holidays)
    # First those on which only the other is closed: most that is not covered shows there.
    for holiday in (*(other_holidays - holidays), *holidays):
        yield _around(holiday, holidays), _around(holiday, other_holidays)


def _around(day: int, holidays: frozenset[int]) -> _Days:
    """The day before, the day, and the one after, into which its hours may reach; days are proleptic ordinals."""
    return (
        ((day - 2) % 7, day - 1 in holidays),
        ((day - 1) % 7, day in holidays),
        (day % 7, day + 1 in holidays),
    )


@lru_cache(maxsize=256)
def _spans_of(hours: tuple[OpeningHours, ...], is_open: bool) -> Callable[[_Days], _Spans]:
    """The times in a stretch of days at which a test of these hours holds."""
    return cache(partial(_spans, hours, is_open))


def _spans(hours: tuple[OpeningHours, ...], is_open: bool, days: _Days) -> _Spans:
    end = (len(days) - 1) * _DAY
    opened = _merged(_openings(hours, days), end)
    if is_open:
        return opened
    edges = [0, *(edge for span in opened for edge in span), end]
    closed = zip(edges[::2], edges[1::2], strict=True)
    return tuple(span for span in closed if span[0] < span[1])


def _openings(hours: tuple[OpeningHours, ...], days: _Days) -> Iterator[tuple[int, int]]:
    for index, (weekday, holiday) in enumerate(days):
        begin = (index - 1) * _DAY
        for each in hours:
            if not holiday and WEEKDAYS[weekday] in each.days:
                closes = 0 if each.closes == "24:00" else _minute(each.closes)
                yield begin + _minute(each.opens), begin + closes + (_DAY if over_midnight(each) else 0)


def _merged(spans: Iterable[tuple[int, int]], end: int) -> _Spans:
    """The same times between 0 and `end`; those that touch become one."""
    merged: list[tuple[int, int]] = []
    for begins, ends in sorted((max(begins, 0), min(ends, end)) for begins, ends in spans):
        if begins >= ends:
            continue
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return tuple(merged)


def _within(inner: _Spans, outer: _Spans) -> bool:
    for begins, ends in inner:
        # Of disjoint spans in order, only the last that begins by then can hold it.
        at = bisect_right(outer, (begins, _FAR)) - 1
        if at < 0 or outer[at][1] < ends:
            return False
    return True


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
