"""Reads a whole message as the answer to the question that was asked."""

import re
from typing import Any

from tenantry.domain.agent import Variable, VariableType
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import Message
from tenantry.llm.form_policy.readers.choices import chosen
from tenantry.llm.form_policy.readers.contacts import with_area_code
from tenantry.llm.form_policy.turn import Turn

_LONGEST_TEXT = 1_000
_LONGEST_NAME = 80
_LONGEST_ADDRESS = 200
_NAME = re.compile(
    r"[^\W\d_][^\W\d_'’.-]*(?:[-'’.][^\W\d_]+)*\.?(?: [^\W\d_][^\W\d_'’.-]*(?:[-'’.][^\W\d_]+)*\.?){0,4}"
)
_SIDE = frozenset(
    {
        Intent.HELP,
        Intent.WHO,
        Intent.HOURS,
        Intent.PERSON,
        Intent.TIMES,
        Intent.HELLO,
        Intent.BYE,
        Intent.QUESTION,
        Intent.PARDON,
        Intent.DOUBT,
        Intent.UPSET,
        Intent.SOLVED,
    }
)
_IN_A_TEXT = frozenset({Intent.TIMES, Intent.QUESTION, Intent.DOUBT, Intent.UPSET})


def whole_answer(variable: Variable, message: Message, left: str, intents: frozenset[Intent], turn: Turn) -> Any:
    """The value that the message as a whole is for the variable, or None. `left` is the text without other values."""
    language = turn.language
    if variable.type is VariableType.CHOICE:
        return chosen(language.answer(message.text, variable), variable.choices, language.ordinal)
    if variable.type is VariableType.YES_NO:
        return _yes_no(intents)
    if variable.type is VariableType.PHONE and turn.state.partial:
        return with_area_code(left, turn.state.partial, turn.agent.region)
    if intents & _SIDE and not (variable.type is VariableType.TEXT and intents & _SIDE <= _IN_A_TEXT):
        return None
    if variable.type is VariableType.TEXT:
        return _text(message, variable, intents, turn)
    if variable.type is VariableType.NAME:
        return _name(left, variable, intents, turn)
    if variable.type is VariableType.ADDRESS:
        return _address(left, variable, intents, turn)
    return None


def _yes_no(intents: frozenset[Intent]) -> bool | None:
    if Intent.YES in intents and Intent.NO not in intents:
        return True
    return False if Intent.NO in intents and Intent.YES not in intents else None


def _text(message: Message, variable: Variable, intents: frozenset[Intent], turn: Turn) -> str | None:
    if not variable.required and Intent.NO in intents and len(message.original) < 12:
        return None
    if turn.spoken and (code := turn.language.speech.code(turn.language.answer(message.text, variable))):
        return code
    text = turn.language.answer(message.original, variable) or message.original
    return text[:_LONGEST_TEXT].strip() or None


def _name(left: str, variable: Variable, intents: frozenset[Intent], turn: Turn) -> str | None:
    answer = turn.language.answer(turn.language.join_letters(left.replace("\0", " ")), variable).strip()
    if not answer or len(answer) > _LONGEST_NAME or not _NAME.fullmatch(answer) or intents & {Intent.YES, Intent.NO}:
        return None
    return answer if any(letter.isupper() for letter in answer) else answer.title()


def _address(left: str, variable: Variable, intents: frozenset[Intent], turn: Turn) -> str | None:
    """An address in no known form is taken when it has a number and a word, or when it is said a second time."""
    answer = turn.language.answer(left.replace("\0", " "), variable)
    words = re.findall(r"[^\W\d_]{2,}", answer)
    if not words or len(answer) > _LONGEST_ADDRESS:
        return None
    certain = any(letter.isdigit() for letter in answer)
    enough = 1 if "," in answer else 2
    if not certain and (turn.state.misses < enough or len(words) < 2 or intents & {Intent.YES, Intent.NO}):
        return None
    return turn.language.tidy_address(answer)
