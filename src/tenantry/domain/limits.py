"""How much a tenant, its members and their contacts may use."""

import re
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from tenantry.domain.wall_time import day_begins

MOST_PER_MINUTE = 1_000_000
MOST_MONTHLY = 10**15
_RATE = re.compile(r"([1-9][0-9]{0,6})\s*/\s*(?:1\s*)?min(?:ute)?", re.IGNORECASE)
_MICROS = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be used in a calendar month of the tenant's zone: tokens in and out together, and millionths of a US
    dollar. None is no bound."""

    monthly_tokens: int | None = None
    monthly_cost_micros: int | None = None

    @property
    def bounded(self) -> bool:
        """Whether it bounds anything."""
        return self.monthly_tokens is not None or self.monthly_cost_micros is not None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Messages in any 60 seconds from one contact, under one member's keys, and for the whole tenant. None is no
    limit."""

    contact_per_minute: int | None = None
    member_per_minute: int | None = None
    tenant_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """What counts for a tenant: `rates` that the operator grants it, which stand in for the installation's; `own_rates`
    with which it lowers them; the smaller of the budgets of both. `members_have_budgets` says that some of its members
    have budgets of their own."""

    rates: RateLimits = RateLimits()
    own_rates: RateLimits = RateLimits()
    budget: Budget = Budget()
    members_have_budgets: bool = False

    @property
    def has_budgets(self) -> bool:
        """Whether any turn of the tenant may be held back by a budget."""
        return self.members_have_budgets or self.budget.bounded


@dataclass(frozen=True, slots=True)
class LimitValues:
    """Every limit of a tenant as one side, the operator or the tenant itself, wrote it down; None is none."""

    contact_per_minute: int | None = None
    member_per_minute: int | None = None
    tenant_per_minute: int | None = None
    monthly_tokens: int | None = None
    monthly_cost_micros: int | None = None

    def within(self, bounds: "LimitValues") -> "LimitValues":
        """The smaller of both, limit by limit."""
        return LimitValues(*(_smaller(getattr(self, name), getattr(bounds, name)) for name in LIMIT_NAMES))

    def above(self, bounds: "LimitValues") -> list[str]:
        """The names of the limits that are larger than these bounds allow."""
        pairs = ((name, getattr(self, name), getattr(bounds, name)) for name in LIMIT_NAMES)
        return [name for name, value, most in pairs if value is not None and most is not None and value > most]


LIMIT_NAMES = tuple(field.name for field in fields(LimitValues))


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def parse_rate(text: str) -> int:
    """The messages a minute that "60/minute" or "60/min" says. Raises ValueError for anything else."""
    found = _RATE.fullmatch(text.strip())
    if found is None or int(found[1]) > MOST_PER_MINUTE:
        raise ValueError(f'{text!r} is no rate; write a number from 1 to {MOST_PER_MINUTE:,} as in "60/minute"')
    return int(found[1])


def parse_dollars(text: str) -> int:
    """The millionths of a dollar that "50" or "50.25" says. Raises ValueError for anything else."""
    try:
        micros = Decimal(text.strip().removeprefix("$")) * _MICROS
    except InvalidOperation:
        micros = Decimal(-1)
    if not micros.is_finite() or not 0 <= micros <= MOST_MONTHLY or micros != micros.to_integral_value():
        raise ValueError(f'{text!r} is no amount of dollars such as "50.00"')
    return int(micros)


def dollars(micros: int) -> str:
    """Millionths of a dollar as a decimal of dollars, with all six places: 1500000 is "1.500000"."""
    return f"{Decimal(micros) / _MICROS:.6f}"


def month_of(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The calendar month of the zone that an aware moment is in: the instants (UTC) where it begins and where the next
    one does."""
    day = moment.astimezone(zone).date()
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day_begins(day.replace(day=1), zone).astimezone(UTC), day_begins(following, zone).astimezone(UTC)
