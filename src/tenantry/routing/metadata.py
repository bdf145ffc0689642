"""Tests of the metadata: whether one holds, and why not in words that repeat no value but the rule's own."""

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import cast

from tenantry.domain.routing import MetadataTest, Scalar


def value_at(metadata: Mapping[str, object], key: str) -> object:
    """The value that the key names, with dots into nested dicts; None where there is none."""
    if "." not in key:
        return metadata.get(key)
    first, *rest = key.split(".")
    value = metadata.get(first)
    for name in rest:
        if not isinstance(value, dict):
            return None
        value = cast(dict[str, object], value).get(name)
    return value


def holds(test: MetadataTest, value: object) -> bool:
    """Whether the value at the test's key passes it; None is a missing value."""
    if value is None or test.test == "missing":
        return value is None and test.test == "missing"
    match test.test:
        case "exists":
            return True
        case "equals":
            return same(value, test.value)
        case "one_of":
            return any(map(same, repeat(value), wanted_values(test)))
        case "not_equals":
            return not same(value, test.value)
        case "at_least" | "at_most":
            return _in_bound(test, value)
        case "contains":
            return _contains(value, test.value)


def failure(test: MetadataTest, metadata: Mapping[str, object]) -> str | None:
    """Why the test does not hold for the metadata, or None if it does."""
    value = value_at(metadata, test.key)
    if holds(test, value):
        return None
    if value is None:
        return f"metadata has no {test.key!r}"
    if test.test in {"at_least", "at_most"} and not is_number(value):
        return f"metadata {test.key!r} is no number"
    wanted = wanted_values(test)
    more = f" or {len(wanted) - _TOLD} more" if len(wanted) > _TOLD else ""
    return f"metadata {test.key!r} {_BUT[test.test]}{', '.join(map(repr, wanted[:_TOLD]))}{more}"


_TOLD = 5
_BUT = {
    "equals": "is not ",
    "not_equals": "is ",
    "one_of": "is none of ",
    "missing": "is there",
    "at_least": "is less than ",
    "at_most": "is more than ",
    "contains": "does not contain ",
}


def wanted_values(test: MetadataTest) -> tuple[Scalar, ...]:
    """The values that the test names: one, those of `one_of`, or none."""
    if test.value is None:
        return ()
    return test.value if isinstance(test.value, tuple) else (test.value,)


def is_number(value: object) -> bool:
    """Whether it is a number of JSON, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Whether two values of JSON are equal; true and 1 are not, as they are to Python."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def distinct(values: Iterable[Scalar]) -> set[tuple[bool, Scalar]]:
    """The values as a set in which those are one that are equal in JSON."""
    return {(isinstance(value, bool), value) for value in values}


def _in_bound(test: MetadataTest, value: object) -> bool:
    if not (is_number(value) and is_number(test.value)):
        return False
    number, bound = cast(float, value), cast(float, test.value)
    return number >= bound if test.test == "at_least" else number <= bound


def _contains(value: object, wanted: object) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    return isinstance(value, list | tuple) and any(same(item, wanted) for item in cast(list[object], value))
