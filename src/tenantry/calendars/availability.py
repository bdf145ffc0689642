"""When an appointment is possible: business hours, rules and busy times to free starts. No I/O."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from heapq import merge
from itertools import islice
from zoneinfo import ZoneInfo

from tenantry.domain.agent import WEEKDAYS, AgentDefinition
from tenantry.domain.booking import DailyLimit, Interval
from tenantry.domain.closed_days import ClosedDays
from tenantry.domain.opening_hours import open_time
from tenantry.domain.wall_time import day_begins

_LONGEST_STEP = timedelta(minutes=30)
_REACH = timedelta(days=31)
_DAY = timedelta(days=1)


class NotPossible(StrEnum):
    """Why an appointment cannot start when it is wanted. `invalid_time`, a wall time that the clocks skip, is found
    where the text is read (`domain.wall_time.parse_instant`)."""

    PAST = "past"
    TOO_SOON = "too_soon"
    TOO_FAR = "too_far"
    OUTSIDE_BUSINESS_HOURS = "outside_business_hours"
    HOLIDAY = "holiday"
    DAY_FULL = "day_full"
    INVALID_TIME = "invalid_time"
    TAKEN = "taken"


class Busy:
    """The times at which a calendar is not free, each widened on both sides by the buffer between appointments, and the
    wall days on which no further appointment may start."""

    def __init__(self, intervals: Iterable[Interval], buffer: timedelta, full_days: Collection[date] = ()) -> None:
        """`intervals` may overlap and come in any order."""
        self.full_days = frozenset(full_days)
        self._blocks = _merged(Interval(i.start - buffer, i.end + buffer) for i in intervals)
        self._ends = [block.end for block in self._blocks]

    def meets(self, wanted: Interval) -> Interval | None:
        """The first busy time that overlaps the wanted one, with its buffers and those that it runs into."""
        # Blocks are disjoint and in order: if any overlaps, the first that ends after the wanted start does.
        at = bisect_right(self._ends, wanted.start)
        return self._blocks[at] if at < len(self._blocks) and self._blocks[at].start < wanted.end else None


@dataclass(frozen=True)
class Schedule:
    """When an agent gives appointments, seen at `now` (aware). All instants that come out are UTC."""

    agent: AgentDefinition
    now: datetime

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of the agent's wall times."""
        return ZoneInfo(self.agent.time_zone)

    @property
    def length(self) -> timedelta:
        """How long an appointment is."""
        return timedelta(minutes=self.agent.appointments.length_minutes)

    @property
    def buffer(self) -> timedelta:
        """The least gap between two appointments."""
        return timedelta(minutes=self.agent.appointments.buffer_minutes)

    @property
    def step(self) -> timedelta:
        """The distance of offered starts, counted from opening: back to back, but at least every half hour."""
        return min(self.length + self.buffer, _LONGEST_STEP)

    @cached_property
    def earliest(self) -> datetime:
        """The first instant at which an appointment may start, by the notice."""
        return self.now.astimezone(UTC) + timedelta(minutes=self.agent.appointments.notice_minutes)

    @cached_property
    def latest(self) -> datetime:
        """The last instant at which an appointment may start, by the horizon."""
        return self.now.astimezone(UTC) + timedelta(days=self.agent.appointments.horizon_days)

    @cached_property
    def closed_days(self) -> ClosedDays:
        """The wall days on which no hours begin."""
        return ClosedDays.of(self.agent.appointments)

    def daily_limit(self, start: datetime) -> DailyLimit | None:
        """What bounds the wall day on which an appointment at `start` counts; None for as many as there is room for."""
        most = self.agent.appointments.daily_maximum
        return None if most is None else DailyLimit(self.whole_days(Interval(start, start)), most)

    def whole_days(self, window: Interval) -> Interval:
        """The wall days of the window, the last one with its end included."""
        days = _days(window, self.zone)
        return Interval(day_begins(days[0], self.zone), day_begins(days[-1] + _DAY, self.zone))

    def busy(self, intervals: Iterable[Interval], counted: Iterable[datetime] = ()) -> Busy:
        """The busy times under this agent's buffer. `counted` are the starts of the appointments that count towards the
        daily maximum, of whole days."""
        booked = Counter(start.astimezone(self.zone).date() for start in counted)
        most = self.agent.appointments.daily_maximum
        return Busy(intervals, self.buffer, () if most is None else [day for day, n in booked.items() if n >= most])

    def appointment(self, start: datetime) -> Interval:
        """The appointment that starts then."""
        return Interval(start, start + self.length)

    def obstacle(self, start: datetime, busy: Busy) -> NotPossible | None:
        """Why no appointment can start then, or None. `busy` must cover a day around it."""
        if start < self.now:
            return NotPossible.PAST
        if start < self.earliest:
            return NotPossible.TOO_SOON
        if start > self.latest:
            return NotPossible.TOO_FAR
        wanted = self.appointment(start)
        day = start.astimezone(self.zone).date()
        if not _covered(wanted, self._open_times(day)):
            return NotPossible.HOLIDAY if day in self.closed_days else NotPossible.OUTSIDE_BUSINESS_HOURS
        if day in busy.full_days:
            return NotPossible.DAY_FULL
        return NotPossible.TAKEN if busy.meets(wanted) else None

    def around(self, wanted: datetime) -> Interval:
        """The window in which `nearest` looks and whose busy times it needs: 31 days on both sides of the wanted start,
        moved to where appointments may start at all."""
        at = self._possible(wanted)
        return Interval(max(self.earliest, at - _REACH), min(self.latest, at + _REACH))

    def nearest(self, wanted: datetime, busy: Busy, limit: int = 3) -> tuple[datetime, ...]:
        """The `limit` free starts nearest to the wanted one, before and after it, in order of time. `busy` must cover
        `around(wanted)`."""
        window = self.around(wanted)
        at = self._possible(wanted)
        later = self._free(Interval(at, window.end), busy)
        earlier = self._free_backwards(Interval(window.start, at), busy)
        by_distance = merge(later, earlier, key=lambda start: abs(start - at))
        return tuple(sorted(islice(by_distance, limit)))

    def free_starts(self, window: Interval, busy: Busy, limit: int) -> tuple[datetime, ...]:
        """The first `limit` free starts from `window.start` up to, not including, `window.end`, in order of time.
        `busy` must cover the window."""
        start = max(window.start, self.earliest)
        return tuple(islice(self._free(Interval(start, min(window.end, self.latest)), busy), limit))

    def _possible(self, wanted: datetime) -> datetime:
        return max(self.earliest, min(self.latest, wanted))

    def _free(self, window: Interval, busy: Busy) -> Iterator[datetime]:
        for day in _days(window, self.zone):
            yield from self._free_on(day, window, busy)

    def _free_backwards(self, window: Interval, busy: Busy) -> Iterator[datetime]:
        for day in reversed(_days(window, self.zone)):
            yield from reversed(self._free_on(day, window, busy))

    def _free_on(self, day: date, window: Interval, busy: Busy) -> list[datetime]:
        """The free starts on the grid on this day and in the window, sorted; hours of the day before may reach in."""
        if day in busy.full_days:
            return []
        open_times = self._open_times(day)
        begin = max(window.start, day_begins(day, self.zone))
        end = min(window.end, day_begins(day + _DAY, self.zone))
        starts: set[datetime] = set()
        for opening in self._openings(day - _DAY, day):
            start = self._on_grid(opening.start, begin)
            while start < min(opening.end, end):
                wanted = self.appointment(start)
                block = busy.meets(wanted)
                if block is None and _covered(wanted, open_times):
                    starts.add(start)
                # Over a busy time in one stride: a month that is booked up is looked through on the event loop.
                start = self._on_grid(start, block.end) if block else start + self.step
        return sorted(starts)

    def _on_grid(self, start: datetime, least: datetime) -> datetime:
        """The first of start, start + step, … that is not before `least`."""
        return max(start, start - (start - least) // self.step * self.step)

    def _open_times(self, day: date) -> list[Interval]:
        """All that may hold an appointment that starts on this day: it lasts 24 hours at most, hours of the day before
        may reach into the day, and hours that touch count as one."""
        return _merged(self._openings(day - _DAY, day, day + _DAY, day + 2 * _DAY))

    def _openings(self, *days: date) -> Iterator[Interval]:
        for day in days:
            if day in self.closed_days:
                continue
            for hours in self.agent.business_hours:
                if WEEKDAYS[day.weekday()] in hours.days:
                    yield open_time(hours, day, self.zone)


def _days(window: Interval, zone: ZoneInfo) -> list[date]:
    """The wall dates of the window, in order."""
    first = window.start.astimezone(zone).date()
    last = window.end.astimezone(zone).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same times as disjoint intervals in order; those that touch become one, empty ones vanish."""
    merged: list[Interval] = []
    for interval in sorted((i for i in intervals if i.start < i.end), key=lambda i: i.start):
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return merged


def _covered(wanted: Interval, open_times: list[Interval]) -> bool:
    return any(times.start <= wanted.start and wanted.end <= times.end for times in open_times)
