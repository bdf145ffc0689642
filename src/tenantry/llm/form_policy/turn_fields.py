"""The turn fields that can be told without a model; pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import TurnField, TurnFieldType
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import one_line
from tenantry.llm.form_policy.progress import (
    declined,
    next_step,
    percent_confirmed,
    share_answered,
    share_known,
    stage,
)
from tenantry.llm.form_policy.readers.choices import mentioned_choices
from tenantry.llm.form_policy.turn import Turn

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|,? but ")
_MAX_MESSAGES = 20
_MAX_ITEMS = 10
_LONGEST_QUOTE = 300
_Tell = Callable[[Turn, TurnField, "_Said"], Any]
_PUZZLED = frozenset({Intent.PARDON})
_ASKING_BACK = frozenset({Intent.HELP, Intent.WHY, Intent.QUESTION})


@dataclass(frozen=True, slots=True)
class _Said:
    """What the contact said: all messages on one line each, the newest last, and the intents of that one."""

    messages: tuple[str, ...]
    intents: frozenset[Intent]

    @property
    def last(self) -> str:
        return self.messages[-1]


def fields_of(turn: Turn) -> dict[str, Any]:
    """The values by name, in the JSON form of their types. A field of the name of a variable has its value; a choice or
    list has what the contact's message names; further names that mean the same everywhere, such as
    `completion_percentage`, `issue_resolved` or `sales_stage`, say how the conversation stands. What cannot be told is
    left out."""
    if not turn.agent.turn_fields:
        return {}
    contents = [message.content for message in turn.request.messages if message.role == "user"][-_MAX_MESSAGES:] or [""]
    messages = tuple(one_line(content) for content in contents)
    said = _Said(messages, turn.language.intents(messages[-1]))
    named = ((field.name, _value(turn, field, said)) for field in turn.agent.turn_fields)
    return {name: value for name, value in named if value is not None}


def _value(turn: Turn, field: TurnField, said: _Said) -> Any:
    noted = turn.known.get(field.name)
    if noted is not None and (value := _as_field(field, noted.value)) is not None:
        return value
    by_name = _BY_NAME[field.type]
    if tell := by_name.get(field.name) or by_name.get(field.name.rpartition("_")[2]):
        return tell(turn, field, said)
    named = list(_named(field, said.last))
    match field.type:
        case TurnFieldType.CHOICE:
            return named[0] if len(named) == 1 else None
        case TurnFieldType.LIST:
            return named or ([] if turn.agent.variable(field.name) else None)
        case _:
            return None


def _as_field(field: TurnField, value: Any) -> Any:
    """A variable's value as one of the field, or None where it is none."""
    match field.type, value:
        case TurnFieldType.TEXT, str():
            return value
        case TurnFieldType.YES_NO, bool():
            return value
        case TurnFieldType.NUMBER, int() | float() if not isinstance(value, bool):
            return value if _in_range(field, value) == value else None
        case TurnFieldType.CHOICE, str():
            return value if value in field.choices else None
        case TurnFieldType.LIST, str() if not field.choices or value in field.choices:
            return [value]
        case _:
            return None


def _named(field: TurnField, said: str) -> Iterator[str]:
    """The field's choices that were named, in the order in which they were."""
    spoken = {choice.replace("_", " "): choice for choice in field.choices}
    for name, _, _ in sorted(mentioned_choices(said, tuple(spoken)), key=lambda hit: hit[1]):
        yield spoken[name]


def _in_range(field: TurnField, value: float | int) -> float | int:
    low = value if field.minimum is None else max(value, field.minimum)
    return low if field.maximum is None else min(low, field.maximum)


def _completion(turn: Turn, field: TurnField, _: _Said) -> float | int | None:
    percent = percent_confirmed(turn)
    return None if percent is None else _in_range(field, percent)


def _score(field: TurnField, share: float | None) -> float | int | None:
    """A share as a whole number of the field's range; None where the range is open."""
    if share is None or field.minimum is None or field.maximum is None:
        return None
    return _in_range(field, round(field.minimum + share * (field.maximum - field.minimum)))


def _stage(turn: Turn, field: TurnField, _: _Said) -> str:
    return field.choices[stage(turn, len(field.choices))]


def _sentiment(_: Turn, field: TurnField, said: _Said) -> str | None:
    intents = said.intents
    if intents & {Intent.UPSET, Intent.UNSOLVED}:
        feeling = "negative"
    elif intents & {Intent.PLEASED, Intent.THANKS, Intent.SOLVED} and Intent.DOUBT not in intents:
        feeling = "positive"
    else:
        feeling = "neutral"
    return feeling if feeling in field.choices else None


def _understanding(turn: Turn, field: TurnField, said: _Said) -> str:
    """From the field's worst choice, which is its first, to its best."""
    misses = turn.state.misses if turn.state.expecting == "variable" else 0
    if said.intents & _PUZZLED or misses > 1:
        return field.choices[0]
    if said.intents & _ASKING_BACK or misses:
        return field.choices[len(field.choices) // 2]
    return field.choices[-1]


def _resolved(turn: Turn, _: TurnField, said: _Said) -> bool:
    """What the contact said of it last; nothing means that it is not."""
    for message in reversed(said.messages):
        if turn.language.wants(message, Intent.UNSOLVED):
            return False
        if turn.language.wants(message, Intent.SOLVED):
            return True
    return False


def _wish(turn: Turn, _: TurnField, said: _Said) -> str | None:
    """The last sentence in which the contact said what they want."""
    for message in reversed(said.messages):
        for sentence in _sentences(message):
            if turn.language.wants(sentence, Intent.GOAL) and not turn.language.wants(sentence, Intent.DOUBT):
                return sentence
    return None


def _doubts(turn: Turn, _: TurnField, said: _Said) -> list[str]:
    sentences = (sentence for message in said.messages for sentence in _sentences(message))
    voiced = (sentence for sentence in sentences if turn.language.wants(sentence, Intent.DOUBT))
    return list(dict.fromkeys(voiced))[-_MAX_ITEMS:]


def _unanswered(turn: Turn, _: TurnField, __: _Said) -> list[str]:
    return [turn.phrase("not_answered", label=variable.label) for variable in declined(turn)]


def _sentences(message: str) -> list[str]:
    return [part[:_LONGEST_QUOTE].strip() for part in _SENTENCE.split(message) if part.strip()]


# What fields of these names, or whose name ends in one of one word, say in every agent.
_BY_NAME: Mapping[TurnFieldType, Mapping[str, _Tell]] = {
    TurnFieldType.CHOICE: {
        "stage": _stage,
        "step": _stage,
        "sentiment": _sentiment,
        "understanding": _understanding,
    },
    TurnFieldType.NUMBER: {
        "completion_percentage": _completion,
        "qualification_score": lambda turn, field, _said: _score(field, share_known(turn)),
        "credibility_score": lambda turn, field, _said: _score(field, share_answered(turn)),
    },
    TurnFieldType.YES_NO: {
        "escalation_needed": lambda _turn, _field, said: Intent.PERSON in said.intents,
        "issue_resolved": _resolved,
    },
    TurnFieldType.LIST: {
        "objections_raised": _doubts,
        "red_flags": _unanswered,
    },
    TurnFieldType.TEXT: {
        "customer_intent": _wish,
        "next_step": lambda turn, _field, _said: next_step(turn),
        "voice_instructions": lambda turn, _field, _said: turn.agent.tonality.strip() or None,
    },
}
