"""Whether a model's arguments hold to the parameters it was shown."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from tenantry.domain.storable import is_storable

_LARGEST = 1e15


def fault(schema: Mapping[str, Any], value: object, at: str = "arguments") -> str | None:
    """What is wrong with the value, or None.

    The schema is of the JSON Schema keywords that tools use: type, properties, required, additionalProperties, enum,
    minLength, maxLength and pattern. Beyond it, text must be such that PostgreSQL can keep it, and numbers finite.
    """
    types = schema["type"]
    allowed: list[str] = [types] if isinstance(types, str) else types
    if not any(_is_of[name](value) for name in allowed):
        return f"{at} must be of type {' or '.join(allowed)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at} must be one of {', '.join(map(str, schema['enum']))}"
    if isinstance(value, str):
        return _text_fault(schema, value, at)
    if isinstance(value, Mapping):
        return _object_fault(schema, cast(Mapping[str, object], value), at)
    return None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


_is_of: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: _number(value) and math.isfinite(cast(float, value)),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, Mapping),
}


def _text_fault(schema: Mapping[str, Any], value: str, at: str) -> str | None:
    if len(value) > schema.get("maxLength", math.inf):
        return f"{at} must have at most {schema['maxLength']} characters"
    if len(value) < schema.get("minLength", 0):
        return f"{at} must not be empty"
    if not is_storable(value):
        return f"{at} holds a character that is none"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{at} must match {schema['pattern']}"
    return None


def _object_fault(schema: Mapping[str, Any], value: Mapping[str, object], at: str) -> str | None:
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        return f"{at} must have {', '.join(missing)}"
    for name, item in value.items():
        if name not in properties:
            return f"{at} must not have {str(name)[:64]!r}"
        if problem := fault(properties[name], item, name):
            return problem
    return None
