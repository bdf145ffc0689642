"""The JSON schemas of what functions take: their variables and the owner."""

from collections.abc import Mapping
from typing import Any

from tenantry.domain.agent import Agent, AgentDefinition, Function, Variable, VariableType
from tenantry.domain.tools import ToolSpec

_TEXT: dict[str, Any] = {"type": "string", "maxLength": 2000}
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_DATE_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$"

# The JSON forms that domain.agent.VariableType promises.
_FORMS: dict[VariableType, dict[str, Any]] = {
    VariableType.TEXT: _TEXT,
    VariableType.NAME: {"type": "string", "maxLength": 200},
    VariableType.ADDRESS: {"type": "string", "maxLength": 500},
    VariableType.EMAIL: {"type": "string", "format": "email", "maxLength": 320},
    VariableType.PHONE: {"type": "string", "description": "E.164, such as +14155550123", "maxLength": 32},
    VariableType.NUMBER: {"type": "number"},
    VariableType.MONEY: {
        "type": "object",
        "properties": {
            "amount": {"type": "number"},
            "currency": {"type": ["string", "null"], "description": "ISO 4217 code or null", "pattern": "^[A-Z]{3}$"},
        },
        "required": ["amount", "currency"],
        "additionalProperties": False,
    },
    VariableType.DATE: {"type": "string", "pattern": _DATE},
    VariableType.TIME: {"type": "string", "pattern": _TIME},
    VariableType.DATETIME: {"type": "string", "pattern": _DATE_TIME},
    VariableType.CHOICE: {"type": "string"},
    VariableType.YES_NO: {"type": "boolean"},
}


def function_spec(
    agent: Agent,
    function: Function,
    description: str,
    own: Mapping[str, Any],
    required: tuple[str, ...] = (),
    *,
    collects: bool = False,
) -> ToolSpec:
    """A tool that takes user_id, its `own` properties and the function's variables. With `collects` it cannot do
    without those variables that the agent requires."""
    variables = _variables(agent.definition, function)
    user_id = {
        "type": "string",
        "default": agent.user_id,
        "description": f"Always {agent.user_id}; any other is refused.",
    }
    needed = [variable.name for variable in variables if variable.required and collects]
    return ToolSpec(
        name=function.name,
        description=function.description or description,
        parameters={
            "type": "object",
            "properties": {**{v.name: _form(v) for v in variables}, "user_id": user_id, **own},
            "required": [*required, *needed],
            "additionalProperties": False,
        },
    )


def variables_from(agent: AgentDefinition, function_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are the function's variables."""
    function = next(f for f in agent.enabled_functions() if f.name == function_name)
    names = (variable.name for variable in _variables(agent, function))
    return {name: arguments[name] for name in names if name in arguments}


def _variables(agent: AgentDefinition, function: Function) -> list[Variable]:
    return [variable for name in function.variables if (variable := agent.variable(name))]


def _form(variable: Variable) -> dict[str, Any]:
    form = dict(_FORMS[variable.type])
    if variable.type is VariableType.CHOICE:
        form["enum"] = list(variable.choices)
    says = [variable.description or variable.label, form.get("description", "")]
    form["description"] = "; ".join(filter(None, says))
    return form
