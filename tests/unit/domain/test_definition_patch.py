"""A patch addresses items by name, and brings one definition to another."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tenantry.domain.agent import (
    AgentDefinition,
    AnswerField,
    AppointmentRules,
    Function,
    HttpCall,
    OpeningHours,
    Variable,
    VariableType,
)
from tenantry.domain.definition_patch import patched
from tenantry.domain.definition_tree import definition_of, tree_of
from tenantry.domain.errors import InvalidInput
from tests.unit.domain.definitions import anything, definitions

EMAIL = Variable("email", VariableType.EMAIL, "Your email?")
PHONE = Variable("phone", VariableType.PHONE)
TOWN = Variable("town", VariableType.TEXT)
URL = "https://a.example"
LOOK_UP = Function("look_up", http=HttpCall(URL))
BASE = AgentDefinition(
    name="Seller", personality="Kind.", dos=("Greet.",), model="m", variables=(EMAIL, PHONE), functions=(LOOK_UP,)
)


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ({}, BASE),
        ({"personality": "Funny.", "model": None}, replace(BASE, personality="Funny.", model=None)),
        ({"personality": None}, replace(BASE, personality="")),
        ({"dos": ["Ask."]}, replace(BASE, dos=("Ask.",))),
        ({"appointments": {"length_minutes": 45}}, replace(BASE, appointments=AppointmentRules(45))),
        (
            {"variables": {"email": {"question": "Mail?"}}},
            replace(BASE, variables=(replace(EMAIL, question="Mail?"), PHONE)),
        ),
        ({"variables": {"email": None}}, replace(BASE, variables=(PHONE,))),
        ({"variables": {"town": {"type": "text"}}}, replace(BASE, variables=(EMAIL, PHONE, TOWN))),
        ({"variables": {"$order": ["phone"]}}, replace(BASE, variables=(PHONE, EMAIL))),
        (
            {"variables": {"town": {"type": "text"}, "$order": ["email", "gone", "town"]}},
            replace(BASE, variables=(EMAIL, TOWN, PHONE)),
        ),
        ({"variables": [{"name": "town", "type": "text"}]}, replace(BASE, variables=(TOWN,))),
        (
            {"functions": {"look_up": {"http": {"answer": {"price": {"path": "data"}}}}}},
            replace(BASE, functions=(Function("look_up", http=HttpCall(URL, answer=(AnswerField("price", "data"),))),)),
        ),
    ],
)
def test_patched(patch: dict[str, Any], after: AgentDefinition) -> None:
    assert patched(BASE, patch) == after


def test_every_field_at_fault_is_named() -> None:
    patch = {
        "name": None,
        "personality": 7,
        "dos": ["x" * 1001],
        "nonsense": 1,
        "appointments": {"length_minutes": 1},
        "variables": {"email": {"questoin": "?"}, "town": {"question": "Where?"}, "phone": 3},
        "functions": {"look_up": {"name": "find", "http": {"headers": {"X-A": {"value": 1}}}}},
        "turn_fields": {"$order": "mood"},
    }
    with pytest.raises(InvalidInput) as raised:
        patched(BASE, patch)
    assert {error.field for error in raised.value.errors} == {
        "name",
        "personality",
        "dos.0",
        "nonsense",
        "appointments.length_minutes",
        "variables.email.questoin",
        "variables.town.type",
        "variables.phone",
        "functions.look_up.name",
        "functions.look_up.http.headers.X-A.value",
        "turn_fields.$order",
    }


def test_the_tree_of_a_definition_is_that_of_its_json() -> None:
    hours = replace(BASE, business_hours=(OpeningHours(("mon",), "09:00", "17:00"),))
    assert definition_of(json.loads(json.dumps(tree_of(hours)))) == hours


@settings(max_examples=40, deadline=None)
@given(definitions() | anything(), definitions() | anything())
def test_a_patch_with_all_of_another_definition_brings_one_to_it(
    before: AgentDefinition, after: AgentDefinition
) -> None:
    gone = dict.fromkeys(tree_of(before))
    assert patched(patched(before, {**gone, "name": after.name}), tree_of(after)) == after
