"""What PostgreSQL and JSON can keep of a value that comes from outside; pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

Value = TypeVar("Value")

_REPLACEMENT = "\ufffd"
# PostgreSQL keeps no NUL; half of a surrogate pair is no character in UTF-8.
_UNKEPT = re.compile(r"[\x00\ud800-\udfff]")
# What JSON encoders write as an integer.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_DEEPEST = 64


def is_storable(text: str) -> bool:
    """Whether a database keeps the text as it is."""
    return _UNKEPT.search(text) is None


def storable_text(text: str) -> str:
    """The text with U+FFFD in the place of each character that cannot be kept."""
    # Most pieces of text are short and plain.
    if text.isascii() and "\x00" not in text:
        return text
    return _UNKEPT.sub(_REPLACEMENT, text)


def storable(value: Value) -> Value:
    """A JSON value, or a dataclass of such, as it can be kept: texts and names by `storable_text`, an integer of more
    than 64 bits as a float, and None for a number that is none and for lists and objects nested more than 64 deep."""
    return cast(Value, _storable(value, 0))


def _storable(value: object, depth: int) -> object:
    match value:
        case str():
            return storable_text(value)
        case int() if not _SMALLEST <= value <= _LARGEST:
            return _as_float(value)
        case float() if not math.isfinite(value):
            return None
        case list() | tuple() | Mapping() if depth == _DEEPEST:
            return None
        case list():
            return [_storable(item, depth + 1) for item in cast(list[object], value)]
        case tuple():
            return tuple(_storable(item, depth + 1) for item in cast(tuple[object, ...], value))
        case Mapping():
            named = cast(Mapping[Any, object], value)
            return {_storable(name, depth + 1): _storable(item, depth + 1) for name, item in named.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{each.name: _storable(getattr(value, each.name), depth) for each in fields(value)})
        case _:
            return value


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
