"""Definitions are checked whole, and every fault is told by its field."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from tenantry.domain.agent import (
    AgentDefinition,
    Function,
    OpeningHours,
    TurnField,
    TurnFieldType,
    Variable,
    VariableType,
)
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.errors import InvalidInput

GOOD = AgentDefinition(
    name="A",
    variables=(Variable("email", VariableType.EMAIL), Variable("kind", VariableType.CHOICE, choices=("a", "b"))),
    functions=(Function("set_appointment", variables=("email",)),),
    turn_fields=(
        TurnField("mood", TurnFieldType.CHOICE, choices=("good", "bad")),
        TurnField("urgency", TurnFieldType.NUMBER, minimum=0, maximum=10),
        TurnField("topics", TurnFieldType.LIST, choices=("sale", "rent")),
    ),
)
MOOD, URGENCY, _ = GOOD.turn_fields
EMAIL = GOOD.variables[0]
MONDAY = OpeningHours(("mon",), "09:00", "17:00")


def test_a_good_definition_passes() -> None:
    validate_definition(GOOD, ("form-policy",))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "  "}, "name"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"region": "us"}, "region"),
        ({"model": "gpt-9"}, "model"),
        ({"variables": (replace(EMAIL, name="E-Mail"),)}, "variables.0.name"),
        ({"variables": (replace(EMAIL, name="user_id"),)}, "variables.0.name"),
        ({"variables": (EMAIL, EMAIL)}, "variables.1.name"),
        ({"variables": (EMAIL, Variable("kind", VariableType.CHOICE, choices=("a",)))}, "variables.1.choices"),
        ({"variables": (replace(EMAIL, choices=("a", "b")),)}, "variables.0.choices"),
        ({"functions": (Function("Set Appointment"),)}, "functions.0.name"),
        ({"functions": (Function("agent_answer"),)}, "functions.0.name"),
        ({"functions": (Function("a"), Function("a"))}, "functions.1.name"),
        ({"functions": (Function("set_appointment", variables=("nobody",)),)}, "functions.0.variables.0"),
        ({"functions": (Function("a", variables=("email", "email")),)}, "functions.0.variables.1"),
        ({"turn_fields": (replace(MOOD, name="The mood"),)}, "turn_fields.0.name"),
        ({"turn_fields": (replace(MOOD, name="system_response"),)}, "turn_fields.0.name"),
        ({"turn_fields": (replace(MOOD, name="quick_replies"),)}, "turn_fields.0.name"),
        ({"turn_fields": (replace(MOOD, name="variables"),)}, "turn_fields.0.name"),
        ({"turn_fields": (MOOD, MOOD)}, "turn_fields.1.name"),
        ({"turn_fields": (replace(MOOD, choices=("good", "good")),)}, "turn_fields.0.choices"),
        ({"turn_fields": (replace(MOOD, choices=("good", "bad", " ")),)}, "turn_fields.0.choices"),
        ({"turn_fields": (replace(URGENCY, choices=("a", "b")),)}, "turn_fields.0.choices"),
        ({"turn_fields": (replace(URGENCY, minimum=11),)}, "turn_fields.0.minimum"),
        ({"turn_fields": (replace(URGENCY, maximum=float("inf")),)}, "turn_fields.0.maximum"),
        ({"turn_fields": (replace(MOOD, maximum=3),)}, "turn_fields.0.maximum"),
        ({"business_hours": (replace(MONDAY, opens="9"),)}, "business_hours.0.opens"),
        ({"business_hours": (replace(MONDAY, closes="25:00"),)}, "business_hours.0.closes"),
        ({"business_hours": (replace(MONDAY, closes="09:00"),)}, "business_hours.0.closes"),
        ({"business_hours": (replace(MONDAY, days=("mon", "mon")),)}, "business_hours.0.days"),
    ],
)
def test_a_fault_is_told_by_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as told:
        validate_definition(replace(GOOD, **change), ("form-policy",))
    assert field in [error.field for error in told.value.errors]


def test_all_faults_are_told_at_once() -> None:
    broken = replace(GOOD, name="", time_zone="x", region="zz")
    with pytest.raises(InvalidInput) as told:
        validate_definition(broken, ("form-policy",))
    assert {error.field for error in told.value.errors} == {"name", "time_zone", "region"}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"name": "x" * 201},
        {"name": "A", "surprise": 1},
        {"name": "A", "variables": [{"name": "a", "type": "emial"}]},
        {"name": "A", "appointments": {"length_minutes": 1}},
        {"name": "A", "business_hours": [{"days": ["someday"], "opens": "09:00", "closes": "10:00"}]},
    ],
)
def test_types_and_limits_are_checked_on_the_way_in(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AgentDefinition).validate_python(broken)
