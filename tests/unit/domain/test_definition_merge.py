"""Theirs comes in field by field, mine stays, and what cannot be both is a conflict."""

from dataclasses import replace

from hypothesis import given, settings

from tenantry.domain.agent import (
    AgentDefinition,
    AppointmentRules,
    Function,
    HttpCall,
    TurnField,
    TurnFieldType,
    Variable,
    VariableType,
)
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.definition_changes import changes
from tenantry.domain.definition_merge import Conflict, Merged, merge
from tenantry.domain.definition_tree import definition_of, tree_of
from tests.unit.domain.definitions import anything, definitions

EMAIL = Variable("email", VariableType.EMAIL, "Your email?")
PHONE = Variable("phone", VariableType.PHONE, "Your phone?")
TOWN = Variable("town", VariableType.TEXT, "Which town?")
BOOK = Function("set_appointment", variables=("email",))
BASE = AgentDefinition(
    name="Seller",
    personality="Kind.",
    dos=("Greet.", "Ask."),
    variables=(EMAIL, PHONE),
    functions=(BOOK,),
)
MODELS = ("form-policy",)


def test_what_each_changed_is_in_the_merged_one() -> None:
    mine = replace(BASE, personality="Funny.", variables=(replace(EMAIL, question="Mail?"), PHONE))
    theirs = replace(BASE, tonality="Warm.", variables=(replace(EMAIL, required=False), PHONE))
    merged = merge(BASE, mine, theirs)
    assert merged.definition == replace(
        BASE,
        personality="Funny.",
        tonality="Warm.",
        variables=(replace(EMAIL, question="Mail?", required=False), PHONE),
    )
    assert [change.path for change in merged.taken] == ["tonality", "variables.email.required"]
    assert [change.path for change in merged.kept] == ["personality", "variables.email.question"]
    assert merged.conflicts == ()


def test_both_changed_a_field_differently() -> None:
    mine = replace(BASE, personality="Funny.", appointments=AppointmentRules(45))
    theirs = replace(BASE, personality="Strict.", appointments=AppointmentRules(60))
    merged = merge(BASE, mine, theirs)
    assert merged.definition == mine
    assert merged.conflicts == (
        Conflict("personality", "Kind.", "Funny.", "Strict."),
        Conflict("appointments.length_minutes", 30, 45, 60),
    )
    taken = merge(BASE, mine, theirs, take=("appointments",))
    assert taken.definition == replace(mine, appointments=AppointmentRules(60))
    assert [conflict.path for conflict in taken.conflicts] == ["personality"]
    assert [change.path for change in taken.kept] == ["personality"]


def test_texts_that_each_added_are_both_there_and_removed_ones_stay_removed() -> None:
    mine = replace(BASE, dos=("Ask.", "Smile."))
    theirs = replace(BASE, dos=("Greet.", "Listen.", "Ask."))
    merged = merge(BASE, mine, theirs)
    assert (merged.definition.dos, merged.conflicts) == (("Listen.", "Ask.", "Smile."), ())


def test_new_items_come_after_their_neighbour() -> None:
    mine = replace(BASE, variables=(PHONE, EMAIL))
    theirs = replace(BASE, variables=(EMAIL, TOWN, PHONE))
    assert [v.name for v in merge(BASE, mine, theirs).definition.variables] == ["phone", "email", "town"]


def test_the_order_of_theirs_is_taken_where_mine_has_that_of_the_base() -> None:
    mine = replace(BASE, variables=(EMAIL, TOWN, PHONE))
    theirs = replace(BASE, variables=(PHONE, EMAIL))
    assert [v.name for v in merge(BASE, mine, theirs).definition.variables] == ["phone", "email", "town"]


def test_removed_here_and_changed_there_is_a_conflict() -> None:
    mine = replace(BASE, variables=(EMAIL,))
    theirs = replace(BASE, variables=(EMAIL, replace(PHONE, question="Mobile?")))
    merged = merge(BASE, mine, theirs)
    assert merged.definition == mine
    assert [(c.path, c.mine) for c in merged.conflicts] == [("variables.phone", None)]
    assert merge(BASE, mine, theirs, take=("variables.phone",)).definition == theirs


USES_PHONE = Function("call_back", variables=("email", "phone"), http=HttpCall("https://a.example/call"))


def test_a_variable_that_they_removed_stays_while_mine_uses_it() -> None:
    mine = replace(BASE, functions=(BOOK, USES_PHONE))
    theirs = replace(BASE, variables=(EMAIL,), tonality="Warm.")
    merged = merge(BASE, mine, theirs)
    assert merged.definition == replace(mine, tonality="Warm.")
    assert [(c.path, c.theirs) for c in merged.conflicts] == [("variables.phone", None)]


def test_only_the_variable_that_mine_uses_is_a_conflict_not_the_function() -> None:
    mine = replace(BASE, functions=(replace(BOOK, variables=("email", "phone")),))
    theirs = replace(BASE, variables=(EMAIL,), functions=(replace(BOOK, description="Book it."),))
    merged = merge(BASE, mine, theirs)
    assert [c.path for c in merged.conflicts] == ["variables.phone"]
    assert merged.definition.functions == (replace(mine.functions[0], description="Book it."),)


def test_a_variable_stays_required_while_the_address_of_mine_needs_it() -> None:
    mine = replace(BASE, functions=(replace(USES_PHONE, http=HttpCall("https://a.example/{phone}")),))
    theirs = replace(BASE, variables=(replace(EMAIL, required=False), replace(PHONE, required=False)))
    merged = merge(BASE, mine, theirs)
    assert [c.path for c in merged.conflicts] == ["variables.phone"]
    assert merged.definition == replace(mine, variables=(replace(EMAIL, required=False), PHONE))


def test_a_function_does_without_a_variable_whose_removal_is_taken() -> None:
    mine = replace(BASE, functions=(BOOK, USES_PHONE))
    theirs = replace(BASE, variables=(EMAIL,))
    taken = merge(BASE, mine, theirs, take=("variables.phone",))
    assert taken.definition == replace(
        mine, variables=(EMAIL,), functions=(BOOK, replace(USES_PHONE, variables=("email",)))
    )
    assert [(c.path, c.kind) for c in taken.taken] == [
        ("variables.phone", "removed"),
        ("functions.call_back.variables", "removed"),
    ]


def test_a_function_of_theirs_is_a_conflict_while_it_needs_a_variable_that_mine_removed() -> None:
    mine = replace(BASE, variables=(EMAIL,))
    theirs = replace(BASE, functions=(BOOK, USES_PHONE), tonality="Warm.")
    merged = merge(BASE, mine, theirs)
    assert merged.definition == replace(mine, tonality="Warm.")
    assert [c.path for c in merged.conflicts] == ["functions.call_back"]
    taken = merge(BASE, mine, theirs, take=("functions.call_back",))
    assert (taken.definition, taken.conflicts) == (theirs, ())


def test_fields_that_do_not_go_together_are_a_conflict() -> None:
    score = TurnField("score", TurnFieldType.NUMBER, minimum=0, maximum=9)
    base = replace(BASE, turn_fields=(score,))
    mine = replace(BASE, turn_fields=(replace(score, minimum=8),))
    theirs = replace(BASE, turn_fields=(replace(score, maximum=5, description="How good"),))
    merged = merge(base, mine, theirs)
    assert merged.definition == mine
    assert [c.path for c in merged.conflicts] == ["turn_fields.score"]
    assert merge(base, mine, theirs, take=("turn_fields.score",)).definition == theirs


def test_more_than_a_list_may_hold_is_a_conflict() -> None:
    mine = replace(BASE, donts=tuple(f"a{n}" for n in range(60)))
    theirs = replace(BASE, donts=tuple(f"b{n}" for n in range(60)), tonality="Warm.")
    merged = merge(BASE, mine, theirs)
    assert merged.definition == replace(mine, tonality="Warm.")
    assert [c.path for c in merged.conflicts] == ["donts"]


@settings(max_examples=25, deadline=None)
@given(definitions(), definitions(), definitions())
def test_three_valid_ones_make_a_valid_one(
    base: AgentDefinition, mine: AgentDefinition, theirs: AgentDefinition
) -> None:
    merged = merge(base, mine, theirs)
    _check(merged, mine, theirs)
    validate_definition(merged.definition, MODELS)
    some = merge(base, mine, theirs, take=[c.path for c in merged.conflicts[::2]])
    validate_definition(some.definition, MODELS)
    everything = merge(base, mine, theirs, take=[c.path for c in merged.conflicts])
    validate_definition(everything.definition, MODELS)
    assert everything.conflicts == ()


@settings(max_examples=25, deadline=None)
@given(anything(), anything(), anything())
def test_any_three_make_one_that_can_be_read(
    base: AgentDefinition, mine: AgentDefinition, theirs: AgentDefinition
) -> None:
    merged = merge(base, mine, theirs)
    _check(merged, mine, theirs)
    assert merge(base, mine, theirs, take=[c.path for c in merged.conflicts]).conflicts == ()


def _check(merged: Merged, mine: AgentDefinition, theirs: AgentDefinition) -> None:
    assert definition_of(tree_of(merged.definition)) == merged.definition
    assert merged.taken == changes(mine, merged.definition)
    again = merge(theirs, merged.definition, theirs)
    assert (again.definition, again.taken, again.conflicts) == (merged.definition, (), ())


@settings(max_examples=25, deadline=None)
@given(definitions() | anything(), definitions() | anything())
def test_where_one_side_is_the_base_the_other_is_the_result(one: AgentDefinition, other: AgentDefinition) -> None:
    assert merge(one, one, other) == Merged(other, changes(one, other), (), ())
    assert merge(one, other, one) == Merged(other, (), changes(one, other), ())
    assert merge(one, other, other) == Merged(other, (), changes(one, other), ())


MINE = ("personality", "dos", "appointments", "variables")
THEIRS = ("name", "donts", "time_zone", "business_hours", "model", "turn_fields")


@settings(max_examples=15, deadline=None)
@given(definitions(), definitions(), definitions())
def test_changes_of_different_fields_are_all_there(
    base: AgentDefinition, one: AgentDefinition, two: AgentDefinition
) -> None:
    base, one, two = (replace(each, functions=()) for each in (base, one, two))
    mine = replace(base, **{field: getattr(one, field) for field in MINE})
    theirs = replace(base, **{field: getattr(two, field) for field in THEIRS})
    merged = merge(base, mine, theirs)
    assert merged.definition == replace(mine, **{field: getattr(two, field) for field in THEIRS})
    assert (merged.taken, merged.kept, merged.conflicts) == (changes(base, theirs), changes(base, mine), ())


def test_as_many_items_as_there_may_be_take_another_order() -> None:
    many = tuple(replace(TOWN, name=f"v{n}") for n in range(100))
    base = replace(BASE, variables=many, functions=())
    theirs = replace(base, variables=many[::-1])
    mine = replace(base, variables=tuple(replace(each, question="?") for each in many))
    assert merge(base, mine, theirs).definition.variables == mine.variables[::-1]
