"""The days on which an agent gives no appointments: public holidays, and what else it is closed on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import holidays as public

from tenantry.domain.agent import AppointmentRules, Holidays
from tenantry.domain.errors import FieldError
from tenantry.domain.wall_time import parse_date


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """The closed days of an agent whose rules are valid; spans are of their first and last day."""

    holidays: Holidays | None
    spans: tuple[tuple[date, date], ...]

    @classmethod
    def of(cls, rules: AppointmentRules) -> "ClosedDays":
        """Those of the rules. Raises ValueError for a closed day that is none."""
        return cls(rules.holidays, tuple(map(_span, rules.closed)))

    def __contains__(self, day: date) -> bool:
        """Whether no hours begin on this day."""
        if any(first <= day <= last for first, last in self.spans):
            return True
        of = self.holidays
        return of is not None and day in _public_holidays(of.country, of.subdivision, day.year)


def closed_days_faults(at: str, rules: AppointmentRules) -> Iterator[FieldError]:
    """What is wrong with holidays and closed days beyond their types; `at` is the path of the rules."""
    if rules.holidays is not None:
        yield from _holidays_faults(f"{at}.holidays", rules.holidays)
    for index, text in enumerate(rules.closed):
        try:
            _span(text)
        except ValueError as error:
            yield FieldError(f"{at}.closed.{index}", f"{text!r} is {error}")


def _holidays_faults(at: str, holidays: Holidays) -> Iterator[FieldError]:
    country, subdivision = holidays.country, holidays.subdivision
    try:
        parts: tuple[str, ...] = public.country_holidays(country).subdivisions
    except NotImplementedError:
        told = "is no country with known holidays; give its two-letter code, such as DE, or list the days in closed"
        yield FieldError(f"{at}.country", f"{country!r} {told}")
        return
    if subdivision is not None and subdivision not in parts:
        told = f"is no part of {country} with holidays of its own; there are: {', '.join(parts) or 'none'}"
        yield FieldError(f"{at}.subdivision", f"{subdivision!r} {told}")


def _span(text: str) -> tuple[date, date]:
    """The first and the last day of "2026-12-24" or "2026-12-27/2027-01-02" (ISO 8601). Raises ValueError."""
    begin, slash, end = text.partition("/")
    try:
        first, last = parse_date(begin), parse_date(end if slash else begin)
    except ValueError:
        raise ValueError("no day of the calendar") from None
    if first is None or last is None:
        raise ValueError("no day such as 2026-12-24, and no span of days such as 2026-12-27/2027-01-02")
    if last < first:
        raise ValueError("a span that ends before it begins; write the earlier day first")
    return first, last


@lru_cache(maxsize=4096)
def _public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    return frozenset(public.country_holidays(country, subdiv=subdivision, years=year))
