"""The turn fields that can be told without a model; pure."""

from collections.abc import Iterator
from typing import Any

from tenantry.domain.agent import TurnField, TurnFieldType
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import read_message
from tenantry.llm.form_policy.readers.choices import mentioned_choices
from tenantry.llm.form_policy.turn import Turn

# Fields of these names say what the policy knows by itself.
COMPLETION = "completion_percentage"
ESCALATION = "escalation_needed"


def fields_of(turn: Turn) -> dict[str, Any]:
    """The values by name, in the JSON form of their types: choices that the contact's message names, how much of what
    is required is known and confirmed, and whether a person was asked for. All others are left out."""
    if not turn.agent.turn_fields:
        return {}
    content = next((m.content for m in reversed(turn.request.messages) if m.role == "user"), "")
    message = read_message(content, turn.language)
    named = ((field.name, _value(turn, field, message.original)) for field in turn.agent.turn_fields)
    return {name: value for name, value in named if value is not None}


def _value(turn: Turn, field: TurnField, said: str) -> Any:
    match field.type:
        case TurnFieldType.CHOICE:
            named = list(_named(field, said))
            return named[0] if len(named) == 1 else None
        case TurnFieldType.LIST:
            return list(_named(field, said)) or None
        case TurnFieldType.NUMBER if field.name == COMPLETION:
            return _completion(turn, field)
        case TurnFieldType.YES_NO if field.name == ESCALATION:
            return Intent.PERSON in turn.language.intents(said)
        case _:
            return None


def _named(field: TurnField, said: str) -> Iterator[str]:
    """The field's choices that were named, in the order in which they were."""
    spoken = {choice.replace("_", " "): choice for choice in field.choices}
    for name, _, _ in sorted(mentioned_choices(said, tuple(spoken)), key=lambda hit: hit[1]):
        yield spoken[name]


def _completion(turn: Turn, field: TurnField) -> float | int | None:
    """The share of the required variables that are known and confirmed, in percent, inside the field's range."""
    required = [variable.name for variable in turn.agent.variables if variable.required]
    if not required:
        return None
    confirmed = sum(name in turn.known and turn.known[name].confirmed for name in required)
    percent = round(100 * confirmed / len(required))
    low = percent if field.minimum is None else max(percent, field.minimum)
    return low if field.maximum is None else min(low, field.maximum)
