"""What a definition must hold to beyond its types; every fault is told at once, by field."""

import math
import re
from collections.abc import Collection, Iterator, Sequence

from tenantry.domain.agent import (
    BUILT_IN_FUNCTIONS,
    MEMORY_FUNCTIONS,
    AgentDefinition,
    Function,
    TurnField,
    TurnFieldType,
    Variable,
    VariableType,
)
from tenantry.domain.closed_days import closed_days_faults
from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.domain.http_call_validation import http_call_faults, mcp_call_faults
from tenantry.domain.opening_hours import hours_faults
from tenantry.domain.wall_time import ZONES

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_RESERVED = frozenset({"user_id", "start", "end", "booking_id", "booking_reference", "time_zone"})
_ANSWER_KEYS = frozenset({"system_response", "variables", "quick_replies"})
_ANSWER_FUNCTION = "agent_answer"
_BOUND = frozenset({"tenant", "conversation_id"})


def validate_definition(definition: AgentDefinition, allowed_models: Collection[str]) -> None:
    """Raises InvalidInput that names every field at fault. `allowed_models` are the tenant's."""
    errors = list(definition_faults(definition))
    if definition.model is not None and definition.model not in allowed_models:
        errors.append(
            FieldError("model", f"is not allowed for this tenant; leave it out or choose: {', '.join(allowed_models)}")
        )
    if errors:
        fields = ", ".join(error.field for error in errors[:5])
        raise InvalidInput(f"The agent's definition is not valid; correct {fields}.", errors=errors)


def definition_faults(definition: AgentDefinition) -> Iterator[FieldError]:
    """Every fault that shows in the definition alone; which models a tenant may use is not looked at."""
    if not definition.name.strip():
        yield FieldError("name", "is empty; give the agent a name")
    if definition.time_zone not in ZONES:
        yield FieldError("time_zone", f"{definition.time_zone!r} is no IANA time zone, such as Europe/London")
    if not re.fullmatch(r"[A-Z]{2}", definition.region):
        yield FieldError("region", f"{definition.region!r} is no two-letter country code, such as US")
    yield from _variable_faults(definition.variables)
    yield from _function_faults(definition)
    yield from _turn_field_faults(definition.turn_fields)
    for index, hours in enumerate(definition.business_hours):
        yield from hours_faults(f"business_hours.{index}", hours)
    yield from closed_days_faults("appointments", definition.appointments)
    if definition.voice.record and not definition.voice.consent.strip():
        yield FieldError("voice.consent", "is empty; say what callers are told before they are recorded")


def _variable_faults(variables: Sequence[Variable]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        at = f"variables.{index}"
        if not _NAME.match(variable.name):
            yield FieldError(f"{at}.name", f"{variable.name!r} is not of lower-case letters, digits and underscores")
        elif variable.name in _RESERVED:
            yield FieldError(
                f"{at}.name", f"{variable.name!r} is an argument of the built-in functions; choose another"
            )
        elif variable.name in seen:
            yield FieldError(f"{at}.name", f"{variable.name!r} is there twice; names are unique in an agent")
        seen.add(variable.name)
        if variable.type is VariableType.CHOICE and len(set(variable.choices)) < 2:
            yield FieldError(f"{at}.choices", "a choice needs at least two different choices")
        if variable.type is not VariableType.CHOICE and variable.choices:
            yield FieldError(f"{at}.choices", f"only a choice has choices; this variable is of type {variable.type}")
        if any(not choice.strip() for choice in variable.choices):
            yield FieldError(f"{at}.choices", "holds an empty choice")


def _function_faults(definition: AgentDefinition) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, function in enumerate(definition.functions):
        at = f"functions.{index}"
        if not _NAME.match(function.name):
            yield FieldError(f"{at}.name", f"{function.name!r} is not of lower-case letters, digits and underscores")
        elif function.name == _ANSWER_FUNCTION:
            yield FieldError(f"{at}.name", f"{function.name!r} is what models answer by; choose another")
        elif function.name in seen:
            yield FieldError(f"{at}.name", f"{function.name!r} is there twice; names are unique in an agent")
        seen.add(function.name)
        for position, name in enumerate(function.variables):
            if definition.variable(name) is None:
                yield FieldError(f"{at}.variables.{position}", f"{name!r} is no variable of this agent")
            elif name in function.variables[:position]:
                yield FieldError(f"{at}.variables.{position}", f"{name!r} is there twice")
        yield from _call_faults(at, definition, function)
        yield from _purpose_faults(at, function)
        if definition.pattern == "shared" and function.name in MEMORY_FUNCTIONS:
            told = "keeps something of a contact, and an agent of the pattern `shared` keeps nothing; choose another"
            yield FieldError(f"{at}.name", f"{function.name!r} {told} pattern or leave it out")


def _call_faults(at: str, definition: AgentDefinition, function: Function) -> Iterator[FieldError]:
    calls = [name for name, call in (("http", function.http), ("mcp", function.mcp)) if call is not None]
    if function.name in BUILT_IN_FUNCTIONS:
        told = f"{function.name} is built in and calls no service; give the function another name"
        yield from (FieldError(f"{at}.{name}", told) for name in calls)
    if len(calls) > 1:
        yield FieldError(f"{at}.mcp", "is there beside http; a function makes one call, leave one of them out")
    if function.http is not None:
        for position, name in enumerate(function.variables):
            if name in _BOUND:
                told = f"{name!r} is what every call tells its service; choose another name"
                yield FieldError(f"{at}.variables.{position}", told)
        handed = [variable for name in function.variables if (variable := definition.variable(name))]
        for field, message in http_call_faults(function.http, handed):
            yield FieldError(f"{at}.http.{field}", message)
    if function.mcp is not None:
        for field, message in mcp_call_faults(function.mcp):
            yield FieldError(f"{at}.mcp.{field}", message)


def _purpose_faults(at: str, function: Function) -> Iterator[FieldError]:
    if function.name != "hand_off" and function.purposes:
        yield FieldError(f"{at}.purposes", "is for hand_off alone")
    if function.name == "hand_off" and not function.purposes:
        yield FieldError(f"{at}.purposes", "is empty; name the purposes that hand_off may hand over to")
    for position, purpose in enumerate(function.purposes):
        if not purpose.strip():
            yield FieldError(f"{at}.purposes.{position}", "is empty")
        elif purpose in function.purposes[:position]:
            yield FieldError(f"{at}.purposes.{position}", f"{purpose!r} is there twice")


def _turn_field_faults(turn_fields: Sequence[TurnField]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, turn_field in enumerate(turn_fields):
        at = f"turn_fields.{index}"
        if not _NAME.match(turn_field.name):
            yield FieldError(f"{at}.name", f"{turn_field.name!r} is not of lower-case letters, digits and underscores")
        elif turn_field.name in _ANSWER_KEYS:
            yield FieldError(f"{at}.name", f"{turn_field.name!r} is a part of every answer; choose another")
        elif turn_field.name in seen:
            yield FieldError(f"{at}.name", f"{turn_field.name!r} is there twice; names are unique in an agent")
        seen.add(turn_field.name)
        yield from _turn_field_choice_faults(at, turn_field)
        yield from _turn_field_range_faults(at, turn_field)


def _turn_field_choice_faults(at: str, turn_field: TurnField) -> Iterator[FieldError]:
    if turn_field.type is TurnFieldType.CHOICE and len(set(turn_field.choices)) < 2:
        yield FieldError(f"{at}.choices", "a choice needs at least two different choices")
    if turn_field.choices and turn_field.type not in {TurnFieldType.CHOICE, TurnFieldType.LIST}:
        yield FieldError(f"{at}.choices", f"only a choice or a list has choices; this one is of type {turn_field.type}")
    if any(not choice.strip() for choice in turn_field.choices):
        yield FieldError(f"{at}.choices", "holds an empty choice")


def _turn_field_range_faults(at: str, turn_field: TurnField) -> Iterator[FieldError]:
    low, high = turn_field.minimum, turn_field.maximum
    for name, bound in (("minimum", low), ("maximum", high)):
        if bound is not None and not math.isfinite(bound):
            yield FieldError(f"{at}.{name}", "is not a finite number")
        elif bound is not None and turn_field.type is not TurnFieldType.NUMBER:
            yield FieldError(f"{at}.{name}", f"only a number has one; this field is of type {turn_field.type}")
    if low is not None and high is not None and low > high:
        yield FieldError(f"{at}.minimum", "is greater than maximum")
