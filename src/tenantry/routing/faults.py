"""What is wrong with a set of rules, every fault at once, by field."""

import math
import re
from collections.abc import Iterator, Sequence

from tenantry.domain.errors import FieldError
from tenantry.domain.opening_hours import hours_faults
from tenantry.domain.routing import AgentVersions, Condition, MetadataTest, Rule, RuleSet, Split, Target, TimeTest
from tenantry.domain.storable import is_storable
from tenantry.domain.wall_time import ZONES
from tenantry.routing.metadata import is_number, wanted_values
from tenantry.routing.subsumption import contradiction, implies

_LANGUAGE_RANGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
# What JSON as it is kept can hold.
_LARGEST = 2**63 - 1
_OF_USERS = "a rule on users looks at new_user and metadata alone; put it under rules"


def faults(rule_set: RuleSet, agents: AgentVersions) -> list[FieldError]:
    """Everything for which the rules are refused. `agents` are the tenant's agents, at least of those that the rules
    name (`RuleSet.targets`), with the versions that each has."""
    placed = [(f"users.{index}", rule) for index, rule in enumerate(rule_set.users)]
    placed += [(f"rules.{index}", rule) for index, rule in enumerate(rule_set.rules)]
    found = [FieldError(f"purposes.{name}", told) for name in rule_set.purposes if (told := _name_fault(name))]
    found += _name_faults(placed)
    for index, rule in enumerate(rule_set.users):
        if rule.when != Condition(new_user=rule.when.new_user, metadata=rule.when.metadata):
            found.append(FieldError(f"users.{index}.when", _OF_USERS))
    for at, rule in placed:
        found += _rule_faults(at, rule)
    for path, target in rule_set.targets():
        found += _target_faults(path, target, agents)
    # Conditions with wrong parts cannot be compared.
    return found or list(_reach_faults(placed))


def _name_faults(placed: Sequence[tuple[str, Rule]]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for at, rule in placed:
        if told := _name_fault(rule.name):
            yield FieldError(f"{at}.name", told)
        elif rule.name in seen:
            yield FieldError(f"{at}.name", f"{rule.name!r} is there twice; names are unique among all rules")
        seen.add(rule.name)


def _name_fault(name: str) -> str | None:
    if not name.strip():
        return "is empty"
    return None if is_storable(name) else "holds a character that cannot be kept"


def _rule_faults(at: str, rule: Rule) -> Iterator[FieldError]:
    if (rule.to is None) is (rule.split is None):
        yield FieldError(f"{at}.to", "goes to one agent (to) or to a split; give one of them")
    if rule.split is not None:
        yield from _split_faults(f"{at}.split", rule.split)
    yield from _condition_faults(f"{at}.when", rule.when)


def _split_faults(at: str, split: Split) -> Iterator[FieldError]:
    if not is_storable(split.salt):
        yield FieldError(f"{at}.salt", "holds a character that cannot be kept")
    seen: set[str] = set()
    for index, part in enumerate(split.parts):
        if told := _name_fault(part.variant):
            yield FieldError(f"{at}.parts.{index}.variant", told)
        elif part.variant in seen:
            yield FieldError(f"{at}.parts.{index}.variant", f"{part.variant!r} is there twice")
        seen.add(part.variant)
        if part.weight <= 0:
            yield FieldError(f"{at}.parts.{index}.weight", "is not above 0; leave out a part that nobody is to get")
    total = sum(part.weight for part in split.parts)
    if total != 100:
        yield FieldError(f"{at}.parts", f"the weights sum to {total}; make them sum to 100")


def _target_faults(at: str, target: Target, agents: AgentVersions) -> Iterator[FieldError]:
    if target.agent_id not in agents:
        yield FieldError(f"{at}.agent_id", f"{target.agent_id} is no agent of this tenant")
    elif not agents[target.agent_id]:
        yield FieldError(f"{at}.agent_id", "no version of this agent was published yet; publish it first")
    elif target.version is not None and target.version not in agents[target.agent_id]:
        newest = max(agents[target.agent_id])
        yield FieldError(f"{at}.version", f"the agent has no version {target.version}; its newest is {newest}")


def _condition_faults(at: str, when: Condition) -> Iterator[FieldError]:
    for part, names in (("channels", when.channels), ("tags", when.tags)):
        yield from (FieldError(f"{at}.{part}.{i}", told) for i, name in enumerate(names) if (told := _name_fault(name)))
    for index, language in enumerate(when.languages):
        if not _LANGUAGE_RANGE.fullmatch(language):
            yield FieldError(f"{at}.languages.{index}", f"{language!r} is no language such as de or de-AT")
    seen: set[tuple[str, str]] = set()
    for index, test in enumerate(when.metadata):
        yield from _test_faults(f"{at}.metadata.{index}", test)
        if (test.key, test.test) in seen and test.test not in {"not_equals", "contains"}:
            yield FieldError(f"{at}.metadata.{index}", f"{test.key!r} is tested by {test.test} twice; make it one test")
        seen.add((test.key, test.test))
    if when.time is not None:
        yield from _time_faults(f"{at}.time", when.time)


def _test_faults(at: str, test: MetadataTest) -> Iterator[FieldError]:
    if not all(name.strip() for name in test.key.split(".")) or not is_storable(test.key):
        yield FieldError(f"{at}.key", f"{test.key!r} is no key, such as tier or address.city")
    if told := _value_fault(test):
        yield FieldError(f"{at}.value", told)


def _value_fault(test: MetadataTest) -> str | None:
    if test.test in {"exists", "missing"}:
        return None if test.value is None else f"{test.test} takes no value; leave it out"
    if test.test == "one_of":
        if not isinstance(test.value, tuple) or not test.value:
            return "one_of takes a list of at least one value"
    elif test.value is None or isinstance(test.value, tuple):
        return f"{test.test} takes one value"
    if test.test in {"at_least", "at_most"} and not is_number(test.value):
        return f"{test.test} takes a number"
    if test.test == "contains" and test.value == "":
        return "is empty, and every text contains that"
    if any(isinstance(value, float) and not math.isfinite(value) for value in wanted_values(test)):
        return "is not a finite number"
    if any(isinstance(value, int) and abs(value) > _LARGEST for value in wanted_values(test)):
        return "is a number of more than 64 bits"
    if any(isinstance(value, str) and not is_storable(value) for value in wanted_values(test)):
        return "holds a character that cannot be kept"
    return None


def _time_faults(at: str, test: TimeTest) -> Iterator[FieldError]:
    if test.time_zone not in ZONES:
        yield FieldError(f"{at}.time_zone", f"{test.time_zone!r} is no IANA time zone, such as Europe/London")
    for index, hours in enumerate(test.hours):
        yield from hours_faults(f"{at}.hours.{index}", hours)


def _reach_faults(placed: Sequence[tuple[str, Rule]]) -> Iterator[FieldError]:
    """Rules that no conversation ever gets to; those of users come before the others."""
    for index, (at, rule) in enumerate(placed):
        if found := contradiction(rule.when):
            part, told = found
            yield FieldError(f"{at}.when.{part}", f"rule {rule.name!r} never matches: {told}")
            continue
        for _, earlier in placed[:index]:
            if implies(rule.when, earlier.when):
                always = earlier.when == Condition()
                told = "always matches" if always else "matches whenever this one does"
                yield FieldError(at, f"rule {rule.name!r} is never reached: rule {earlier.name!r} before it {told}")
                break
