"""Short answers to choose from: the agent's next question brings them by itself."""

import pytest

from tenantry.domain.agent import AgentDefinition, Variable, VariableType
from tenantry.domain.values import VariableValue
from tenantry.llm.quick_replies import quick_replies_for

KIND = Variable("kind", VariableType.CHOICE, choices=("house", "flat"))
SURE = Variable("sure", VariableType.YES_NO)
EMAIL = Variable("email", VariableType.EMAIL)
COLOUR = Variable("colour", VariableType.CHOICE, choices=("red", "blue"), required=False)


@pytest.mark.parametrize(
    ("variables", "known", "offered"),
    [
        ((KIND, SURE), {}, ("house", "flat")),
        ((KIND, SURE), {"kind": VariableValue("flat")}, ("Yes", "No")),
        ((KIND, SURE), {"kind": VariableValue("flat", confirmed=False)}, ("house", "flat")),
        ((EMAIL, KIND), {}, ()),
        ((COLOUR, SURE), {}, ("Yes", "No")),
        ((COLOUR,), {}, ()),
        ((), {}, ()),
        ((KIND,), {"kind": VariableValue("flat")}, ()),
    ],
)
def test_the_next_missing_variable_has_its_answers(
    variables: tuple[Variable, ...], known: dict[str, VariableValue], offered: tuple[str, ...]
) -> None:
    assert quick_replies_for(AgentDefinition(name="A", variables=variables), known) == offered


def test_they_are_few() -> None:
    many = Variable("kind", VariableType.CHOICE, choices=tuple(f"{n}" for n in range(50)))
    assert len(quick_replies_for(AgentDefinition(name="A", variables=(many,)), {})) == 9
