"""What calendar objects say, whoever wrote them."""

from datetime import UTC, datetime, timedelta
from time import thread_time
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tenantry.calendars.caldav import reading
from tenantry.calendars.caldav.dav import CalendarObject
from tenantry.calendars.caldav.reading import events_in, first_events, needs_zone, uid_of, zone_named_in
from tenantry.domain.booking import Interval
from tenantry.domain.errors import CalendarUnavailable

BERLIN = ZoneInfo("Europe/Berlin")
JUNE = Interval(datetime(2027, 6, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC))
OWN_ZONE = """BEGIN:VTIMEZONE
TZID:Office
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0300
TZOFFSETTO:+0300
END:STANDARD
END:VTIMEZONE
"""
# The offset that this program had for Berlin is wrong.
OLD_RULES = OWN_ZONE.replace("Office", "Europe/Berlin")


def holding(*lines: str, head: str = "", uid: str = "x") -> CalendarObject:
    event = "\n".join((f"UID:{uid}", *lines))
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\n{head}BEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    return CalendarObject("/c/x.ics", '"1"', text)


def starts(*lines: str, head: str = "") -> list[datetime]:
    return [event.slot.start for event in events_in([holding(*lines, head=head)], JUNE, BERLIN)]


def utc(*parts: int) -> datetime:
    return datetime(2027, 6, *parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("lines", "head", "start"),
    [
        (("DTSTART:20270602T080000Z", "DTEND:20270602T090000Z"), "", utc(2, 8)),
        (("DTSTART;TZID=Europe/Berlin:20270602T100000", "DURATION:PT1H"), "", utc(2, 8)),
        (("DTSTART;TZID=Europe/Berlin:20270602T100000", "DURATION:PT1H"), OLD_RULES, utc(2, 8)),
        (("DTSTART;TZID=Office:20270602T110000", "DURATION:PT1H"), OWN_ZONE, utc(2, 8)),
        (("DTSTART;TZID=Nowhere:20270602T100000", "DURATION:PT1H"), "", utc(2, 8)),
        (("DTSTART:20270602T100000", "DURATION:PT1H"), "", utc(2, 8)),
        (("DTSTART:20270602T100000", "DURATION:PT1H"), "X-WR-TIMEZONE:Asia/Tokyo\n", utc(2, 1)),
        (("DTSTART;VALUE=DATE:20270602",), "", utc(1, 22)),
        (("DTSTART:20270602T080000Z", "DTEND:99991231T235959Z"), "", utc(2, 8)),
        (("DTSTART:20270602", " T080000Z", "DTEND:20270602T090000Z"), "", utc(2, 8)),
    ],
)
def test_when_events_start(lines: tuple[str, ...], head: str, start: datetime) -> None:
    assert starts(*lines, head=head) == [start]


@pytest.mark.parametrize(
    "line", ["DTSTART:20270602T080000Z", "DTSTART:nonsense", "DTSTART:00010101T000000Z", "SUMMARY:x"]
)
def test_what_takes_no_time_or_has_none_is_not_there(line: str) -> None:
    assert starts(line) == []


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20270602T080000Z", "DTEND:20270602T256000Z"),
        ("DTSTART:20270602T080000Z", "DTEND:yesterday"),
        ("DTSTART;TZID=Europe/Berlin:20270602T100000", "DTEND;VALUE=DATE:20270603"),
        ("DTSTART:20270602T080000Z", "DTEND:20270602T070000Z"),
        ("DTSTART:20270602T080000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=never"),
    ],
)
def test_what_cannot_be_understood_is_busy_from_its_start(lines: tuple[str, ...]) -> None:
    [event] = events_in([holding(*lines)], JUNE, BERLIN)
    assert (event.slot.start, event.busy) == (utc(2, 8), True)


def test_long_descriptions_and_attachments_are_not_read() -> None:
    notes = "\n".join(f" {n:070}" for n in range(20_000))
    alarm = "BEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:PT9H\nREPEAT:2\nEND:VALARM"
    lines = (f"DESCRIPTION:x\n{notes}", alarm, "DTSTART:20270602T080000Z", "DTEND:20270602T090000Z")
    began = thread_time()
    [event] = events_in([holding(*lines)], JUNE, BERLIN)
    assert event.slot == Interval(utc(2, 8), utc(2, 9))
    assert thread_time() - began < 1


@pytest.mark.parametrize(
    "line",
    [
        "BEGIN:VTIMEZONE\n" * 100_000,
        "BEGIN:VALARM\n" * 100_000,
        "DTSTART;" + "TZID=a" * 100_000,
        "DTSTART:" + ";TZID=" * 100_000,
        "X-WR-TIMEZONE:" + " " * 100_000,
        "RDATE:" + "20270602T080000Z," * 100_000,
    ],
    ids=lambda line: line[:15].strip(),
)
def test_hostile_text_takes_no_time(line: str) -> None:
    began = thread_time()
    starts(line, "DTSTART:20270602T080000Z")
    needs_zone([holding(line)])
    assert thread_time() - began < 2


def test_only_our_own_have_a_key() -> None:
    key = UUID("0199e1a0-0000-7000-8000-000000000001")
    lines = ("DTSTART:20270602T080000Z", "DURATION:PT1H")
    for uid, expected in ((uid_of(key), key), (str(key), None), (f"x{uid_of(key)}", None)):
        [event] = first_events([holding(*lines, uid=uid)], BERLIN)
        assert event.key == expected


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;INTERVAL=5",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYYEARDAY=1;BYMONTH=12",
        "FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9,10;BYMINUTE=1,2,3,4,5,6,7,8,9,10",
        "FREQ=WEEKLY;BYSECOND=" + ",".join(map(str, range(60))) + ";BYMINUTE=1,2",
    ],
)
def test_rules_that_would_take_hours_are_not_expanded(rule: str) -> None:
    began = thread_time()
    assert starts("DTSTART:20270602T080000Z", "DURATION:PT1S", f"RRULE:{rule}") == [utc(2, 8)]
    assert thread_time() - began < 1


def test_a_rule_from_long_ago_is_expanded_unless_it_takes_too_many_steps() -> None:
    daily = ("DTSTART:19700101T080000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    assert len(starts(*daily)) == 30
    assert starts("DTSTART:00010101T080000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY") == []


def test_what_calendars_offer_is_expanded() -> None:
    for rule, days in (
        ("FREQ=MONTHLY;BYDAY=2WE", [2, 9]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", [2, 30]),
        ("FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=2", [2, 14, 16, 28, 30]),
        ("FREQ=YEARLY;BYMONTH=6;BYDAY=1WE", [2]),
        ("FREQ=DAILY;COUNT=2", [2, 3]),
        ("FREQ=DAILY;UNTIL=20270604T080000Z", [2, 3, 4]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", [2, 30]),
    ):
        found = starts("DTSTART:20270602T080000Z", "DURATION:PT1H", f"RRULE:{rule}")
        assert [start.day for start in found] == days, rule


def test_a_calendar_that_takes_too_long_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_PATIENCE_S", -1.0)
    with pytest.raises(CalendarUnavailable):
        events_in([holding("DTSTART:20270602T080000Z")], JUNE, BERLIN)


def test_the_first_event_of_a_recurring_one() -> None:
    series = holding("DTSTART:20200102T080000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    [first] = first_events([series, CalendarObject("/c/y.ics", None, "nonsense")], BERLIN)
    assert (first.id, first.slot.start) == ("/c/x.ics", datetime(2020, 1, 2, 8, tzinfo=UTC))
    assert first.slot.end - first.slot.start == timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("TZID:Europe/Berlin", "Europe/Berlin"),
        ("TZID:W. Europe Standard Time", "Europe/Berlin"),
        ("TZID:/example.org/Office\nX-LIC-LOCATION:Asia/Tokyo", "Asia/Tokyo"),
        ("TZID:../../etc/passwd", None),
        ("TZID:", None),
        ("", None),
    ],
)
def test_zones_by_name(name: str, zone: str | None) -> None:
    found = zone_named_in(f"BEGIN:VTIMEZONE\n{name}\nEND:VTIMEZONE\n")
    assert (found.key if found else None) == zone


def test_only_days_and_floating_times_need_the_calendars_zone() -> None:
    assert needs_zone([holding("DTSTART;VALUE=DATE:20270602")])
    assert needs_zone([holding("DTSTART:20270602T100000")])
    assert not needs_zone(
        [
            holding("DTSTART:20270602T080000Z", "DTEND:20270602T090000Z"),
            holding("DTSTART;TZID=Europe/Berlin:20270602T100000", head=OLD_RULES),
        ]
    )
