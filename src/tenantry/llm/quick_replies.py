"""Short answers that the contact may choose from: those that a model offers, and those that the agent's next question
has by itself; pure."""

from typing import cast

from tenantry.domain.agent import AgentDefinition, VariableType
from tenantry.domain.storable import is_storable
from tenantry.domain.values import Known
from tenantry.llm.form_policy.languages import load_language

MOST_QUICK_REPLIES = 4
LONGEST_QUICK_REPLY = 40
_MOST_CHOICES = 9


def offered_quick_replies(value: object) -> tuple[str, ...]:
    """What can be used of a model's quick replies: at most four different texts of at most 40 characters."""
    if not isinstance(value, list):
        return ()
    distinct: dict[str, str] = {}
    for item in cast(list[object], value):
        if isinstance(item, str) and _usable(text := item.strip()):
            distinct.setdefault(text.casefold(), text)
    return tuple(distinct.values())[:MOST_QUICK_REPLIES]


def quick_replies_for(agent: AgentDefinition, known: Known) -> tuple[str, ...]:
    """The answers to the next required variable that is missing, where it has a few: its choices, or yes and no in
    the agent's language."""
    for variable in agent.variables:
        entry = known.get(variable.name)
        if not variable.required or (entry is not None and entry.confirmed):
            continue
        if variable.type is VariableType.CHOICE:
            return variable.choices[:_MOST_CHOICES]
        if variable.type is VariableType.YES_NO:
            phrases = load_language(agent.language).phrases
            return (phrases["yes"][0], phrases["no"][0])
        return ()
    return ()


def _usable(text: str) -> bool:
    return 0 < len(text) <= LONGEST_QUICK_REPLY and is_storable(text)
