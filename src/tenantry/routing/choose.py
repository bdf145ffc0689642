"""The choice of an agent for a conversation, with every step that led to it."""

from collections.abc import Iterator, Sequence
from typing import Literal

from tenantry.domain.routing import AgentVersions, By, Choice, Facts, Rule, RuleSet, Step, StepCode, Target
from tenantry.routing.conditions import unmet
from tenantry.routing.split import bucket, part_of

# A step that was tried, where it leads if it decides, and the variant.
_Tried = tuple[Step, Target | None, str | None]
_RULES = {"user": "rules on users", "rule": "rules"}


def choose(rule_set: RuleSet, facts: Facts, agents: AgentVersions) -> Choice:
    """Where the conversation goes: to the agent that was asked for by id, else that of its purpose, that of the first
    rule on users and then of the first other rule that holds, the default, the tenant's active agent.

    `rule_set` had no faults when it was written. `agents` are those it names that still are there
    (`RuleSet.targets`); a step that leads to another is passed over. Whether there is the agent that was asked for is
    for the caller to see.
    """
    steps: list[Step] = []
    for step, target, variant in _tried(rule_set, facts, agents):
        steps.append(step)
        if step.code is StepCode.DECIDED:
            return Choice(target, step.by, step.rule, variant, tuple(steps))
    steps.append(Step("default", StepCode.DECIDED, "the tenant's active agent answers"))
    return Choice(None, "default", None, None, tuple(steps))


def _tried(rule_set: RuleSet, facts: Facts, agents: AgentVersions) -> Iterator[_Tried]:
    yield _explicit(facts)
    yield _by_purpose(rule_set, facts, agents)
    yield from _by_rules("user", rule_set.users, facts, agents)
    yield from _by_rules("rule", rule_set.rules, facts, agents)
    if rule_set.default is None:
        yield _passed("default", StepCode.NO_RULES, "no default is set")
    else:
        yield _leading("default", rule_set.default, agents, "nothing before the default decided")


def _explicit(facts: Facts) -> _Tried:
    if facts.asked is None:
        return _passed("explicit", StepCode.NOT_ASKED, "no agent was asked for by its id")
    return Step("explicit", StepCode.DECIDED, "this agent was asked for by its id"), facts.asked, None


def _by_purpose(rule_set: RuleSet, facts: Facts, agents: AgentVersions) -> _Tried:
    if facts.purpose is None:
        return _passed("purpose", StepCode.NOT_ASKED, "no purpose was asked for")
    target = rule_set.purposes.get(facts.purpose)
    if target is None:
        return _passed("purpose", StepCode.UNKNOWN_PURPOSE, f"purpose {facts.purpose!r} is no purpose of this tenant")
    return _leading("purpose", target, agents, f"purpose {facts.purpose!r} was asked for")


def _by_rules(
    by: Literal["user", "rule"], rules: Sequence[Rule], facts: Facts, agents: AgentVersions
) -> Iterator[_Tried]:
    if not rules:
        yield _passed(by, StepCode.NO_RULES, f"the tenant has no {_RULES[by]}")
    for rule in rules:
        failure = unmet(rule.when, facts)
        if failure is None:
            yield _by_rule(by, rule, facts, agents)
        else:
            code, text = failure
            yield Step(by, code, text, rule.name), None, None


def _by_rule(by: By, rule: Rule, facts: Facts, agents: AgentVersions) -> _Tried:
    if rule.split is None:
        return _leading(by, rule.to, agents, "its condition holds", rule.name)
    part = part_of(rule.split, bucket(facts.tenant_id, rule.split.salt or rule.name, facts.split_key))
    text = f"its condition holds, and the contact is on side {part.variant!r}"
    return _leading(by, part.to, agents, text, rule.name, part.variant)


def _leading(
    by: By,
    target: Target | None,
    agents: AgentVersions,
    text: str,
    rule: str | None = None,
    variant: str | None = None,
) -> _Tried:
    """The step that decides for the target, or that passes because the target is not there any more."""
    gone = _gone(target, agents)
    if gone is None:
        return Step(by, StepCode.DECIDED, text, rule), target, variant
    return Step(by, StepCode.AGENT_GONE, f"{text}, but {gone}", rule), None, None


def _gone(target: Target | None, agents: AgentVersions) -> str | None:
    if target is None:
        return "it names no agent"
    if target.agent_id not in agents:
        return f"agent {target.agent_id} is not there any more"
    if not agents[target.agent_id]:
        return f"no version of agent {target.agent_id} was published yet"
    if target.version is not None and target.version not in agents[target.agent_id]:
        return f"agent {target.agent_id} has no version {target.version} any more"
    return None


def _passed(by: By, code: StepCode, text: str) -> _Tried:
    return Step(by, code, text), None, None
