"""What every calendar at a provider does alike: events and busy times."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Attendee
from tenantry.domain.errors import CalendarUnavailable
from tests.contract.harness import ZONE, CalendarHarness
from tests.contract.times import (
    AUTUMN,
    DAY,
    HOUR,
    MORNING,
    SPRING,
    appointment,
    around,
    contents,
    slot,
    slots_of,
    sorted_slots,
    whole_day,
)


async def test_says_whose_it_is_and_which_calendars_there_are(harness: CalendarHarness) -> None:
    assert await harness.provider.account()
    offered = {choice.remote_id: choice for choice in await harness.provider.calendars()}
    assert {harness.calendar, harness.second} <= offered.keys()
    assert harness.absent not in offered
    assert offered[harness.calendar].writable
    assert offered[harness.calendar].name


async def test_creates_an_event_that_is_found_again(harness: CalendarHarness) -> None:
    wanted = appointment()
    made = await harness.provider.create(harness.calendar, wanted)
    assert (made.slot, made.key, made.busy) == (wanted.slot, wanted.key, True)
    assert await contents(harness) == [(made.id, wanted.slot, wanted.key)]
    assert await harness.provider.find(harness.calendar, wanted) == made
    assert await harness.provider.events(harness.calendar, around(wanted.slot)) == [made]


async def test_finds_nothing_before_it_is_made_and_after_it_is_deleted(harness: CalendarHarness) -> None:
    wanted = appointment()
    await harness.plant(wanted.slot)
    assert await harness.provider.find(harness.calendar, wanted) is None
    made = await harness.provider.create(harness.calendar, wanted)
    await harness.delete(made.id)
    assert await harness.provider.find(harness.calendar, wanted) is None


async def test_one_key_is_one_event(harness: CalendarHarness) -> None:
    wanted = appointment()
    first = await harness.provider.create(harness.calendar, wanted)
    assert await harness.provider.create(harness.calendar, wanted) == first
    together = await asyncio.gather(*(harness.provider.create(harness.calendar, wanted) for _ in range(4)))
    assert set(together) == {first}
    assert await contents(harness) == [(first.id, wanted.slot, wanted.key)]


async def test_creating_at_once_makes_one_event(harness: CalendarHarness) -> None:
    wanted = appointment()
    made = await asyncio.gather(*(harness.provider.create(harness.calendar, wanted) for _ in range(5)))
    assert len({event.id for event in made}) == 1
    assert await contents(harness) == [(made[0].id, wanted.slot, wanted.key)]


async def test_another_key_is_another_event_in_the_same_slot(harness: CalendarHarness) -> None:
    keys = {(await harness.provider.create(harness.calendar, appointment())).key for _ in range(2)}
    assert {event.key for event in await harness.stored()} == keys
    assert len(keys) == 2


async def test_created_again_when_no_answer_came_is_one_event(harness: CalendarHarness) -> None:
    wanted = appointment()
    await harness.hang_after_commit()
    with pytest.raises(CalendarUnavailable):
        await harness.impatient.create(harness.calendar, wanted)
    [(made, kept, key)] = await contents(harness)
    assert (await harness.provider.create(harness.calendar, wanted)).id == made
    assert await contents(harness) == [(made, kept, key)] == [(made, wanted.slot, wanted.key)]


@pytest.mark.parametrize(
    "title", ["Besichtigung: Größe, Küche; \\n 5 % 🏡", "内覧 ✓", 'A "quoted" <b>title</b> & more']
)
async def test_titles_are_kept_as_they_are(harness: CalendarHarness, title: str) -> None:
    made = await harness.provider.create(harness.calendar, appointment(title=title, description=f"{title}\n\n{title}"))
    assert [event.title for event in await harness.stored()] == [title]
    await harness.provider.change(harness.calendar, made.id, appointment(key=made.key, title=f"{title} 2", sequence=1))
    assert [event.title for event in await harness.stored()] == [f"{title} 2"]


async def test_attendees_stay_invited(harness: CalendarHarness) -> None:
    anna = Attendee("anna@example.com", "Anna Größer")
    wanted = appointment(attendee=anna)
    made = await harness.provider.create(harness.calendar, wanted)
    moved = replace(wanted, slot=slot(MORNING + DAY), sequence=1)
    await harness.provider.change(harness.calendar, made.id, moved)
    assert [event.attendees for event in await harness.stored()] == [{anna.email}]


@pytest.mark.parametrize("day", [SPRING, AUTUMN], ids=["spring", "autumn"])
async def test_every_hour_of_a_day_on_which_the_clocks_change(harness: CalendarHarness, day: date) -> None:
    night = whole_day(day).start
    wanted = [slot(night + hour * HOUR) for hour in range(5)]
    for hour in wanted:
        await harness.provider.create(harness.calendar, appointment(hour))
    assert sorted_slots(event.slot for event in await harness.stored()) == wanted
    assert slots_of(await harness.provider.events(harness.calendar, Interval(night, night + DAY))) == wanted


async def test_an_appointment_that_was_agreed_in_another_zone(harness: CalendarHarness) -> None:
    made = await harness.provider.create(harness.calendar, appointment(time_zone="America/New_York"))
    assert made.slot == slot()
    assert (await harness.stored())[0].slot == slot()


async def test_a_change_keeps_the_event_and_is_made_once(harness: CalendarHarness) -> None:
    wanted = appointment()
    made = await harness.provider.create(harness.calendar, wanted)
    moved = replace(wanted, slot=slot(MORNING + 3 * HOUR, HOUR / 2), title="Second viewing", sequence=1)
    for _ in range(2):
        changed = await harness.provider.change(harness.calendar, made.id, moved)
        assert changed is not None
        assert (changed.id, changed.slot, changed.key) == (made.id, moved.slot, wanted.key)
        assert changed.tag != made.tag
    assert await contents(harness) == [(made.id, moved.slot, wanted.key)]
    assert (await harness.stored())[0].title == "Second viewing"


async def test_changed_again_when_no_answer_came(harness: CalendarHarness) -> None:
    wanted = appointment()
    made = await harness.provider.create(harness.calendar, wanted)
    moved = replace(wanted, slot=slot(MORNING + 3 * HOUR), sequence=1)
    await harness.hang_after_commit()
    with pytest.raises(CalendarUnavailable):
        await harness.impatient.change(harness.calendar, made.id, moved)
    changed = await harness.provider.change(harness.calendar, made.id, moved)
    assert changed is not None
    assert await contents(harness) == [(made.id, moved.slot, wanted.key)]


async def test_a_change_overrides_what_the_owner_did_meanwhile(harness: CalendarHarness) -> None:
    wanted = appointment()
    made = await harness.provider.create(harness.calendar, wanted)
    await harness.move(made.id, slot(MORNING + DAY))
    moved = replace(wanted, slot=slot(MORNING + 3 * HOUR), sequence=1)
    await harness.provider.change(harness.calendar, made.id, moved)
    assert await contents(harness) == [(made.id, moved.slot, wanted.key)]


async def test_what_was_deleted_cannot_be_changed(harness: CalendarHarness) -> None:
    wanted = appointment()
    made = await harness.provider.create(harness.calendar, wanted)
    await harness.delete(made.id)
    assert await harness.provider.change(harness.calendar, made.id, replace(wanted, sequence=1)) is None
    assert await harness.stored() == []


async def test_cancelled_is_gone_however_often(harness: CalendarHarness) -> None:
    wanted = appointment(attendee=Attendee("anna@example.com"))
    made = await harness.provider.create(harness.calendar, wanted)
    kept = await harness.provider.create(harness.calendar, appointment())
    for _ in range(2):
        await harness.provider.cancel(harness.calendar, made.id)
    assert [event.id for event in await harness.stored()] == [kept.id]
    assert await harness.provider.find(harness.calendar, wanted) is None
    assert await harness.provider.change(harness.calendar, made.id, wanted) is None


async def test_cancelled_again_when_no_answer_came(harness: CalendarHarness) -> None:
    made = await harness.provider.create(harness.calendar, appointment())
    await harness.hang_after_commit()
    with pytest.raises(CalendarUnavailable):
        await harness.impatient.cancel(harness.calendar, made.id)
    await harness.provider.cancel(harness.calendar, made.id)
    assert await harness.stored() == []


async def test_events_are_those_that_overlap_the_window(harness: CalendarHarness) -> None:
    window = slot()
    quarter = HOUR / 4
    for start in (window.start - HOUR, window.end):
        await harness.plant(slot(start))
    inside = [
        Interval(window.start - quarter, window.start + quarter),
        Interval(window.start + quarter, window.end - quarter),
        Interval(window.end - quarter, window.end + quarter),
    ]
    for each in inside:
        await harness.plant(each)
    assert slots_of(await harness.provider.events(harness.calendar, window)) == inside
    around = await harness.provider.events(harness.calendar, Interval(inside[1].start, inside[1].end))
    assert slots_of(around) == [inside[1]]


async def test_what_its_owner_shows_as_free_is_not_busy(harness: CalendarHarness) -> None:
    free = await harness.plant(slot(), free=True)
    taken = await harness.plant(slot(MORNING + 2 * HOUR))
    window = around(slot())
    seen = await harness.provider.events(harness.calendar, window)
    assert {(event.id, event.busy, event.key) for event in seen} == {(free, False, None), (taken, True, None)}
    assert await harness.provider.busy([harness.calendar], window) == [slot(MORNING + 2 * HOUR)]


async def test_a_deleted_event_is_not_busy(harness: CalendarHarness) -> None:
    await harness.delete(await harness.plant(slot()))
    assert await harness.provider.busy([harness.calendar], around(slot())) == []
    assert await harness.provider.events(harness.calendar, around(slot())) == []


async def test_busy_is_of_all_the_calendars_that_are_asked_for(harness: CalendarHarness) -> None:
    other = slot(MORNING + 2 * HOUR)
    await harness.plant(slot())
    await harness.plant(other, calendar=harness.second)
    window = around(slot())
    assert await harness.provider.busy([], window) == []
    assert await harness.provider.busy([harness.second], window) == [other]
    both = await harness.provider.busy([harness.calendar, harness.second], window)
    assert sorted_slots(both) == [slot(), other]


async def test_a_weekly_event_is_busy_at_the_same_wall_time(harness: CalendarHarness) -> None:
    """From the week before the clocks change to the week after."""
    weeks = [datetime.combine(SPRING + timedelta(days=days), datetime.min.time(), ZONE) for days in (-6, 1, 8)]
    expected = [slot(week.replace(hour=10).astimezone(UTC)) for week in weeks]
    assert expected[1].start - expected[0].start != 7 * DAY
    await harness.plant(expected[0], weekly=3)
    window = Interval(expected[0].start - DAY, expected[2].end + 14 * DAY)
    assert slots_of(await harness.provider.events(harness.calendar, window)) == expected
    busy = await harness.provider.busy([harness.calendar], window)
    assert sorted_slots(busy) == expected
    assert len(await harness.provider.busy([harness.calendar], expected[1])) == 1


@pytest.mark.parametrize("day", [MORNING.date(), SPRING, AUTUMN], ids=["plain", "spring", "autumn"])
async def test_an_all_day_event_is_busy_from_midnight_to_midnight(harness: CalendarHarness, day: date) -> None:
    await harness.plant(all_day_on=day)
    whole = whole_day(day)
    assert slots_of(await harness.provider.events(harness.calendar, around(whole))) == [whole]
    assert await harness.provider.busy([harness.calendar], around(whole)) == [whole]
    for beside in (slot(whole.start - HOUR), slot(whole.end)):
        assert await harness.provider.busy([harness.calendar], beside) == []
        assert await harness.provider.events(harness.calendar, beside) == []
    for within in (slot(whole.start), slot(whole.end - HOUR)):
        [busy] = await harness.provider.busy([harness.calendar], within)
        assert busy.start <= within.start
        assert within.end <= busy.end


async def test_an_all_day_event_that_is_free_is_not_busy(harness: CalendarHarness) -> None:
    """Such as a birthday."""
    await harness.plant(all_day_on=MORNING.date(), free=True)
    assert await harness.provider.busy([harness.calendar], around(slot())) == []
    assert [event.busy for event in await harness.provider.events(harness.calendar, slot())] == [False]
