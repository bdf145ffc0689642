"""The days and appointments of the contract test: two weeks from now and later, in UTC."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, RemoteEvent
from tenantry.domain.ids import new_id
from tenantry.domain.wall_time import day_begins
from tests.contract.harness import ZONE, CalendarHarness

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MORNING = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + 14 * DAY


def slot(start: datetime = MORNING, length: timedelta = HOUR) -> Interval:
    """From `start` on, an hour unless said."""
    return Interval(start, start + length)


def around(wanted: Interval) -> Interval:
    """A day more on both sides."""
    return Interval(wanted.start - DAY, wanted.end + DAY)


def whole_day(on: date) -> Interval:
    """From midnight to midnight in the calendar's zone."""
    return Interval(day_begins(on, ZONE), day_begins(on + DAY, ZONE))


def _next_day_of(length: timedelta) -> date:
    day = MORNING.date()
    while whole_day(day).end - whole_day(day).start != length:
        day += DAY
    return day


SPRING = _next_day_of(23 * HOUR)
AUTUMN = _next_day_of(25 * HOUR)


def appointment(wanted: Interval | None = None, **others: Any) -> Appointment:
    """One of a new key, in the morning unless said."""
    made = Appointment(new_id(), wanted or slot(), ZONE.key, title="Viewing", description="Ring twice")
    return replace(made, **others)


def sorted_slots(slots: Iterable[Interval]) -> list[Interval]:
    """By their start."""
    return sorted(slots, key=lambda each: each.start)


def slots_of(events: Iterable[RemoteEvent]) -> list[Interval]:
    """When they are, by their start."""
    return sorted_slots(event.slot for event in events)


async def contents(harness: CalendarHarness) -> list[tuple[str, Interval, UUID | None]]:
    """What the server holds, as id, slot and key."""
    return [(event.id, event.slot, event.key) for event in await harness.stored()]
