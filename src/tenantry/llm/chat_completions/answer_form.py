"""The JSON that a model is asked to answer with, where the agent collects anything besides what is said.

Only the keywords are used that every provider's strict mode takes; ranges and forms stand in descriptions and are
checked when the answer comes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import AgentDefinition, TurnField, TurnFieldType, Variable, VariableType
from tenantry.llm.chat_completions.endpoint import AnswerMode
from tenantry.llm.chat_completions.spoken_text import SPOKEN
from tenantry.llm.quick_replies import LONGEST_QUICK_REPLY, MOST_QUICK_REPLIES

VARIABLES = "variables"
QUICK_REPLIES = "quick_replies"
ANSWER_TOOL = "agent_answer"
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


_QUICK_REPLIES = {
    "type": "array",
    "items": {"type": "string"},
    "description": f"Up to {MOST_QUICK_REPLIES} short answers, of at most {LONGEST_QUICK_REPLY} characters, that the "
    "contact may choose from to reply; empty where none fit.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of an answer is asked for: these of the agent's variables and turn fields; `spoken` for what is said and
    the quick replies."""

    variables: tuple[Variable, ...]
    turn_fields: tuple[TurnField, ...]
    spoken: bool = True

    @classmethod
    def whole(cls, agent: AgentDefinition) -> "Wanted":
        """The whole answer of an agent."""
        return cls(agent.variables, agent.turn_fields)


def wants_form(agent: AgentDefinition) -> bool:
    """Whether the answer is JSON; an agent that collects nothing just speaks."""
    return bool(agent.variables or agent.turn_fields)


def response_format(wanted: Wanted) -> dict[str, Any]:
    """The wire's `response_format`."""
    schema = answer_schema(wanted)
    return {"type": "json_schema", "json_schema": {"name": ANSWER_TOOL, "strict": True, "schema": schema}}


def answer_tool(wanted: Wanted) -> dict[str, Any]:
    """The function that a model answers by where there is no `response_format`, as the wire wants it."""
    told = "Gives the answer to the contact." if wanted.spoken else "Gives the values that are asked for again."
    function = {"name": ANSWER_TOOL, "description": told, "parameters": answer_schema(wanted)}
    return {"type": "function", "function": function}


def answer_schema(wanted: Wanted) -> dict[str, Any]:
    """The JSON schema of the answer: first what is said, so that it can be said while the rest is written."""
    properties: dict[str, Any] = {}
    if wanted.spoken:
        properties[SPOKEN] = {"type": "string", "description": "What is said to the contact."}
    if wanted.variables:
        properties[VARIABLES] = _object({variable.name: _variable(variable) for variable in wanted.variables})
    for turn_field in wanted.turn_fields:
        properties[turn_field.name] = _turn_field(turn_field)
    if wanted.spoken:
        properties[QUICK_REPLIES] = _QUICK_REPLIES
    return _object(properties)


def answer_rules(agent: AgentDefinition, mode: AnswerMode) -> str:
    """The part of the system prompt that explains the answer; where only the prompt asks for it, it brings the
    schema."""
    if mode == "tool":
        how = f"Speak to the contact only by calling the function `{ANSWER_TOOL}`, with nothing beside it."
    else:
        how = "Answer with one JSON object and nothing else."
    lines = ["# Answer", f"{how} `{SPOKEN}` comes first: it is all that the contact hears."]
    if agent.variables:
        lines.append(f"In `{VARIABLES}` put only what the contact has said, and null for all else; never guess.")
    if mode == "prompt":
        lines.append(f"The object's JSON schema: {_json(answer_schema(Wanted.whole(agent)))}")
    return "\n".join(lines)


def asking_again(wanted: Wanted, faults: Mapping[str, str], mode: AnswerMode) -> str:
    """The message that asks once more for values that were wrong or missing; `faults` says by name what is wrong."""
    how = f"Call the function `{ANSWER_TOOL}`" if mode == "tool" else "Answer with one JSON object and nothing else"
    lines = [
        "(Not from the contact, who has heard your answer already: these of its values cannot be used.",
        *(f"- {name}: {fault}" for name, fault in faults.items()),
        f"{how}: only these values, put right; a variable that the contact has not given is null.)",
    ]
    if mode == "prompt":
        lines.append(f"The object's JSON schema: {_json(answer_schema(wanted))}")
    return "\n".join(lines)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


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
