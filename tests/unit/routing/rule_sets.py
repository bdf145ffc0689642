"""Agents, rules and facts to write routing cases with."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from tenantry.domain.agent import OpeningHours, Weekday
from tenantry.domain.routing import Comparison, Condition, Facts, MetadataTest, Part, Rule, Split, Target, TimeTest

TENANT = UUID("0198a1b2-0000-7000-8000-00000000000a")
IDS = {name: UUID(int=number) for number, name in enumerate(("sales", "support", "night", "vip", "german"), 1)}
SALES, SUPPORT, NIGHT, VIP, GERMAN = (Target(agent_id) for agent_id in IDS.values())
# What the tenant has; the agent "sales" has three versions.
AGENTS = {agent_id: (1, 2, 3) if name == "sales" else (1,) for name, agent_id in IDS.items()}
GONE = Target(UUID(int=99))
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
NOON = datetime.fromisoformat("2026-11-24T12:00+00:00")  # a Tuesday


def facts(now: str = NOON.isoformat(), **known: Any) -> Facts:
    """Facts of an unknown contact at noon, but for what is said."""
    return Facts(**{"tenant_id": TENANT, "split_key": b"ann", "now": datetime.fromisoformat(now), **known})


def rule(name: str, to: Target | Split, **when: Any) -> Rule:
    """A rule of that condition."""
    if isinstance(to, Split):
        return Rule(name, Condition(**when), split=to)
    return Rule(name, Condition(**when), to=to)


def meta(key: str, test: Comparison, value: Any = None) -> dict[str, Any]:
    """A condition of one test of the metadata."""
    return {"metadata": (MetadataTest(key, test, value),)}


def hours(text: str, *days: Weekday) -> OpeningHours:
    """Opening hours of "09:00-17:00" on these days, or on all."""
    opens, closes = text.split("-")
    return OpeningHours(days or (*WEEK, "sat", "sun"), opens, closes)


def within(
    zone: str, *open_hours: OpeningHours, is_open: bool = True, holidays: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A condition of the time alone."""
    return {"time": TimeTest(zone, open_hours, tuple(date.fromisoformat(day) for day in holidays), is_open)}


def split(*weights: int, salt: str = "") -> Split:
    """A split between sales (a), support (b), night (c) … by these weights."""
    agents = (SALES, SUPPORT, NIGHT, VIP, GERMAN)
    parts = zip("abcde", weights, agents, strict=False)
    return Split(tuple(Part(variant, weight, to) for variant, weight, to in parts), salt)
