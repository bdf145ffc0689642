"""The JSON that a model is asked to answer with, where the agent collects anything besides what is said.

Only the keywords are used that every provider's strict mode takes; ranges and forms stand in descriptions and are
checked when the answer comes.
"""

import json
from typing import Any

from tenantry.domain.agent import AgentDefinition, TurnField, TurnFieldType, Variable, VariableType
from tenantry.llm.chat_completions.spoken_text import SPOKEN

VARIABLES = "variables"
_NAME = "agent_answer"
_FORMS: dict[VariableType, str] = {
    VariableType.PHONE: "E.164, such as +14155550123",
    VariableType.DATE: "such as 2026-11-24",
    VariableType.TIME: "24 hours, such as 15:00",
    VariableType.DATETIME: "wall time, such as 2026-11-24T15:00",
}
_MONEY = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "currency": {"type": ["string", "null"], "description": "ISO 4217 code, null when none was named"},
    },
    "required": ["amount", "currency"],
    "additionalProperties": False,
}


def wants_form(agent: AgentDefinition) -> bool:
    """Whether the answer is JSON; an agent that collects nothing just speaks."""
    return bool(agent.variables or agent.turn_fields)


def response_format(agent: AgentDefinition) -> dict[str, Any]:
    """The wire's `response_format`."""
    return {"type": "json_schema", "json_schema": {"name": _NAME, "strict": True, "schema": answer_schema(agent)}}


def answer_schema(agent: AgentDefinition) -> dict[str, Any]:
    """The JSON schema of the answer: first what is said, so that it can be said while the rest is written."""
    properties: dict[str, Any] = {SPOKEN: {"type": "string", "description": "What is said to the contact."}}
    if agent.variables:
        properties[VARIABLES] = _object({variable.name: _variable(variable) for variable in agent.variables})
    for turn_field in agent.turn_fields:
        properties[turn_field.name] = _turn_field(turn_field)
    return _object(properties)


def answer_rules(agent: AgentDefinition, *, structured: bool) -> str:
    """The part of the system prompt that explains the answer; without `structured` it has to bring the schema."""
    lines = [
        "# Answer",
        f"Answer with one JSON object and nothing else. `{SPOKEN}` comes first: it is all that the contact hears.",
    ]
    if agent.variables:
        lines.append(f"In `{VARIABLES}` put only what the contact has said, and null for all else; never guess.")
    if not structured:
        lines.append(f"The object's JSON schema: {json.dumps(answer_schema(agent), ensure_ascii=False)}")
    return "\n".join(lines)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    about = "; ".join(filter(None, (variable.description or variable.label, _FORMS.get(variable.type))))
    match variable.type:
        case VariableType.MONEY:
            return {"anyOf": [_MONEY, {"type": "null"}], "description": about}
        case VariableType.CHOICE:
            return {"type": ["string", "null"], "enum": [*variable.choices, None], "description": about}
        case VariableType.NUMBER:
            kind = "number"
        case VariableType.YES_NO:
            kind = "boolean"
        case _:
            kind = "string"
    return {"type": [kind, "null"], "description": about}


def _turn_field(turn_field: TurnField) -> dict[str, Any]:
    about = turn_field.description or turn_field.name.replace("_", " ")
    match turn_field.type:
        case TurnFieldType.TEXT:
            return {"type": "string", "description": about}
        case TurnFieldType.NUMBER:
            bounds = (("at least", turn_field.minimum), ("at most", turn_field.maximum))
            told = (f"{word} {bound:g}" for word, bound in bounds if bound is not None)
            return {"type": "number", "description": "; ".join((about, *told))}
        case TurnFieldType.CHOICE:
            return {"type": "string", "enum": list(turn_field.choices), "description": about}
        case TurnFieldType.YES_NO:
            return {"type": "boolean", "description": about}
        case TurnFieldType.LIST:
            item: dict[str, Any] = {"type": "string"}
            if turn_field.choices:
                item["enum"] = list(turn_field.choices)
            return {"type": "array", "items": item, "description": about}
