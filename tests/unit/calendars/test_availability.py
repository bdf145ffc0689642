"""Free starts: hours, rules, busy times and the days on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.calendars.availability import Busy, NotPossible, Schedule
from tenantry.domain.agent import WEEKDAYS, AgentDefinition, AppointmentRules, Holidays, OpeningHours
from tenantry.domain.booking import Interval
from tenantry.domain.wall_time import NonexistentTime, parse_instant

NEW_YORK = "America/New_York"
LONDON = "Europe/London"
LORD_HOWE = "Australia/Lord_Howe"
EVERY_DAY = (("00:00", "24:00"),)


def schedule(
    zone: str = "UTC",
    hours: tuple[tuple[str, str], ...] = (("09:00", "17:00"),),
    now: str = "2026-01-01T00:00Z",
    days: tuple[str, ...] = WEEKDAYS,
    **rules: Any,
) -> Schedule:
    definition = AgentDefinition(
        name="Agent",
        time_zone=zone,
        business_hours=tuple(OpeningHours(days, opens, closes) for opens, closes in hours),  # type: ignore[arg-type]
        appointments=AppointmentRules(**{"horizon_days": 730, **rules}),
    )
    return Schedule(definition, datetime.fromisoformat(now))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def span(start: str, end: str) -> Interval:
    return Interval(at(start), at(end))


def day_starts(plan: Schedule, day: str, busy: tuple[Interval, ...] = ()) -> list[str]:
    """Every free start of that wall day, as wall time with offset."""
    window = Interval(at(f"{day}T00:00Z") - timedelta(days=1), at(f"{day}T00:00Z") + timedelta(days=2))
    starts = (s.astimezone(plan.zone) for s in plan.free_starts(window, plan.busy(busy), 10_000))
    return [f"{s:%H:%M%z}" for s in starts if s.date() == date.fromisoformat(day)]


def obstacle(plan: Schedule, start: str, busy: tuple[Interval, ...] = ()) -> NotPossible | None:
    return plan.obstacle(at(start), plan.busy(busy))


NOTHING: Busy = schedule().busy(())

# zone, day, hours of that day, starts of one-hour appointments
CLOCK_CHANGES = {
    "new york spring: 02 is skipped": (
        NEW_YORK,
        "2026-03-08",
        ("00:00", "05:00"),
        ["00:00-0500", "00:30-0500", "01:00-0500", "01:30-0500", "03:00-0400", "03:30-0400", "04:00-0400"],
    ),
    "new york autumn: 01 comes twice": (
        NEW_YORK,
        "2026-11-01",
        ("00:00", "03:00"),
        ["00:00-0400", "00:30-0400", "01:00-0400", "01:30-0400", "01:00-0500", "01:30-0500", "02:00-0500"],
    ),
    "london spring: 01 is skipped": (
        LONDON,
        "2026-03-29",
        ("00:00", "04:00"),
        ["00:00+0000", "00:30+0000", "02:00+0100", "02:30+0100", "03:00+0100"],
    ),
    "london autumn: 01 comes twice": (
        LONDON,
        "2026-10-25",
        ("00:30", "02:30"),
        ["00:30+0100", "01:00+0100", "01:30+0100", "01:00+0000", "01:30+0000"],
    ),
    "lord howe spring: half an hour is skipped": (
        LORD_HOWE,
        "2026-10-04",
        ("01:00", "04:00"),
        ["01:00+1030", "01:30+1030", "02:30+1100", "03:00+1100"],
    ),
    "lord howe autumn: half an hour comes twice": (
        LORD_HOWE,
        "2026-04-05",
        ("01:00", "03:00"),
        ["01:00+1100", "01:30+1100", "01:30+1030", "02:00+1030"],
    ),
    "opening in the skipped hour opens when it is over": (
        NEW_YORK,
        "2026-03-08",
        ("02:30", "05:00"),
        ["03:00-0400", "03:30-0400", "04:00-0400"],
    ),
    "closing in the hour that comes twice closes the first time": (
        NEW_YORK,
        "2026-11-01",
        ("00:00", "01:30"),
        ["00:00-0400", "00:30-0400"],
    ),
}


@pytest.mark.parametrize("case", CLOCK_CHANGES)
def test_hours_on_the_day_of_a_clock_change(case: str) -> None:
    zone, day, hours, expected = CLOCK_CHANGES[case]
    assert day_starts(schedule(zone, (hours,), length_minutes=60), day) == expected


@pytest.mark.parametrize(
    ("zone", "skipped", "after", "twice", "first"),
    [
        (NEW_YORK, "2026-03-08T02:30", "2026-03-08T07:00Z", "2026-11-01T01:30", "2026-11-01T05:30Z"),
        (LONDON, "2026-03-29T01:30", "2026-03-29T01:00Z", "2026-10-25T01:30", "2026-10-25T00:30Z"),
        (LORD_HOWE, "2026-10-04T02:15", "2026-10-03T15:30Z", "2026-04-05T01:45", "2026-04-04T14:45Z"),
    ],
)
def test_wall_time_that_is_skipped_or_comes_twice(zone: str, skipped: str, after: str, twice: str, first: str) -> None:
    with pytest.raises(NonexistentTime) as raised:
        parse_instant(skipped, ZoneInfo(zone))
    assert raised.value.after == at(after)
    assert parse_instant(twice, ZoneInfo(zone)) == at(first)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (NEW_YORK, "2026-03-08", 23),
        (NEW_YORK, "2026-11-01", 25),
        (LONDON, "2026-03-29", 23),
        (LONDON, "2026-10-25", 25),
        (LORD_HOWE, "2026-10-04", 23.5),
        (LORD_HOWE, "2026-04-05", 24.5),
    ],
)
def test_a_whole_day_is_as_long_as_the_day_is(zone: str, day: str, hours: float) -> None:
    starts = day_starts(schedule(zone, EVERY_DAY), day)
    assert len(starts) == hours * 2


def test_an_offset_wins_over_the_zone() -> None:
    assert parse_instant("2026-11-24T15:00+01:00", ZoneInfo(NEW_YORK)) == at("2026-11-24T14:00Z")
    assert parse_instant("2026-11-24T15:00", ZoneInfo(NEW_YORK)) == at("2026-11-24T20:00Z")


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-11-24", "2026-11-24T15", "2026-11-24T15:00:30", "2026-02-30T15:00", "2026-11-24T25:00",
     "9999-12-31T23:59-10:00", "0001-01-01T00:00+10:00", "2026-W48-2T15:00", "٢٠٢٦-11-24T15:00"],
)  # fmt: skip
def test_other_texts_are_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text, ZoneInfo(NEW_YORK))


def test_the_packaged_zone_data_is_the_only_source() -> None:
    import zoneinfo

    assert zoneinfo.TZPATH == ()


def test_hours_that_cross_midnight_belong_to_the_day_they_open() -> None:
    plan = schedule(hours=(("22:00", "02:00"),), days=("fri",), length_minutes=60)
    assert day_starts(plan, "2026-11-27") == ["22:00+0000", "22:30+0000", "23:00+0000", "23:30+0000"]
    assert day_starts(plan, "2026-11-28") == ["00:00+0000", "00:30+0000", "01:00+0000"]
    assert obstacle(plan, "2026-11-27T23:30Z") is None
    assert obstacle(plan, "2026-11-28T01:00Z") is None
    assert obstacle(plan, "2026-11-28T01:30Z") is NotPossible.OUTSIDE_BUSINESS_HOURS
    assert obstacle(plan, "2026-11-27T01:00Z") is NotPossible.OUTSIDE_BUSINESS_HOURS


def test_midnight_closing_and_the_next_opening_are_one_open_time() -> None:
    plan = schedule(hours=EVERY_DAY, length_minutes=60)
    assert obstacle(plan, "2026-11-24T23:30Z") is None
    closed_next_day = schedule(hours=EVERY_DAY, days=("tue",), length_minutes=60)
    assert obstacle(closed_next_day, "2026-11-24T23:00Z") is None
    assert obstacle(closed_next_day, "2026-11-24T23:30Z") is NotPossible.OUTSIDE_BUSINESS_HOURS


def test_an_appointment_ends_by_closing() -> None:
    plan = schedule(hours=(("09:00", "10:45"),), length_minutes=60)
    assert day_starts(plan, "2026-11-24") == ["09:00+0000", "09:30+0000"]
    assert obstacle(plan, "2026-11-24T09:45Z") is None
    assert obstacle(plan, "2026-11-24T09:46Z") is NotPossible.OUTSIDE_BUSINESS_HOURS


def test_a_buffer_is_kept_on_both_sides() -> None:
    plan = schedule(length_minutes=30, buffer_minutes=15)
    busy = (span("2026-11-24T12:00Z", "2026-11-24T12:30Z"),)
    assert obstacle(plan, "2026-11-24T11:15Z", busy) is None
    assert obstacle(plan, "2026-11-24T11:16Z", busy) is NotPossible.TAKEN
    assert obstacle(plan, "2026-11-24T12:44Z", busy) is NotPossible.TAKEN
    assert obstacle(plan, "2026-11-24T12:45Z", busy) is None


def test_without_a_buffer_appointments_may_touch() -> None:
    plan = schedule(length_minutes=30)
    busy = (span("2026-11-24T12:00Z", "2026-11-24T12:30Z"), span("2026-11-24T10:00Z", "2026-11-24T11:00Z"))
    assert obstacle(plan, "2026-11-24T11:30Z", busy) is None
    assert obstacle(plan, "2026-11-24T12:30Z", busy) is None
    assert obstacle(plan, "2026-11-24T12:29Z", busy) is NotPossible.TAKEN
    assert obstacle(plan, "2026-11-24T10:30Z", busy) is NotPossible.TAKEN


def test_past_notice_and_horizon() -> None:
    plan = schedule(hours=EVERY_DAY, now="2026-11-24T10:00Z", notice_minutes=120, horizon_days=7)
    assert obstacle(plan, "2026-11-24T09:59Z") is NotPossible.PAST
    assert obstacle(plan, "2026-11-24T11:59Z") is NotPossible.TOO_SOON
    assert obstacle(plan, "2026-11-24T12:00Z") is None
    assert obstacle(plan, "2026-12-01T10:00Z") is None
    assert obstacle(plan, "2026-12-01T10:01Z") is NotPossible.TOO_FAR
    assert obstacle(plan, "9999-12-31T23:00Z") is NotPossible.TOO_FAR


def test_no_start_beyond_notice_and_horizon_is_listed() -> None:
    plan = schedule(hours=EVERY_DAY, now="2026-11-24T10:00Z", notice_minutes=120, horizon_days=1)
    listed = plan.free_starts(span("2026-11-20T00:00Z", "2026-12-20T00:00Z"), NOTHING, 1000)
    assert (listed[0], listed[-1]) == (at("2026-11-24T12:00Z"), at("2026-11-25T09:30Z"))


def test_nearest_are_on_both_sides_and_in_order() -> None:
    plan = schedule(length_minutes=60)
    busy = plan.busy([span("2026-11-24T14:00Z", "2026-11-24T15:00Z")])
    assert plan.nearest(at("2026-11-24T14:00Z"), busy) == (
        at("2026-11-24T13:00Z"),
        at("2026-11-24T15:00Z"),
        at("2026-11-24T15:30Z"),
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("2020-01-01T00:00Z", ["2026-11-24T11:00Z", "2026-11-24T11:30Z"]),
        ("2026-11-24T03:00Z", ["2026-11-24T11:00Z", "2026-11-24T11:30Z"]),
        ("2026-11-28T12:00Z", ["2026-11-27T16:00Z", "2026-11-27T16:30Z"]),
        ("2099-01-01T00:00Z", ["2027-02-22T09:00Z", "2027-02-22T09:30Z"]),
    ],
)
def test_nearest_to_a_start_that_the_rules_forbid(wanted: str, expected: list[str]) -> None:
    office = ("mon", "tue", "wed", "thu", "fri")
    plan = schedule(now="2026-11-24T10:00Z", days=office, notice_minutes=60, horizon_days=90, length_minutes=30)
    assert plan.nearest(at(wanted), NOTHING, 2) == tuple(at(text) for text in expected)


def test_no_hours_no_starts() -> None:
    plan = schedule(hours=())
    assert plan.nearest(at("2026-11-24T14:00Z"), NOTHING) == ()
    assert obstacle(plan, "2026-11-24T14:00Z") is NotPossible.OUTSIDE_BUSINESS_HOURS


def test_a_notice_longer_than_the_horizon_leaves_nothing() -> None:
    plan = schedule(notice_minutes=60 * 24 * 10, horizon_days=5)
    assert plan.nearest(at("2026-01-08T14:00Z"), NOTHING) == ()


def test_the_grid_follows_length_and_buffer_up_to_half_an_hour() -> None:
    assert day_starts(schedule(hours=(("09:10", "10:00"),), length_minutes=15, buffer_minutes=5), "2026-11-24") == [
        "09:10+0000",
        "09:30+0000",
    ]
    assert schedule(length_minutes=90).step == timedelta(minutes=30)


moments = st.integers(0, 10 * 24 * 12).map(lambda n: datetime(2026, 10, 21, tzinfo=UTC) + timedelta(minutes=5 * n))
clock = st.integers(0, 95).map(lambda n: f"{n // 4:02}:{n % 4 * 15:02}")


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from([NEW_YORK, LONDON, LORD_HOWE, "UTC", "Africa/Cairo"]),
    hours=st.lists(st.tuples(clock, clock).filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=3),
    blocks=st.lists(st.tuples(moments, st.integers(1, 60)), max_size=12),
    wanted=moments,
    length=st.sampled_from([5, 15, 20, 30, 45, 60, 90, 24 * 60]),
    buffer=st.sampled_from([0, 5, 15, 60]),
)
def test_every_offer_keeps_all_rules(
    zone: str,
    hours: list[tuple[str, str]],
    blocks: list[tuple[datetime, int]],
    wanted: datetime,
    length: int,
    buffer: int,
) -> None:
    plan = schedule(
        zone,
        tuple(hours),
        "2026-10-21T00:00Z",
        length_minutes=length,
        buffer_minutes=buffer,
        notice_minutes=90,
        horizon_days=8,
    )
    intervals = [Interval(start, start + timedelta(minutes=5 * n)) for start, n in blocks]
    busy = plan.busy(intervals)
    offered = plan.nearest(wanted, busy)
    listed = plan.free_starts(plan.around(wanted), busy, 50)
    assert list(offered) == sorted(set(offered))
    assert list(listed) == sorted(set(listed))
    gap = timedelta(minutes=buffer)
    for start in {*offered, *listed}:
        end = start + timedelta(minutes=length)
        assert all(end + gap <= i.start or i.end + gap <= start for i in intervals)
        assert plan.now + timedelta(minutes=90) <= start <= plan.now + timedelta(days=8)
        assert all(_open_at(plan, start + timedelta(minutes=5 * n)) for n in range(length // 5))
        assert plan.obstacle(start, busy) is None
    # Nothing free lies between the wanted start and an offered one without being offered itself.
    at_ = min(max(wanted, plan.earliest), plan.latest)
    reach = max((abs(start - at_) for start in offered), default=timedelta(0))
    assert all(start in offered for start in listed if abs(start - at_) < reach)


def _open_at(plan: Schedule, moment: datetime) -> bool:
    """Whether it is open, by reading the wall clock and, of a time that comes twice, the offset."""
    wall = moment.astimezone(plan.zone)
    for hours in plan.agent.business_hours:
        for back in (0, 1):
            day = wall.date() - timedelta(days=back)
            closes = day + timedelta(days=hours.closes <= hours.opens)
            bounds = (datetime.fromisoformat(f"{d}T{t}") for d, t in ((day, hours.opens), (closes, hours.closes)))
            opens_at, closes_at = (b.replace(tzinfo=plan.zone).astimezone(UTC) for b in bounds)
            # fold=0 reads a skipped wall time up to an hour late, never early.
            if opens_at - timedelta(hours=1) <= moment < closes_at:
                return True
    return False


def test_nothing_is_given_on_holidays_and_closed_days() -> None:
    plan = schedule(length_minutes=60, holidays=Holidays("DE", "BE"), closed=("2026-12-28/2026-12-30",))
    assert day_starts(plan, "2026-12-24") == day_starts(schedule(length_minutes=60), "2026-12-24")
    for day in ("2026-12-25", "2026-12-28", "2026-12-30"):
        assert day_starts(plan, day) == []
        assert obstacle(plan, f"{day}T10:00Z") is NotPossible.HOLIDAY
    assert obstacle(plan, "2026-12-31T10:00Z") is None
    assert obstacle(plan, "2026-12-31T20:00Z") is NotPossible.OUTSIDE_BUSINESS_HOURS
    nearest = {start.date().day for start in plan.nearest(at("2026-12-26T12:00Z"), NOTHING, 40)}
    assert {24, 27} <= nearest
    assert not nearest & {25, 26, 28, 29, 30}


def test_a_closed_day_is_one_of_the_agents_zone_and_its_hours_are_those_that_begin_on_it() -> None:
    plan = schedule(NEW_YORK, (("20:00", "02:00"),), length_minutes=60, closed=("2026-11-24",))
    assert obstacle(plan, "2026-11-24T05:30Z") is None  # 00:30 of the 24th, from the evening before
    assert obstacle(plan, "2026-11-25T02:00Z") is NotPossible.HOLIDAY  # 21:00 of the 24th
    assert obstacle(plan, "2026-11-25T05:30Z") is NotPossible.OUTSIDE_BUSINESS_HOURS
    assert obstacle(plan, "2026-11-26T02:00Z") is None


def test_a_full_day_takes_no_more_and_the_next_one_does() -> None:
    plan = schedule(NEW_YORK, length_minutes=60, daily_maximum=2)
    two = [at("2026-11-24T14:00Z"), at("2026-11-24T20:00Z")]
    full = plan.busy((), two)
    assert plan.obstacle(at("2026-11-24T17:00Z"), full) is NotPossible.DAY_FULL
    assert plan.obstacle(at("2026-11-25T17:00Z"), full) is None
    assert plan.obstacle(at("2026-11-24T17:00Z"), plan.busy((), two[:1])) is None
    offered = {start.astimezone(plan.zone).date() for start in plan.nearest(at("2026-11-24T17:00Z"), full, 50)}
    assert date(2026, 11, 24) not in offered
    assert {date(2026, 11, 23), date(2026, 11, 25)} <= offered


def test_a_day_on_which_the_clocks_change_is_counted_whole() -> None:
    plan = schedule(NEW_YORK, daily_maximum=1)
    limit = plan.daily_limit(at("2026-11-01T05:30Z"))
    assert limit is not None
    assert (limit.maximum, limit.day) == (1, span("2026-11-01T04:00Z", "2026-11-02T05:00Z"))
    assert schedule().daily_limit(at("2026-11-01T05:30Z")) is None


@settings(max_examples=60)
@given(
    st.sampled_from([NEW_YORK, LORD_HOWE, "Europe/Berlin"]),
    st.sets(st.integers(0, 20), max_size=8),
    st.lists(st.integers(0, 20 * 48), max_size=30),
    st.integers(1, 3),
)
def test_no_offer_is_on_a_closed_or_a_full_day(zone: str, closed: set[int], booked: list[int], maximum: int) -> None:
    first = date(2026, 10, 20)
    days = tuple((first + timedelta(days=n)).isoformat() for n in closed)
    plan = schedule(zone, (("22:00", "06:00"),), "2026-10-20T00:00Z", length_minutes=60, closed=days,
                    daily_maximum=maximum, horizon_days=20)  # fmt: skip
    counted = [at("2026-10-20T00:00Z") + timedelta(minutes=30 * n) for n in booked]
    busy = plan.busy((), counted)
    window = span("2026-10-20T00:00Z", "2026-11-12T00:00Z")
    for start in plan.free_starts(window, busy, 200):
        on = start.astimezone(plan.zone).date()
        assert sum(c.astimezone(plan.zone).date() == on for c in counted) < maximum
        opened = on if start.astimezone(plan.zone).hour >= 22 else on - timedelta(days=1)
        assert opened.isoformat() not in days
        assert plan.obstacle(start, busy) is None
