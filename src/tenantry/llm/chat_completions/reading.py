"""The values of one answer: those that can be used, and what is wrong with the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.storable import is_storable
from tenantry.domain.values import Known, VariableValue
from tenantry.llm.base import FieldsNoted, ModelEvent, QuickReplies, VariableNoted, VariableRefused
from tenantry.llm.chat_completions.answer_form import QUICK_REPLIES, VARIABLES, Wanted
from tenantry.llm.quick_replies import offered_quick_replies, quick_replies_for
from tenantry.llm.typed_values import WrongValue, field_value, variable_value

MISSING = "is missing"
_LONGEST_NAME = 64
_MOST_UNKNOWN_NAMES = 10


@dataclass(slots=True)
class Reading:
    """`refused` holds what is wrong with variables, `faults` with turn fields, both by name; `unread` says that the
    answer was no JSON, so that nobody knows what it would have held."""

    agent: AgentDefinition
    known: Known
    unread: bool = False
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    faults: dict[str, str] = field(default_factory=dict[str, str])
    quick_replies: tuple[str, ...] = ()

    @classmethod
    def of(cls, agent: AgentDefinition, known: Known, wanted: Wanted, values: Mapping[str, Any] | None) -> "Reading":
        """What `values`, the answer's object or None when it was none, hold of what was wanted."""
        reading = cls(agent, known, unread=values is None)
        reading._read_variables(wanted, values or {})
        reading._read_fields(wanted, values or {})
        reading.quick_replies = offered_quick_replies((values or {}).get(QUICK_REPLIES))
        return reading

    def _read_variables(self, wanted: Wanted, values: Mapping[str, Any]) -> None:
        given = values.get(VARIABLES)
        if given is None or not wanted.variables:
            return
        if not isinstance(given, dict):
            self.refused[VARIABLES] = "is no object"
            return
        named = cast(dict[str, Any], given)
        for variable in wanted.variables:
            raw = named.get(variable.name)
            if raw is None or (isinstance(raw, str) and not raw.strip()):
                continue
            try:
                self.variables[variable.name] = variable_value(variable, raw, self.agent)
            except WrongValue as wrong:
                self.refused[variable.name] = str(wrong)
        unknown = [name for name, raw in named.items() if raw is not None and self.agent.variable(name) is None]
        for name in unknown[:_MOST_UNKNOWN_NAMES]:
            short = name[:_LONGEST_NAME]
            self.refused[short if is_storable(short) else "?"] = "is no variable of this agent"

    def _read_fields(self, wanted: Wanted, values: Mapping[str, Any]) -> None:
        for turn_field in wanted.turn_fields:
            if turn_field.name not in values:
                self.faults[turn_field.name] = MISSING
                continue
            try:
                self.fields[turn_field.name] = field_value(turn_field, values[turn_field.name])
            except WrongValue as wrong:
                self.faults[turn_field.name] = str(wrong)

    def wanted_again(self) -> Wanted | None:
        """What the model is to be asked for once more, or None when nothing is wrong."""
        every = self.unread or VARIABLES in self.refused
        variables = tuple(v for v in self.agent.variables if every or v.name in self.refused)
        turn_fields = tuple(f for f in self.agent.turn_fields if f.name in self.faults)
        return Wanted(variables, turn_fields, spoken=False) if variables or turn_fields else None

    def told_faults(self) -> dict[str, str]:
        """What is wrong, by the name that each value has in the answer, in the words that its model is told."""
        told = {VARIABLES: "could not be read"} if self.unread and self.agent.variables else {}
        for name, fault in self.refused.items():
            told[name if name == VARIABLES else f"{VARIABLES}.{name}"] = fault
        return told | self.faults

    def mend(self, second: "Reading") -> None:
        """Take over what the model put right when it was asked once more. A variable that it then leaves out stays
        refused: it had given a value that cannot be used."""
        if second.unread:
            return
        if VARIABLES not in second.refused:
            self.refused.pop(VARIABLES, None)
        for name, value in second.variables.items():
            self.variables[name] = value
            self.refused.pop(name, None)
        self.refused |= second.refused
        for name, value in second.fields.items():
            self.fields[name] = value
            self.faults.pop(name, None)
        self.faults |= {name: fault for name, fault in second.faults.items() if fault != MISSING}

    def noted(self) -> Iterator[VariableNoted]:
        """The values that were not known before, in the agent's order."""
        for variable in self.agent.variables:
            if variable.name not in self.variables:
                continue
            value = self.variables[variable.name]
            known = self.known.get(variable.name)
            if known is None or known.value != value:
                yield VariableNoted(variable.name, VariableValue(value))

    def unusable(self) -> Iterator[VariableRefused]:
        """The variables whose values cannot be used."""
        for name, fault in self.refused.items():
            yield VariableRefused(name, fault)

    def last_events(self) -> Iterator[ModelEvent]:
        """What an answer that calls no tool ends with, besides the noted values."""
        yield from self.unusable()
        if self.agent.turn_fields:
            yield FieldsNoted(self.fields, self.faults)
        known = {**self.known, **{name: VariableValue(value) for name, value in self.variables.items()}}
        choices = self.quick_replies or quick_replies_for(self.agent, known)
        if choices:
            yield QuickReplies(choices)
