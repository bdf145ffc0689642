"""Bad rules are refused with the field and the reason; what can never be reached is found, and nothing else is."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from tenantry.domain.routing import Condition, MetadataTest, Part, Rule, RuleSet, Split, Target, TimeTest
from tenantry.routing.faults import faults
from tests.unit.routing.rule_sets import AGENTS, GONE, NIGHT, SALES, VIP, WEEK, hours, meta, rule, split, within

OFFICE = hours("09:00-17:00", *WEEK)
GOOD = RuleSet(
    purposes={"sell": SALES, "old": Target(SALES.agent_id, 2)},
    users=(rule("new", VIP, new_user=True), rule("gold", split(70, 30), **meta("crm.tier", "one_of", ("gold",)))),
    rules=(
        rule("night", NIGHT, **within("Europe/Berlin", OFFICE, is_open=False, holidays=("2026-12-25",))),
        rule("german phone", SALES, channels=("voice",), languages=("de",), tags=("x",)),
        rule("phone", split(50, 50, salt="p"), channels=("voice",)),
        rule("rest", SALES),
    ),
    default=SALES,
)


def told(rule_set: RuleSet) -> dict[str, str]:
    return {fault.field: fault.message for fault in faults(rule_set, AGENTS)}


def only(**when: Any) -> RuleSet:
    return RuleSet(rules=(rule("r", SALES, **when),))


def test_good_rules_and_none_have_no_faults() -> None:
    assert told(GOOD) == told(RuleSet()) == {}


def test_rules_are_the_same_after_json() -> None:
    adapter = TypeAdapter(RuleSet)
    assert adapter.validate_json(adapter.dump_json(GOOD)) == GOOD


@pytest.mark.parametrize("body", ['{"rule": []}', '{"rules": [{"name": "r", "when": {"zone": "UTC"}}]}'])
def test_unknown_fields_are_refused(body: str) -> None:
    with pytest.raises(ValidationError, match="Unexpected keyword argument"):
        TypeAdapter(RuleSet).validate_json(body)


@pytest.mark.parametrize(
    ("rule_set", "field", "message"),
    [
        (RuleSet(default=GONE), "default.agent_id", "is no agent of this tenant"),
        (RuleSet(default=Target(SALES.agent_id, 4)), "default.version", "no version 4; its newest is 3"),
        (RuleSet(purposes={"p": GONE}), "purposes.p.agent_id", "is no agent"),
        (RuleSet(purposes={" ": SALES}), "purposes. ", "is empty"),
        (RuleSet(users=(rule("r", GONE),)), "users.0.to.agent_id", "is no agent"),
        (RuleSet(rules=(rule("r", Split((Part("a", 100, GONE),))),)), "rules.0.split.parts.0.to.agent_id", "no agent"),
        (RuleSet(rules=(Rule("r"),)), "rules.0.to", "give one of them"),
        (RuleSet(rules=(Rule("r", to=SALES, split=split(100)),)), "rules.0.to", "give one of them"),
        (RuleSet(rules=(rule("", SALES),)), "rules.0.name", "is empty"),
        (RuleSet(rules=(rule("a\x00", SALES),)), "rules.0.name", "cannot be kept"),
        (RuleSet(users=(rule("r", VIP, new_user=True),), rules=(rule("r", SALES),)), "rules.0.name", "there twice"),
        (RuleSet(rules=(rule("r", split(70, 20)),)), "rules.0.split.parts", "sum to 90; make them sum to 100"),
        (RuleSet(rules=(rule("r", split(100, 0)),)), "rules.0.split.parts.1.weight", "not above 0"),
        (RuleSet(rules=(rule("r", split(120, -20)),)), "rules.0.split.parts.1.weight", "not above 0"),
        (RuleSet(rules=(rule("r", Split((Part("a", 50, VIP),) * 2)),)), "rules.0.split.parts.1.variant", "twice"),
        (RuleSet(rules=(rule("r", Split((Part(" ", 100, VIP),))),)), "rules.0.split.parts.0.variant", "is empty"),
        (RuleSet(rules=(rule("r", split(100, salt="\x00")),)), "rules.0.split.salt", "cannot be kept"),
        (RuleSet(users=(rule("r", VIP, channels=("voice",)),)), "users.0.when", "put it under rules"),
        (only(channels=("voice", " ")), "rules.0.when.channels.1", "is empty"),
        (only(tags=("",)), "rules.0.when.tags.0", "is empty"),
        (only(languages=("de", "german language")), "rules.0.when.languages.1", "is no language"),
        (only(**meta("a..b", "exists")), "rules.0.when.metadata.0.key", "is no key"),
        (only(**meta("a", "exists", 1)), "rules.0.when.metadata.0.value", "takes no value"),
        (only(**meta("a", "equals")), "rules.0.when.metadata.0.value", "takes one value"),
        (only(**meta("a", "equals", (1, 2))), "rules.0.when.metadata.0.value", "takes one value"),
        (only(**meta("a", "one_of", ())), "rules.0.when.metadata.0.value", "at least one value"),
        (only(**meta("a", "one_of", "b")), "rules.0.when.metadata.0.value", "takes a list"),
        (only(**meta("a", "at_least", "5")), "rules.0.when.metadata.0.value", "takes a number"),
        (only(**meta("a", "at_most", True)), "rules.0.when.metadata.0.value", "takes a number"),
        (only(**meta("a", "at_most", float("nan"))), "rules.0.when.metadata.0.value", "finite"),
        (only(**meta("a", "contains", "")), "rules.0.when.metadata.0.value", "is empty"),
        (only(**meta("a", "equals", "\ud800")), "rules.0.when.metadata.0.value", "cannot be kept"),
        (only(metadata=(MetadataTest("a", "equals", 1),) * 2), "rules.0.when.metadata.1", "tested by equals twice"),
        (only(**within("Mars/Base", OFFICE)), "rules.0.when.time.time_zone", "no IANA time zone"),
        (only(**within("UTC", hours("9:00-17:00"))), "rules.0.when.time.hours.0.opens", "no time of day"),
        (only(**within("UTC", hours("09:00-25:00"))), "rules.0.when.time.hours.0.closes", "no time of day"),
        (only(**within("UTC", hours("09:00-09:00"))), "rules.0.when.time.hours.0.closes", "the same as opens"),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_its_field(rule_set: RuleSet, field: str, message: str) -> None:
    assert message in told(rule_set)[field]


def test_all_faults_are_told_at_once() -> None:
    bad = RuleSet(rules=(Rule("", Condition(tags=("",))), rule("r", split(1, 2))), default=GONE)
    assert set(told(bad)) == {
        "rules.0.name",
        "rules.0.to",
        "rules.0.when.tags.0",
        "rules.1.split.parts",
        "default.agent_id",
    }


def test_an_agent_without_versions_is_told() -> None:
    found = faults(RuleSet(default=Target(UUID(int=7), 1)), {UUID(int=7): ()})
    assert [(fault.field, fault.message) for fault in found] == [
        ("default.agent_id", "no version of this agent was published yet; publish it first")
    ]


ALL_WEEK = hours("00:00-24:00")
TESTS = [
    # An earlier test, a later one, and whether the later one holds only where the earlier one does.
    (("k", "exists", None), ("k", "equals", "a"), True),
    (("k", "exists", None), ("k.x", "at_least", 1), True),
    (("k.x", "exists", None), ("k", "exists", None), False),
    (("k", "exists", None), ("k", "missing", None), False),
    (("k.x", "missing", None), ("k", "missing", None), True),
    (("k", "missing", None), ("k.x", "missing", None), False),
    (("k", "equals", 1), ("k", "equals", 1.0), True),
    (("k", "equals", 1), ("k", "equals", True), False),
    (("k", "equals", 1), ("k", "one_of", (1, 1.0)), True),
    (("k", "one_of", (1, 2, 3)), ("k", "one_of", (3, 1)), True),
    (("k", "one_of", (1, 2)), ("k", "one_of", (2, 3)), False),
    (("k", "not_equals", "a"), ("k", "equals", "b"), True),
    (("k", "not_equals", "a"), ("k", "one_of", ("a", "b")), False),
    (("k", "not_equals", "a"), ("k", "not_equals", "a"), True),
    (("k", "not_equals", "a"), ("k", "not_equals", "b"), False),
    (("k", "not_equals", 4), ("k", "at_least", 5), True),
    (("k", "not_equals", "4"), ("k", "at_most", 5), True),
    (("k", "not_equals", 5), ("k", "at_least", 5), False),
    (("k", "not_equals", "tin"), ("k", "contains", "gold"), True),
    (("k", "not_equals", "gold"), ("k", "contains", "gol"), False),
    (("k", "at_least", 5), ("k", "at_least", 6), True),
    (("k", "at_least", 5), ("k", "at_least", 4), False),
    (("k", "at_most", 5), ("k", "at_most", 5), True),
    (("k", "at_most", 5), ("k", "at_least", 5), False),
    (("k", "at_least", 5), ("k", "one_of", (5, 9)), True),
    (("k", "at_least", 5), ("k", "one_of", (4, 9)), False),
    (("k", "contains", "ol"), ("k", "equals", "gold"), True),
    (("k", "contains", "a"), ("k", "contains", "a"), True),
    (("k", "contains", "a"), ("k", "contains", "ab"), False),
    (("k", "contains", 1), ("k", "contains", True), False),
    (("k", "exists", None), ("j", "exists", None), False),
]
CONDITIONS = [
    ({}, {"channels": ("voice",)}, True),
    ({"channels": ("voice",)}, {}, False),
    ({"channels": ("voice", "chat")}, {"channels": ("chat",)}, True),
    ({"channels": ("voice",)}, {"channels": ("voice", "chat")}, False),
    ({"languages": ("de", "fr")}, {"languages": ("de-AT", "fr")}, True),
    ({"languages": ("de-AT",)}, {"languages": ("de",)}, False),
    ({"languages": ("de",)}, {"languages": ("den",)}, False),
    ({"tags": ("a", "b")}, {"tags": ("b",)}, True),
    ({"tags": ("a",)}, {"tags": ("a", "b")}, False),
    ({"new_user": True}, {"new_user": True, "tags": ("a",)}, True),
    ({"new_user": True}, {"new_user": False}, False),
    ({"channels": ("voice",), "languages": ("de",)}, {"channels": ("voice",)}, False),
    (within("UTC", OFFICE), within("UTC", hours("10:00-12:00", "tue")), True),
    (within("UTC", OFFICE), within("Europe/London", hours("10:00-12:00", "tue")), False),
    (within("UTC", OFFICE), {}, False),
    (within("UTC", hours("08:00-12:00"), hours("12:00-18:00")), within("UTC", OFFICE), True),
    (within("UTC", hours("08:00-12:00"), hours("12:01-18:00")), within("UTC", OFFICE), False),
    (within("UTC", hours("22:00-06:00", "sun")), within("UTC", hours("00:00-06:00", "mon")), True),
    (within("UTC", hours("22:00-06:00", "fri")), within("UTC", hours("02:00-07:00", "sat")), False),
    (within("UTC", OFFICE, is_open=False), within("UTC", hours("18:00-20:00")), True),
    (within("UTC", OFFICE, is_open=False), within("UTC", hours("16:00-20:00")), False),
    (within("UTC", OFFICE, is_open=False), within("UTC", hours("08:00-18:00"), is_open=False), True),
    (within("UTC", OFFICE, holidays=("2026-12-25",)), within("UTC", OFFICE), False),
    (within("UTC", OFFICE, holidays=("2026-12-26",)), within("UTC", OFFICE), True),  # a Saturday
    (within("UTC", OFFICE), within("UTC", OFFICE, holidays=("2026-12-25",)), True),
    (
        within("UTC", hours("22:00-06:00"), holidays=("2026-12-25",)),
        within("UTC", hours("02:00-04:00"), holidays=("2026-12-25",)),
        False,
    ),
    (
        within("UTC", hours("22:00-06:00"), holidays=("2026-12-25", "2026-12-26")),
        within("UTC", hours("02:00-04:00"), holidays=("2026-12-26", "2026-12-27")),
        True,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("earlier", "later", "reached"),
    [(meta(*one), meta(*other), not implied) for one, other, implied in TESTS]  # type: ignore[arg-type]
    + [(one, other, not implied) for one, other, implied in CONDITIONS],
)
def test_a_rule_that_is_never_reached_is_found(earlier: dict[str, Any], later: dict[str, Any], reached: bool) -> None:
    found = told(RuleSet(rules=(rule("first", SALES, **earlier), rule("second", VIP, **later))))
    why = "always matches" if not earlier else "matches whenever this one does"
    assert found == ({} if reached else {"rules.1": f"rule 'second' is never reached: rule 'first' before it {why}"})


def test_rules_on_users_come_before_the_others() -> None:
    found = told(RuleSet(users=(rule("all", SALES),), rules=(rule("r", VIP, channels=("voice",)),)))
    assert found == {"rules.0": "rule 'r' is never reached: rule 'all' before it always matches"}


@pytest.mark.parametrize(
    ("tests", "part"),
    [
        ([("k", "equals", 1), ("k", "one_of", (2, 3))], "metadata.0"),
        ([("k", "equals", "a"), ("k", "not_equals", "a")], "metadata.0"),
        ([("k", "one_of", (1, 2)), ("k", "at_least", 3)], "metadata.0"),
        ([("k", "at_least", 3), ("k", "at_most", 2)], "metadata.1"),
        ([("k", "missing", None), ("k", "exists", None)], "metadata.1"),
        ([("k.x", "equals", 1), ("k", "missing", None)], "metadata.1"),
    ],
)
def test_a_condition_that_can_never_hold_is_found(tests: list[tuple[Any, ...]], part: str) -> None:
    found = told(only(metadata=tuple(MetadataTest(*test) for test in tests)))
    assert list(found) == [f"rules.0.when.{part}"]
    assert "rule 'r' never matches" in found[f"rules.0.when.{part}"]


@pytest.mark.parametrize(
    "tests", [[("k", "at_least", 3), ("k", "at_most", 3)], [("k", "missing", None), ("j", "exists", None)]]
)
def test_a_condition_that_can_hold_is_not_refused(tests: list[tuple[Any, ...]]) -> None:
    assert told(only(metadata=tuple(MetadataTest(*test) for test in tests))) == {}


def test_hours_that_leave_no_time_are_found() -> None:
    never = TimeTest("UTC", (ALL_WEEK,), open=False)
    assert list(told(only(time=never))) == ["rules.0.when.time"]
    assert told(only(time=replace(never, holidays=(date(2026, 12, 25),)))) == {}
