"""Rates, amounts and months as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tenantry.domain.limits import LimitValues, dollars, month_of, parse_dollars, parse_rate


@pytest.mark.parametrize(("text", "rate"), [("60/minute", 60), (" 6000 / min ", 6000), ("1/1 minute", 1)])
def test_rates(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "60", "0/minute", "-1/minute", "60/hour", "1.5/minute", "2000000/minute", "٣/minute"]
)
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)


@pytest.mark.parametrize(("text", "micros"), [("50", 50_000_000), ("$0.25", 250_000), ("0.000001", 1), ("0", 0)])
def test_dollars(text: str, micros: int) -> None:
    assert parse_dollars(text) == micros
    assert parse_dollars(dollars(micros)) == micros


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "0.0000001", "1e30"])
def test_what_is_no_amount_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        parse_dollars(text)


@pytest.mark.parametrize(
    ("moment", "zone", "begins", "ends"),
    [
        ("2026-11-24T12:00+00:00", "UTC", "2026-11-01T00:00+00:00", "2026-12-01T00:00+00:00"),
        ("2026-12-31T23:30+00:00", "UTC", "2026-12-01T00:00+00:00", "2027-01-01T00:00+00:00"),
        ("2026-11-30T23:30+00:00", "Europe/Berlin", "2026-11-30T23:00+00:00", "2026-12-31T23:00+00:00"),
        ("2026-11-01T03:00+00:00", "America/New_York", "2026-10-01T04:00+00:00", "2026-11-01T04:00+00:00"),
        ("2026-11-02T03:00+00:00", "America/New_York", "2026-11-01T04:00+00:00", "2026-12-01T05:00+00:00"),
    ],
)
def test_months_are_those_of_the_zone(moment: str, zone: str, begins: str, ends: str) -> None:
    found = month_of(datetime.fromisoformat(moment), ZoneInfo(zone))
    assert found == (datetime.fromisoformat(begins), datetime.fromisoformat(ends))
    assert all(edge.tzinfo is UTC for edge in found)


def test_the_smaller_counts() -> None:
    granted, own = LimitValues(60, None, 600, 1000), LimitValues(30, 10, 900)
    assert own.within(granted) == LimitValues(30, 10, 600, 1000)
    assert own.above(granted) == ["tenant_per_minute"]
