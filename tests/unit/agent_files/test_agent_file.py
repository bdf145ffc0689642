"""Agents written to files and read again."""

import json
import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.agent_files.agent_file import AgentFile, AgentHead, read_agent_files, write_agent_file
from tenantry.domain.agent import AgentDefinition, AppointmentRules, OpeningHours, TurnField, TurnFieldType
from tenantry.domain.errors import InvalidInput
from tenantry.domain.storable import is_storable

MINIMAL = AgentFile(AgentHead(), AgentDefinition(name="Support"))


def _leaves(value: Any) -> Iterator[Any]:
    if is_dataclass(value):
        for field in fields(value):
            yield from _leaves(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _keepable(agent_file: AgentFile) -> bool:
    return all(is_storable(leaf) if isinstance(leaf, str) else leaf == leaf for leaf in _leaves(agent_file))


def _read(text: str, name: str = "agent.yaml") -> AgentFile:
    (read,) = read_agent_files(text, name)
    return read


def _refused(text: str, name: str = "agent.yaml") -> InvalidInput:
    with pytest.raises(InvalidInput) as raised:
        read_agent_files(text, name)
    return raised.value


@settings(max_examples=30, deadline=None)
@given(st.from_type(AgentFile).filter(_keepable))
def test_what_is_written_is_read_again(agent_file: AgentFile) -> None:
    assert _read(write_agent_file(agent_file)) == agent_file


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200))
def test_any_text_stays_what_it_is(text: str) -> None:
    agent_file = AgentFile(AgentHead(), AgentDefinition(name="x", instructions=text, dos=(text,)))
    assert _read(write_agent_file(agent_file)) == agent_file


@pytest.mark.parametrize(
    "text",
    ["09:00", "yes", "No", "on", "off", "2026-11-24", "2026-11-24T15:00:00Z", "1_000", "0b1", "=", "<<", "1:30:00"],
)
def test_what_yaml_1_1_takes_for_something_else_is_text(text: str) -> None:
    assert _read(f"name: {text}").definition.name == text
    written = write_agent_file(AgentFile(AgentHead(), AgentDefinition(name=text)))
    assert f"'{text}'" in written or text == "09:00", "other readers of YAML need the quotes"


@pytest.mark.parametrize("text", ["0o17", "0x1F", "12", "1e3", ".5", "true", "null", "~", ".inf", ".NaN", "007", ""])
def test_what_is_no_text_in_yaml_1_2_is_refused_unless_it_is_in_quotes(text: str) -> None:
    assert "name" in _refused(f"name: {text}").detail
    agent_file = AgentFile(AgentHead(), AgentDefinition(name="x", greeting=text))
    assert _read(write_agent_file(agent_file)) == agent_file


def test_numbers() -> None:
    read = _read(
        "name: x\nappointments: {length_minutes: 0x1E, notice_minutes: 0o17}\n"
        "turn_fields:\n- {name: a, type: number, minimum: -.5, maximum: .inf}\n- {name: b, type: number, maximum: 1e2}"
    )
    assert read.definition.appointments == AppointmentRules(length_minutes=30, notice_minutes=15)
    low, high = read.definition.turn_fields
    assert (low.minimum, low.maximum, high.maximum) == (-0.5, math.inf, 100)


def test_hours_need_no_quotes() -> None:
    read = _read("name: x\nbusiness_hours:\n- days: [mon, fri]\n  opens: 09:00\n  closes: 17:30")
    assert read.definition.business_hours == (OpeningHours(("mon", "fri"), "09:00", "17:30"),)


def test_it_reads_well() -> None:
    agent_file = AgentFile(
        AgentHead(type="support", owner="mark@peterei.example", tags=("desk", "eu")),
        AgentDefinition(
            name="Support",
            personality="Patient, and " + "very " * 30 + "kind.",
            instructions="First this.\nThen that.",
            turn_fields=(TurnField("sentiment", TurnFieldType.CHOICE, choices=("good", "bad")),),
        ),
    )
    assert write_agent_file(agent_file) == (
        "type: support\n"
        "owner: mark@peterei.example\n"
        "tags: [desk, eu]\n"
        "name: Support\n"
        "personality: >-\n"
        f"  Patient, and{18 * ' very'}\n"
        f" {12 * ' very'} kind.\n"
        "instructions: |-\n"
        "  First this.\n"
        "  Then that.\n"
        "turn_fields:\n"
        "- name: sentiment\n"
        "  type: choice\n"
        "  choices: [good, bad]\n"
    )
    assert write_agent_file(MINIMAL) == "name: Support\n"


def test_several_in_one_file() -> None:
    first, second = read_agent_files("---\nname: A\n---\n# nothing\n---\nname: B\n", "two.yaml")
    assert (first.definition.name, second.definition.name) == ("A", "B")
    assert "two.yaml (document 2)" in _refused("name: A\n---\nname: 2", "two.yaml").detail


def test_json() -> None:
    text = json.dumps({"type": "support", "template": True, "name": "A"}, indent="\t")
    assert _read(text, "a.json") == AgentFile(AgentHead("support", template=True), AgentDefinition(name="A"))
    assert [each.definition.name for each in read_agent_files('[{"name": "A"}, {"name": "B"}]', "a.json")] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: A\nname: B", "line 2, column 1: 'name' is there twice; leave one of them out"),
        ("name: A\nappointments: {length_minutes: 5, length_minutes: 6}", "'length_minutes' is there twice"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "line 2: *a is an alias; write the value out"),
        ("&a [*a]", "*a is an alias"),
        ("name: !!python/object/apply:os.system [ls]", "line 1: tag:yaml.org,2002:python/object/apply:os.system is a"),
        ("name: !!str 5", "is a tag; leave it out"),
        ("name: [", "line 2, column 1: did not find expected node content"),
        ("name: a\x07b", "cannot be read"),
        ("1: A", "a name is expected here; put it in quotes"),
        ("? [a]\n: A", "a name is expected here"),
        ("a: " + "[" * 5_000, "nested more than 32 deep"),
        ("x" * 1_000_001, "into several files"),
        ("", "holds no agent"),
        ("# nothing\n---\n", "holds no agent"),
        ("- name: A", "is not an agent"),
        ("just words", "is not an agent"),
    ],
)
def test_what_is_no_agent_file(text: str, told: str) -> None:
    detail = _refused(text).detail
    assert detail.startswith("agent.yaml ")
    assert told in detail


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"name": "A", "name": "B"}', "'name' is there twice"),
        ('{"name": NaN}', "NaN is no JSON"),
        ('{"name": }', "line 1, column 10"),
        ('{"a": ' * 40 + "1" + "}" * 40, "nested more than 32 deep"),
        ("[" * 100_000, "nested more than 32 deep"),
        ("[]", "holds no agent"),
        ("[[]]", "is not an agent"),
        ('{"name": "a\\u0000"}', "name holds a character that cannot be kept"),
        ('{"name": "a", "dos": ["\\ud800"]}', "dos.0 holds a character that cannot be kept"),
    ],
)
def test_what_is_no_json_file(text: str, told: str) -> None:
    assert told in _refused(text, "agent.json").detail


def test_every_field_at_fault_is_told_at_once() -> None:
    error = _refused(
        "owner: [x]\ntemplate: perhaps\nnames: A\nvariables:\n- {name: a, type: emial}\n- {name: 7, type: text}\n"
    )
    assert {each.field: each.message for each in error.errors} == {
        "owner": "is not text; put it in quotes",
        "template": "should be a valid boolean, unable to interpret input",
        "name": "is missing; add it",
        "names": "is no field there is; leave it out or correct its name",
        "variables.0.type": (
            "should be 'text', 'name', 'address', 'email', 'phone', 'number', 'money', 'date', 'time', 'datetime', "
            "'choice' or 'yes_no'"
        ),
        "variables.1.name": "is not text; put it in quotes",
    }
    assert error.detail.startswith("agent.yaml is not valid: owner is not text; put it in quotes; ")
