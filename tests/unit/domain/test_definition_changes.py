"""What is different is told field by field, on a line each."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tenantry.domain.agent import AgentDefinition, Function, OpeningHours, Variable, VariableType
from tenantry.domain.definition_changes import Change, changes, describe
from tests.unit.domain.definitions import anything, definitions

EMAIL = Variable("email", VariableType.EMAIL, "Your email?")
PHONE = Variable("phone", VariableType.PHONE)
TOWN = Variable("town", VariableType.TEXT)
BASE = AgentDefinition(name="Seller", dos=("Greet.", "Ask."), variables=(EMAIL, PHONE))
BOOK = {"description": "", "variables": [], "enabled": True, "purposes": []}
MONDAY = {"days": ["mon"], "opens": "09:00", "closes": "17:00"}


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ({"personality": "Kind."}, [Change("personality", "changed", "", "Kind.")]),
        ({"model": "m"}, [Change("model", "added", None, "m")]),
        (
            {"dos": ("Ask.", "Smile.")},
            [Change("dos", "removed", "Greet.", None), Change("dos", "added", None, "Smile.")],
        ),
        ({"dos": ("Ask.", "Greet.")}, [Change("dos.$order", "changed", ["Greet.", "Ask."], ["Ask.", "Greet."])]),
        ({"dos": ("Greet.", "Ask.", "Ask.")}, [Change("dos", "added", None, "Ask.")]),
        (
            {"variables": (replace(EMAIL, question="Mail?"), PHONE)},
            [Change("variables.email.question", "changed", "Your email?", "Mail?")],
        ),
        (
            {"variables": (PHONE, EMAIL)},
            [Change("variables.$order", "changed", ["email", "phone"], ["phone", "email"])],
        ),
        ({"functions": (Function("set_appointment"),)}, [Change("functions.set_appointment", "added", None, BOOK)]),
    ],
)
def test_changes(after: dict[str, Any], told: list[Change]) -> None:
    assert list(changes(BASE, replace(BASE, **after))) == told


def test_an_item_that_is_gone_is_no_change_of_order() -> None:
    before = replace(BASE, variables=(EMAIL, PHONE, TOWN))
    told = changes(before, replace(BASE, variables=(EMAIL, TOWN)))
    assert [(each.path, each.kind) for each in told] == [("variables.phone", "removed")]


def test_opening_hours_are_one_value() -> None:
    (told,) = changes(BASE, replace(BASE, business_hours=(OpeningHours(("mon",), "09:00", "17:00"),)))
    assert (told.path, told.kind, told.after) == ("business_hours", "changed", [MONDAY])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (Change("personality", "changed", "Kind.", "Patient."), '~ personality: "Kind." → "Patient."'),
        (Change("dos", "added", None, "Smile."), '+ dos: "Smile."'),
        (Change("variables.phone", "removed", {"type": "phone"}, None), '- variables.phone: {"type": "phone"}'),
        (Change("required", "changed", True, False), "~ required: true → false"),
        (Change("variables.$order", "changed", ["a", "b"], ["b", "a"]), "~ variables.$order: a, b → b, a"),
        (
            Change("instructions", "changed", "a" * 90 + " kind " + "z" * 90, "a" * 90 + " patient " + "z" * 90),
            f'~ instructions: "…{"a" * 19} kind {"z" * 19}…" → "…{"a" * 19} patient {"z" * 19}…"',
        ),
        (Change("greeting", "added", None, "x" * 100), f'+ greeting: "{"x" * 79}…"'),
        (Change("greeting", "added", None, "Un\n\x1b[31m\u202e, été"), '+ greeting: "Un\\n\\u001b[31m\\u202e, été"'),
    ],
)
def test_describe(change: Change, line: str) -> None:
    assert describe(change) == line


@settings(max_examples=30, deadline=None)
@given(definitions() | anything(), definitions() | anything())
def test_there_are_changes_where_there_is_a_difference(before: AgentDefinition, after: AgentDefinition) -> None:
    told = changes(before, after)
    assert (told == ()) == (before == after)
    assert changes(before, before) == ()
    assert all(describe(each).isprintable() for each in told)
    assert all(each.before != each.after for each in told)
