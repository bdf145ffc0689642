"""The routing table: which agent a conversation goes to, in order, by every kind of rule, zone and clock change."""

from dataclasses import dataclass, field

import pytest

from tenantry.domain.routing import Facts, Part, RuleSet, Split, StepCode, Target
from tenantry.routing.choose import choose
from tests.unit.routing.rule_sets import (
    AGENTS,
    GERMAN,
    GONE,
    IDS,
    NIGHT,
    SALES,
    SUPPORT,
    VIP,
    WEEK,
    facts,
    hours,
    meta,
    rule,
    split,
    within,
)

NAMES = {agent_id: name for name, agent_id in IDS.items()}
EVERYTHING = RuleSet(
    purposes={"sell": SALES, "old": Target(SALES.agent_id, 2), "dropped": GONE},
    users=(
        rule("newcomers", SUPPORT, new_user=True),
        rule("gold", VIP, **meta("tier", "one_of", ("gold", "platinum"))),
    ),
    rules=(rule("phone", NIGHT, channels=("voice",)), rule("german", GERMAN, languages=("de",))),
    default=SALES,
)


@dataclass(frozen=True)
class Case:
    """`goes_to` reads "rule night: support", "rule test/b: support" for a variant, "default: active"."""

    goes_to: str
    rules: RuleSet = field(default_factory=RuleSet)
    facts: Facts = field(default_factory=facts)


def one(goes_to: str, known: Facts, **when: object) -> Case:
    """The rule r to night, before the default sales."""
    return Case(goes_to, RuleSet(rules=(rule("r", NIGHT, **when),), default=SALES), known)


def user(goes_to: str, known: Facts, **when: object) -> Case:
    """The rule u on users to VIP, before the default sales."""
    return Case(goes_to, RuleSet(users=(rule("u", VIP, **when),), default=SALES), known)


def timed(now: str, decides: bool, *condition: object, **more: object) -> Case:
    """A rule on these hours of a zone at `now`."""
    return one(YES if decides else NO, facts(now), **within(*condition, **more))  # type: ignore[arg-type]


YES, NO = "rule r: night", "default: sales"
BERLIN, NEW_YORK, KOLKATA, LORD_HOWE = "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"
OFFICE = hours("09:00-17:00", *WEEK)
OVERNIGHT = hours("22:00-06:00", "fri")

ORDER = {
    "no rules: the active agent": Case("default: active"),
    "no rules, everything known": Case(
        "default: active", RuleSet(), facts(purpose="x", channel="voice", language="de", metadata={"tier": "gold"})
    ),
    "only a default": Case("default: sales", RuleSet(default=SALES)),
    "a default's version": Case("default: sales v2", RuleSet(default=Target(SALES.agent_id, 2))),
    "explicit before purpose and rules": Case(
        "explicit: german", EVERYTHING, facts(asked=GERMAN, purpose="sell", new_user=True, channel="voice")
    ),
    "explicit version": Case("explicit: sales v3", EVERYTHING, facts(asked=Target(SALES.agent_id, 3))),
    "explicit without rules": Case("explicit: vip", RuleSet(), facts(asked=VIP)),
    "purpose before users and rules": Case(
        "purpose: sales", EVERYTHING, facts(purpose="sell", new_user=True, channel="voice")
    ),
    "a purpose's version": Case("purpose: sales v2", EVERYTHING, facts(purpose="old")),
    "unknown purpose falls through": Case("rule phone: night", EVERYTHING, facts(purpose="sale", channel="voice")),
    "a purpose is spelled exactly": Case("default: sales", EVERYTHING, facts(purpose="Sell")),
    "an empty purpose is none of the tenant's": Case("default: sales", EVERYTHING, facts(purpose="")),
    "purpose of an agent that has gone": Case("default: sales", EVERYTHING, facts(purpose="dropped")),
    "users before rules": Case("user newcomers: support", EVERYTHING, facts(new_user=True, channel="voice")),
    "first of two users' rules": Case(
        "user newcomers: support", EVERYTHING, facts(new_user=True, metadata={"tier": "gold"})
    ),
    "first of two rules": Case("rule phone: night", EVERYTHING, facts(channel="voice", language="de")),
    "second rule when the first does not hold": Case("rule german: german", EVERYTHING, facts(language="de")),
    "rules before the default": Case("rule phone: night", EVERYTHING, facts(channel="voice")),
    "nothing holds: the default": Case("default: sales", EVERYTHING, facts(channel="chat", language="en")),
    "a tie goes to the first": Case(
        "rule one: sales", RuleSet(rules=(rule("one", SALES, new_user=False), rule("two", VIP, tags=("x",)))),
        facts(tags=frozenset({"x"})),
    ),
    "an empty condition always holds": one(YES, facts()),
    "a rule whose agent has gone is passed over": Case(
        "rule two: vip", RuleSet(rules=(rule("one", GONE), rule("two", VIP)))
    ),
    "a rule whose version has gone is passed over": Case(
        "default: active", RuleSet(rules=(rule("one", Target(VIP.agent_id, 9)),))
    ),
    "a default that has gone: the active agent": Case("default: active", RuleSet(default=GONE)),
    "a rule's version": Case("rule one: sales v1", RuleSet(rules=(rule("one", Target(SALES.agent_id, 1)),))),
}  # fmt: skip

PARTS = {
    "channel": one(YES, facts(channel="email"), channels=("voice", "email")),
    "another channel": one(NO, facts(channel="chat"), channels=("voice", "email")),
    "channel not known": one(NO, facts(), channels=("voice",)),
    "language": one(YES, facts(language="de"), languages=("fr", "de")),
    "a language's region": one(YES, facts(language="de-AT"), languages=("de",)),
    "a region's language": one(NO, facts(language="de"), languages=("de-AT",)),
    "a language in other case and writing": one(YES, facts(language="DE_at"), languages=("de-AT",)),
    "a language that begins alike": one(NO, facts(language="den"), languages=("de",)),
    "language not known": one(NO, facts(), languages=("de",)),
    "any tag": one(YES, facts(tags=frozenset({"b", "z"})), tags=("a", "b")),
    "no tag": one(NO, facts(), tags=("a", "b")),
    "new user": user("user u: vip", facts(new_user=True), new_user=True),
    "known user": user("user u: vip", facts(new_user=False), new_user=False),
    "new, but known is wanted": user(NO, facts(new_user=True), new_user=False),
    "all parts have to hold": one(NO, facts(channel="voice", language="en"), channels=("voice",), languages=("de",)),
    "all parts hold": one(YES, facts(channel="voice", language="de"), channels=("voice",), languages=("de",)),
    "tier": user("user u: vip", facts(metadata={"tier": "gold"}), **meta("tier", "equals", "gold")),
    "tier in other case": user(NO, facts(metadata={"tier": "Gold"}), **meta("tier", "equals", "gold")),
    "metadata missing": user(NO, facts(), **meta("tier", "equals", "gold")),
    "null is missing": user("user u: vip", facts(metadata={"tier": None}), **meta("tier", "missing")),
    "missing is not other than": user(NO, facts(), **meta("tier", "not_equals", "gold")),
    "other than": user("user u: vip", facts(metadata={"tier": "tin"}), **meta("tier", "not_equals", "gold")),
    "missing": user("user u: vip", facts(), **meta("tier", "missing")),
    "there, but wanted missing": user(NO, facts(metadata={"tier": ""}), **meta("tier", "missing")),
    "exists": user("user u: vip", facts(metadata={"tier": ""}), **meta("tier", "exists")),
    "one of": one(YES, facts(metadata={"n": 2}), **meta("n", "one_of", (1, 2))),
    "none of": one(NO, facts(metadata={"n": 3}), **meta("n", "one_of", (1, 2))),
    "at least its bound": one(YES, facts(metadata={"age": 18}), **meta("age", "at_least", 18)),
    "below": one(NO, facts(metadata={"age": 17.9}), **meta("age", "at_least", 18)),
    "at most its bound": one(YES, facts(metadata={"age": 18.0}), **meta("age", "at_most", 18)),
    "above": one(NO, facts(metadata={"age": 10**30}), **meta("age", "at_most", 18)),
    "a number in a text is none": one(NO, facts(metadata={"age": "20"}), **meta("age", "at_least", 18)),
    "true is no number": one(NO, facts(metadata={"age": True}), **meta("age", "at_least", 1)),
    "true is not 1": one(NO, facts(metadata={"n": True}), **meta("n", "equals", 1)),
    "1 is 1.0": one(YES, facts(metadata={"n": 1.0}), **meta("n", "equals", 1)),
    "a piece of a text": one(YES, facts(metadata={"page": "/pricing/eu"}), **meta("page", "contains", "pricing")),
    "an item of a list": one(YES, facts(metadata={"plan": ["a", "b"]}), **meta("plan", "contains", "b")),
    "a piece of an item is none": one(NO, facts(metadata={"plan": ["abc"]}), **meta("plan", "contains", "b")),
    "an object contains nothing": one(NO, facts(metadata={"plan": {"b": 1}}), **meta("plan", "contains", "b")),
    "nested": one(YES, facts(metadata={"crm": {"tier": {"now": "gold"}}}), **meta("crm.tier.now", "equals", "gold")),
    "nested in no object": one(NO, facts(metadata={"crm": "gold"}), **meta("crm.tier", "exists")),
    "nested, missing": one(YES, facts(metadata={"crm": {}}), **meta("crm.tier.now", "missing")),
    "nested in a list": one(NO, facts(metadata={"crm": [{"tier": 1}]}), **meta("crm.0.tier", "exists")),
}

TIMES = {
    "within office hours": timed("2026-11-24T12:00+01:00", True, BERLIN, OFFICE),
    "the minute of opening is open": timed("2026-11-24T09:00+01:00", True, BERLIN, OFFICE),
    "before opening": timed("2026-11-24T08:59:59+01:00", False, BERLIN, OFFICE),
    "the minute of closing is closed": timed("2026-11-24T17:00+01:00", False, BERLIN, OFFICE),
    "a weekend": timed("2026-11-28T12:00+01:00", False, BERLIN, OFFICE),
    "the zone decides, not the offset of now": timed("2026-11-24T22:30+05:30", True, NEW_YORK, OFFICE),
    "half an hour's zone": timed("2026-11-24T03:30Z", True, KOLKATA, OFFICE),
    "it is tomorrow in the zone": timed("2026-11-23T23:30Z", True, KOLKATA, hours("04:00-06:00", "tue")),
    "it is yesterday in the zone": timed("2026-11-24T02:00Z", True, NEW_YORK, hours("20:00-22:00", "mon")),
    "outside of hours is wanted and is": timed("2026-11-24T20:00+01:00", True, BERLIN, OFFICE, is_open=False),
    "outside of hours is wanted and is not": timed("2026-11-24T12:00+01:00", False, BERLIN, OFFICE, is_open=False),
    "over midnight, before it": timed("2026-11-27T23:00+01:00", True, BERLIN, OVERNIGHT),
    "over midnight, after it": timed("2026-11-28T05:59+01:00", True, BERLIN, OVERNIGHT),
    "over midnight, ended": timed("2026-11-28T06:00+01:00", False, BERLIN, OVERNIGHT),
    "over midnight, the night before": timed("2026-11-27T05:00+01:00", False, BERLIN, OVERNIGHT),
    "over midnight from sunday to monday": timed("2026-11-30T01:00Z", True, "UTC", hours("23:00-02:00", "sun")),
    "until 24:00": timed("2026-11-24T23:59:59.999999Z", True, "UTC", hours("18:00-24:00", "tue")),
    "after 24:00": timed("2026-11-25T00:00Z", False, "UTC", hours("18:00-24:00", "tue")),
    "one of several hours": timed("2026-11-28T11:00Z", True, "UTC", OFFICE, hours("10:00-14:00", "sat")),
    "a holiday is closed": timed("2026-12-25T12:00Z", False, "UTC", OFFICE, holidays=("2026-12-25",)),
    "a holiday is outside": timed("2026-12-25T12:00Z", True, "UTC", OFFICE, holidays=("2026-12-25",), is_open=False),
    "a holiday is a day of the zone": timed("2026-12-24T20:00Z", False, KOLKATA, hours("00:00-24:00"),
                                           holidays=("2026-12-25",)),
    "the night before a holiday goes on": timed("2026-11-28T05:00+01:00", True, BERLIN, OVERNIGHT,
                                               holidays=("2026-11-28",)),
    "the night of a holiday does not begin": timed("2026-11-28T05:00+01:00", False, BERLIN, OVERNIGHT,
                                                  holidays=("2026-11-27",)),
    "summer time": timed("2026-07-07T07:00Z", True, BERLIN, OFFICE),
    "winter time": timed("2026-11-24T07:00Z", False, BERLIN, OFFICE),
    "clocks forward: the skipped hours never come": timed("2026-03-29T01:00Z", False, BERLIN, hours("02:00-03:00")),
    "clocks forward: hours that begin in the gap": timed("2026-03-29T01:00Z", True, BERLIN, hours("02:30-04:00")),
    "clocks forward: hours that end in the gap": timed("2026-03-29T01:00Z", False, BERLIN, hours("01:00-02:30")),
    "clocks forward: the minute before": timed("2026-03-29T00:59Z", True, BERLIN, hours("01:00-02:30")),
    "clocks forward: noon is an hour earlier": timed("2026-03-29T10:00Z", True, BERLIN, hours("12:00-13:00")),
    "clocks back: the first time": timed("2026-10-25T00:30Z", True, BERLIN, hours("02:00-03:00")),
    "clocks back: the second time": timed("2026-10-25T01:30Z", True, BERLIN, hours("02:00-03:00")),
    "clocks back: hours do not end twice": timed("2026-10-25T01:10Z", False, BERLIN, hours("01:00-02:30")),
    "clocks back: hours do not begin twice": timed("2026-10-25T01:10Z", True, BERLIN, hours("02:30-04:00")),
    "clocks back by half an hour": timed("2026-04-04T15:10Z", False, LORD_HOWE, hours("01:00-01:35")),
    "clocks back over midnight": timed("2010-11-07T02:45Z", True, "America/St_Johns", hours("00:00-01:00", "sun")),
    "a day that never was": timed("2011-12-30T10:00Z", False, "Pacific/Apia", hours("00:00-24:00", "fri")),
}  # fmt: skip

# Ann's place in the tests of the rule "test" is 1,776, in those of the salt "s" 9,579, see test_split.
SPLITS = {
    "a split decides by the contact": Case("rule test/a: sales", RuleSet(rules=(rule("test", split(70, 30)),))),
    "a salt of its own": Case("rule test/b: support", RuleSet(rules=(rule("test", split(70, 30, salt="s")),))),
    "a split only where its condition holds": Case(
        "default: vip", RuleSet(rules=(rule("test", split(50, 50), new_user=True),), default=VIP)
    ),
    "a split of users": Case("user test/a: sales", RuleSet(users=(rule("test", split(70, 30), new_user=False),))),
    "a split whose side has gone is passed over": Case(
        "rule two: vip", RuleSet(rules=(rule("one", Split((Part("a", 100, GONE),))), rule("two", VIP)))
    ),
    "all on one side": Case("rule test/a: sales", RuleSet(rules=(rule("test", split(100)),))),
    "three sides": Case("rule test/b: support", RuleSet(rules=(rule("test", split(10, 20, 70)),))),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in (ORDER | PARTS | TIMES | SPLITS).items()]
)
def test_the_routing_table(case: Case) -> None:
    choice = choose(case.rules, case.facts, AGENTS)
    side = f"/{choice.variant}" if choice.variant else ""
    agent = NAMES[choice.target.agent_id] if choice.target else "active"
    version = f" v{choice.target.version}" if choice.target and choice.target.version else ""
    assert f"{choice.by}{' ' + choice.rule if choice.rule else ''}{side}: {agent}{version}" == case.goes_to
    assert [step.code is StepCode.DECIDED for step in choice.steps] == [False] * (len(choice.steps) - 1) + [True]


def test_the_explanation_tells_every_step_in_order() -> None:
    known = facts(purpose="sale", channel="chat", language="de-CH", metadata={"tier": "tin", "name": "Ann Smith"})
    steps = choose(EVERYTHING, known, AGENTS).steps
    assert [(step.by, step.rule, step.code, step.text) for step in steps] == [
        ("explicit", None, StepCode.NOT_ASKED, "no agent was asked for by its id"),
        ("purpose", None, StepCode.UNKNOWN_PURPOSE, "purpose 'sale' is no purpose of this tenant"),
        ("user", "newcomers", StepCode.OTHER_USER, "the user is not new"),
        ("user", "gold", StepCode.OTHER_METADATA, "metadata 'tier' is none of 'gold', 'platinum'"),
        ("rule", "phone", StepCode.OTHER_CHANNEL, "the channel is 'chat', not 'voice'"),
        ("rule", "german", StepCode.DECIDED, "its condition holds"),
    ]


def test_the_explanation_of_a_tenant_without_rules() -> None:
    assert [step.text for step in choose(RuleSet(), facts(), AGENTS).steps] == [
        "no agent was asked for by its id",
        "no purpose was asked for",
        "the tenant has no rules on users",
        "the tenant has no rules",
        "no default is set",
        "the tenant's active agent answers",
    ]


SATURDAY = "2026-11-28T11:03Z"


@pytest.mark.parametrize(
    ("when", "known", "text"),
    [
        ({"languages": ("de", "fr")}, facts(), "the language is not known, not 'de' or 'fr'"),
        ({"tags": ("a", "b")}, facts(tags=frozenset({"hidden"})), "has no tag 'a' or 'b'"),
        ({"new_user": False}, facts(new_user=True), "the user is new"),
        (meta("crm.tier", "equals", "gold"), facts(), "metadata has no 'crm.tier'"),
        (meta("k", "equals", "gold"), facts(metadata={"k": "hidden"}), "metadata 'k' is not 'gold'"),
        (meta("k", "not_equals", "gold"), facts(metadata={"k": "gold"}), "metadata 'k' is 'gold'"),
        (meta("k", "missing"), facts(metadata={"k": "hidden"}), "metadata 'k' is there"),
        (
            meta("k", "one_of", tuple(range(12))),
            facts(metadata={"k": 99}),
            "metadata 'k' is none of 0, 1, 2, 3, 4 or 7 more",
        ),
        (meta("k", "at_least", 9), facts(metadata={"k": 7}), "metadata 'k' is less than 9"),
        (meta("k", "at_most", 9), facts(metadata={"k": 11}), "metadata 'k' is more than 9"),
        (meta("k", "at_most", 9), facts(metadata={"k": "hidden"}), "metadata 'k' is no number"),
        (meta("k", "contains", "x"), facts(metadata={"k": "hidden"}), "metadata 'k' does not contain 'x'"),
        (
            within(BERLIN, OFFICE, hours("10:00-12:00", "sat", "mon")),
            facts(SATURDAY),
            "not now: Saturday 12:03 in Europe/Berlin is outside mon-fri 09:00-17:00, mon+sat 10:00-12:00",
        ),
        (
            within("UTC", hours("10:00-12:00"), is_open=False),
            facts(SATURDAY),
            "not now: Saturday 11:03 in UTC is within mon-sun 10:00-12:00",
        ),
        (
            within("UTC", hours("10:00-12:00"), holidays=("2026-11-28",)),
            facts(SATURDAY),
            "not now: Saturday 11:03 in UTC is outside mon-sun 10:00-12:00, and it is a holiday",
        ),
    ],
)
def test_a_rule_that_does_not_hold_says_why_and_no_value_of_the_metadata(
    when: dict[str, object], known: Facts, text: str
) -> None:
    steps = choose(RuleSet(rules=(rule("r", NIGHT, **when),)), known, AGENTS).steps
    assert [step.text for step in steps if step.rule == "r"] == [text]


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (RuleSet(default=GONE), f"but agent {GONE.agent_id} is not there any more"),
        (RuleSet(default=Target(VIP.agent_id, 9)), f"but agent {VIP.agent_id} has no version 9 any more"),
    ],
)
def test_an_agent_that_has_gone_is_told(rules: RuleSet, text: str) -> None:
    passed = choose(rules, facts(), AGENTS).steps[-2]
    assert passed.code is StepCode.AGENT_GONE
    assert passed.text.endswith(text)
