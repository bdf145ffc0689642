"""What holds for every set of rules: choices are settled, in order, and nothing that is refused could have decided."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tenantry.domain.agent import WEEKDAYS, OpeningHours
from tenantry.domain.routing import Condition, Facts, MetadataTest, Rule, RuleSet, StepCode, TimeTest
from tenantry.routing import time_cover, times
from tenantry.routing.choose import choose
from tenantry.routing.conditions import unmet
from tenantry.routing.faults import faults
from tests.unit.routing.rule_sets import AGENTS, GERMAN, NIGHT, SALES, SUPPORT, TENANT, VIP, split

# Few values, so that rules often meet each other and the facts.
VALUES = st.sampled_from([1, 2, 1.0, True, "a", "ab"])
NUMBERS = st.sampled_from([1, 1.5, 2])
KEYS = st.sampled_from(["k", "k.x"])
TESTS = st.one_of(
    st.builds(MetadataTest, KEYS, st.sampled_from(["exists", "missing"])),
    st.builds(MetadataTest, KEYS, st.sampled_from(["equals", "not_equals", "contains"]), VALUES),
    st.builds(MetadataTest, KEYS, st.just("one_of"), st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
    st.builds(MetadataTest, KEYS, st.sampled_from(["at_least", "at_most"]), NUMBERS),
)
# Hours that meet the hours in which Berlin's clocks change, and each other over midnight.
DAYS = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True).map(tuple)
CLOCKS = st.sampled_from(["00:00", "02:00", "02:30", "03:00", "12:00", "18:00"])
HOURS = st.builds(OpeningHours, DAYS, CLOCKS, CLOCKS | st.just("24:00")).filter(lambda each: each.opens != each.closes)
CHANGE_DAY = date(2026, 10, 25)
HOLIDAYS = st.lists(st.sampled_from([CHANGE_DAY + timedelta(days=n) for n in (-1, 0, 2)]), max_size=2, unique=True)
TIMES = st.builds(
    TimeTest,
    st.sampled_from(["Europe/Berlin", "UTC"]),
    st.lists(HOURS, min_size=1, max_size=3).map(tuple),
    HOLIDAYS.map(tuple),
    st.booleans(),
)
NOTHING = st.just(())
OF_USERS = {
    "new_user": st.sampled_from([None, None, True, False]),
    "metadata": NOTHING | st.lists(TESTS, max_size=2, unique_by=lambda test: (test.key, test.test)).map(tuple),
}
CONDITIONS = st.builds(
    Condition,
    channels=NOTHING | st.sampled_from([("voice",), ("chat",), ("voice", "chat")]),
    languages=NOTHING | st.sampled_from([("de",), ("de-AT",), ("en", "de")]),
    tags=NOTHING | st.sampled_from([("x",), ("x", "y")]),
    time=st.none() | TIMES,
    **OF_USERS,
)
LEADS = st.sampled_from([(to, None) for to in (SALES, SUPPORT, NIGHT, VIP)] + [(None, split(70, 30))])


def named(prefix: str, conditions: st.SearchStrategy[Condition]) -> st.SearchStrategy[tuple[Rule, ...]]:
    """Up to four rules, each with a name of its own."""
    drawn = st.lists(st.tuples(conditions, LEADS), max_size=4)
    return drawn.map(lambda each: tuple(Rule(f"{prefix}{n}", when, *lead) for n, (when, lead) in enumerate(each)))


RULE_SETS = st.builds(
    RuleSet,
    purposes=st.sampled_from([{}, {"sell": SALES}]),
    users=named("u", st.builds(Condition, **OF_USERS)),
    rules=named("r", CONDITIONS),
    default=st.sampled_from([None, GERMAN]),
)
# Quarter hours around the change of the clocks, the holidays, and a week without either.
NOWS = st.integers(-14 * 96, 4 * 96).map(
    lambda quarters: datetime(2026, 10, 25, 1, tzinfo=UTC) + timedelta(minutes=15 * quarters)
)
METADATA = st.sampled_from([{}, {"k": None}, {"k": {"x": 1}}, {"k": {"x": "ab"}}, {"k": {}}, {"k": ["a", True]}]) | (
    VALUES.map(lambda value: {"k": value})
)
FACTS = st.builds(
    Facts,
    tenant_id=st.just(TENANT),
    split_key=st.binary(max_size=4),
    now=NOWS,
    purpose=st.sampled_from([None, None, "sell", "unknown"]),
    channel=st.sampled_from([None, "voice", "chat"]),
    language=st.sampled_from([None, "de", "de-AT", "en"]),
    tags=st.frozensets(st.sampled_from(["x", "y"])),
    metadata=METADATA,
    new_user=st.booleans(),
)


@given(RULE_SETS, FACTS)
@settings(max_examples=50, deadline=None)
def test_a_choice_is_always_made_and_always_the_same(rule_set: RuleSet, known: Facts) -> None:
    choice = choose(rule_set, known, AGENTS)
    assert choose(rule_set, known, AGENTS) == choice
    decided = [step.code is StepCode.DECIDED for step in choice.steps]
    assert decided == [False] * (len(decided) - 1) + [True]
    assert (choice.steps[-1].by, choice.steps[-1].rule) == (choice.by, choice.rule)
    assert choice.target is not None or (choice.by == "default" and rule_set.default is None)


@given(RULE_SETS, FACTS)
@settings(max_examples=50, deadline=None)
def test_the_first_rule_that_matches_wins(rule_set: RuleSet, known: Facts) -> None:
    known = replace(known, purpose=None)
    matching = [rule.name for rule in (*rule_set.users, *rule_set.rules) if unmet(rule.when, known) is None]
    assert choose(rule_set, known, AGENTS).rule == (matching[0] if matching else None)


@given(RULE_SETS, st.lists(FACTS, min_size=5, max_size=5))
@settings(max_examples=120, deadline=None)
def test_rules_that_are_refused_could_never_decide(rule_set: RuleSet, many: list[Facts]) -> None:
    found = faults(rule_set, AGENTS)
    assume(found)
    refused = {tuple(fault.field.split(".")[:2]) for fault in found}
    kept = {
        step: tuple(rule for n, rule in enumerate(getattr(rule_set, step)) if (step, str(n)) not in refused)
        for step in ("users", "rules")
    }
    fewer = replace(rule_set, **kept)
    for known in many:
        with_them, without = choose(rule_set, known, AGENTS), choose(fewer, known, AGENTS)
        assert (with_them.target, with_them.rule, with_them.variant) == (without.target, without.rule, without.variant)


@given(TIMES, TIMES)
@settings(max_examples=40, deadline=None)
def test_a_time_that_is_covered_is_covered_at_every_moment(wider: TimeTest, narrower: TimeTest) -> None:
    """Also on the day on which clocks go back; and where clocks do not change, what is not covered has a moment."""
    zone = narrower.time_zone
    wider = replace(wider, time_zone=zone)
    moments = [datetime(2026, 10, 10, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(20 * 48)]
    uncovered = [now for now in moments if times.holds(narrower, now) and not times.holds(wider, now)]
    covered = time_cover.covers(wider, narrower)
    assert not (covered and uncovered)
    if zone == "UTC":
        assert covered or uncovered
        assert time_cover.never_holds(narrower) is not any(times.holds(narrower, now) for now in moments)
