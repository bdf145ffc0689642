"""Arbitrary definitions for property tests, out of few names and texts so that two of them often meet."""

from typing import Any

from hypothesis import strategies as st

from tenantry.domain.agent import (
    AgentDefinition,
    AnswerField,
    AppointmentRules,
    Function,
    Header,
    HttpCall,
    McpCall,
    OpeningHours,
    TurnField,
    TurnFieldType,
    Variable,
    VariableType,
)

NAMES = ("email", "phone", "price", "town")
TEXTS = st.sampled_from(("", "Be kind.", "Be brief.", "Never promise.", "Été\n" + "x" * 90))
_CHOICES = st.sampled_from((("a", "b"), ("b", "a"), ("a", "b", "c")))


def _texts() -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(TEXTS, max_size=4).map(tuple)


def _named(make: Any, names: tuple[str, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Items of different names, in any order."""
    some = st.lists(st.sampled_from(names), unique=True, max_size=len(names))
    return some.flatmap(lambda chosen: st.tuples(*(make(name) for name in chosen)))


def _variable(name: str) -> st.SearchStrategy[Variable]:
    plain = st.builds(
        Variable,
        name=st.just(name),
        type=st.sampled_from((VariableType.TEXT, VariableType.EMAIL)),
        question=TEXTS,
        required=st.booleans(),
    )
    return plain | st.builds(Variable, st.just(name), st.just(VariableType.CHOICE), choices=_CHOICES)


def _turn_field(name: str) -> st.SearchStrategy[TurnField]:
    number = st.builds(
        TurnField,
        st.just(name),
        st.just(TurnFieldType.NUMBER),
        minimum=st.none() | st.integers(0, 4).map(float),
        maximum=st.none() | st.integers(4, 9).map(float),
    )
    return number | st.builds(TurnField, st.just(name), st.just(TurnFieldType.CHOICE), TEXTS, _CHOICES)


def _header(name: str) -> st.SearchStrategy[Header]:
    return st.just(Header(name, "{secret}", "key")) | st.just(Header(name, "plain"))


def _answer_field(name: str) -> st.SearchStrategy[AnswerField]:
    return st.builds(AnswerField, st.just(name), st.sampled_from(("data", "data.price")))


@st.composite
def _function(draw: st.DrawFn, name: str, variables: tuple[Variable, ...]) -> Function:
    used = draw(st.lists(st.sampled_from(variables), unique=True)) if variables else []
    fields: dict[str, Any] = {"variables": tuple(v.name for v in used), "description": draw(TEXTS)}
    if name == "hand_off":
        fields["purposes"] = tuple(draw(st.lists(st.sampled_from(("a", "b", "c")), min_size=1, unique=True)))
    elif name == "look_up":
        places = [v.name for v in used if v.required]
        path = f"/{{{draw(st.sampled_from(places))}}}" if places and draw(st.booleans()) else ""
        # Header names differ by their case, so that two of them can be one too many.
        headers = draw(_named(_header, draw(st.sampled_from((("X-A", "X-B"), ("x-a", "X-B"))))))
        http = HttpCall(f"https://a.example{path}", headers=headers, answer=draw(_named(_answer_field, NAMES)))
        fields |= draw(st.sampled_from(({"http": http}, {"mcp": McpCall("https://b.example", headers=headers)})))
    return Function(name, **fields)


@st.composite
def definitions(draw: st.DrawFn) -> AgentDefinition:
    """Valid definitions."""
    variables = draw(_named(_variable, NAMES))
    names = ("hand_off", "look_up", "set_appointment", "cancel_appointment")
    return AgentDefinition(
        name=draw(st.sampled_from(("A", "B"))),
        personality=draw(TEXTS),
        dos=draw(_texts()),
        donts=draw(_texts()),
        time_zone=draw(st.sampled_from(("UTC", "Europe/London"))),
        business_hours=draw(st.sampled_from(((), (OpeningHours(("mon",), "09:00", "17:00"),)))),
        appointments=AppointmentRules(draw(st.sampled_from((30, 45))), draw(st.sampled_from((0, 15)))),
        variables=variables,
        functions=draw(_named(lambda name: _function(name, variables), names)),
        turn_fields=draw(_named(_turn_field, NAMES[:2])),
        model=draw(st.sampled_from((None, "form-policy"))),
        fallback_models=draw(st.sampled_from(((), ("a", "b")))),
    )


def anything() -> st.SearchStrategy[AgentDefinition]:
    """Definitions that hold to their types alone: names may be there twice, or be no names."""
    names = st.sampled_from(("email", "phone", "$order", "name", "a.b"))
    return st.builds(
        AgentDefinition,
        name=st.just("A"),
        dos=_texts(),
        variables=st.lists(st.builds(Variable, names, st.just(VariableType.TEXT), TEXTS), max_size=3).map(tuple),
        functions=st.lists(
            st.builds(Function, names, variables=st.lists(names, max_size=2).map(tuple)), max_size=3
        ).map(tuple),
    )
