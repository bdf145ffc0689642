"""Values from a model are brought into the JSON form of their type, or refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.domain.agent import AgentDefinition, TurnField, TurnFieldType, Variable, VariableType
from tenantry.llm.typed_values import WrongValue, field_value, variable_value

AGENT = AgentDefinition(name="A", region="US", time_zone="America/New_York")
CHOICES = ("House", "Flat")


def variable(kind: str) -> Variable:
    return Variable("v", VariableType(kind), choices=CHOICES if kind == "choice" else ())


def turn_field(kind: str, **more: Any) -> TurnField:
    return TurnField("f", TurnFieldType(kind), **more)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("text", " a b ", "a b"),
        ("name", "Mark", "Mark"),
        ("address", "1 Main St", "1 Main St"),
        ("email", "Mark@Example.COM", "mark@example.com"),
        ("phone", "(415) 555-0123", "+14155550123"),
        ("phone", "+44 20 7946 0958", "+442079460958"),
        ("number", 3.0, 3),
        ("number", 3.5, 3.5),
        ("money", {"amount": 5, "currency": "eur"}, {"amount": 5, "currency": "EUR"}),
        ("money", {"amount": 5, "currency": None}, {"amount": 5, "currency": "USD"}),
        ("money", 5, {"amount": 5, "currency": "USD"}),
        ("date", "2026-11-24", "2026-11-24"),
        ("time", "9:05", "09:05"),
        ("time", "15:00:00", "15:00"),
        ("datetime", "2026-11-24 15:00", "2026-11-24T15:00"),
        ("datetime", "2026-11-24T15:00:00Z", "2026-11-24T10:00"),
        ("choice", "house", "House"),
        ("yes_no", False, False),
    ],
)
def test_a_value_of_its_type_is_normal(kind: str, raw: object, value: object) -> None:
    found = variable_value(variable(kind), raw, AGENT)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("text", ""),
        ("text", 5),
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("text", "x" * 2001),
        ("name", "x" * 201),
        ("email", "mark at example"),
        ("phone", "12345"),
        ("phone", "call +14155550123"),
        ("number", "5"),
        ("number", True),
        ("number", float("nan")),
        ("number", 10**400),
        ("money", {"amount": "5", "currency": "USD"}),
        ("money", {"amount": 5, "currency": "dollars"}),
        ("money", {}),
        ("date", "24/11/2026"),
        ("date", "2026-02-30"),
        ("time", "25:00"),
        ("time", "3pm"),
        ("datetime", "2026-11-24"),
        ("datetime", "0001-01-01T00:00+12:00"),
        ("choice", "boat"),
        ("choice", ["House"]),
        ("yes_no", "yes"),
    ],
)
def test_another_is_refused(kind: str, raw: object) -> None:
    with pytest.raises(WrongValue):
        variable_value(variable(kind), raw, AGENT)


@pytest.mark.parametrize(
    ("asked", "raw", "value"),
    [
        (turn_field("text"), "x", "x"),
        (turn_field("number", minimum=0, maximum=1), 1, 1),
        (turn_field("choice", choices=CHOICES), "flat", "Flat"),
        (turn_field("yes_no"), True, True),
        (turn_field("list"), ["a", "b"], ["a", "b"]),
        (turn_field("list", choices=CHOICES), ["flat"], ["Flat"]),
        (turn_field("list"), [], []),
    ],
)
def test_a_turn_field_of_its_type(asked: TurnField, raw: object, value: object) -> None:
    assert field_value(asked, raw) == value


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        (turn_field("text"), None),
        (turn_field("number", minimum=0), -1),
        (turn_field("number", maximum=1), 1.5),
        (turn_field("choice", choices=CHOICES), "boat"),
        (turn_field("yes_no"), 1),
        (turn_field("list"), "a"),
        (turn_field("list"), ["a"] * 101),
        (turn_field("list", choices=CHOICES), ["boat"]),
    ],
)
def test_a_wrong_turn_field_is_refused(asked: TurnField, raw: object) -> None:
    with pytest.raises(WrongValue):
        field_value(asked, raw)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["amount", "currency"]), inner),
    max_leaves=5,
)


@given(st.sampled_from(VariableType), ANYTHING)
def test_whatever_comes_is_a_value_or_refused(kind: VariableType, raw: object) -> None:
    try:
        value = variable_value(variable(kind), raw, AGENT)
    except WrongValue:
        return
    assert variable_value(variable(kind), value, AGENT) == value
