"""Holidays of a country and its parts, and closed days of one's own."""

from dataclasses import replace
from datetime import date

import pytest

from tenantry.domain.agent import AgentDefinition, AppointmentRules, Holidays
from tenantry.domain.agent_validation import definition_faults
from tenantry.domain.closed_days import ClosedDays


def closed(*days: str, country: str | None = None, subdivision: str | None = None) -> ClosedDays:
    holidays = Holidays(country, subdivision) if country else None
    return ClosedDays.of(AppointmentRules(holidays=holidays, closed=days))


@pytest.mark.parametrize(
    ("country", "subdivision", "day", "is_closed"),
    [
        ("DE", None, "2026-12-25", True),
        ("DE", None, "2026-12-24", False),
        ("DE", None, "2026-03-08", False),
        ("DE", "BE", "2026-03-08", True),
        ("DE", "BY", "2026-03-08", False),
        ("DE", "BY", "2027-01-06", True),
        ("US", None, "2026-11-26", True),
        ("US", None, "2027-11-25", True),
        ("GB", "SCT", "2026-11-30", True),
        ("GB", "ENG", "2026-11-30", False),
    ],
)
def test_public_holidays(country: str, subdivision: str | None, day: str, is_closed: bool) -> None:
    assert (date.fromisoformat(day) in closed(country=country, subdivision=subdivision)) is is_closed


def test_days_and_spans_of_ones_own() -> None:
    days = closed("2026-12-24", "2026-12-27/2027-01-02", country="DE")
    wanted = [date(2026, 12, 23), date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26), date(2026, 12, 27),
              date(2027, 1, 2), date(2027, 1, 3)]  # fmt: skip
    assert [day in days for day in wanted] == [False, True, True, True, True, True, False]
    assert date(2026, 12, 25) not in closed()


@pytest.mark.parametrize(
    ("rules", "field", "says"),
    [
        (AppointmentRules(holidays=Holidays("XX")), "appointments.holidays.country", "no country with known holidays"),
        (AppointmentRules(holidays=Holidays("de")), "appointments.holidays.country", "such as DE"),
        (AppointmentRules(holidays=Holidays("__")), "appointments.holidays.country", "no country"),
        (AppointmentRules(holidays=Holidays("DE", "ZZ")), "appointments.holidays.subdivision", "there are: BB, BE"),
        (AppointmentRules(closed=("2026-02-30",)), "appointments.closed.0", "no day of the calendar"),
        (AppointmentRules(closed=("2026-12-24", "Xmas")), "appointments.closed.1", "no day such as 2026-12-24"),
        (AppointmentRules(closed=("2026-12-24/",)), "appointments.closed.0", "no day such as"),
        (AppointmentRules(closed=("2026-12-24/2026-12-23",)), "appointments.closed.0", "ends before it begins"),
    ],
)
def test_what_is_no_day_or_country_is_named(rules: AppointmentRules, field: str, says: str) -> None:
    faults = list(definition_faults(replace(AgentDefinition(name="Agent"), appointments=rules)))
    assert [fault.field for fault in faults] == [field]
    assert says in faults[0].message


def test_valid_rules_have_no_fault() -> None:
    rules = AppointmentRules(holidays=Holidays("DE", "BE"), closed=("2026-12-24", "2026-12-27/2027-01-02"))
    assert not list(definition_faults(replace(AgentDefinition(name="Agent"), appointments=rules)))
