"""What can be kept of a value that comes from outside."""

import json
import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.domain.storable import is_storable, storable, storable_text

_TEXTS = st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\ud800\udfff\ufffd"))
_VALUES: "st.SearchStrategy[Any]" = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner) | st.tuples(inner, inner),
    max_leaves=20,
)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list | tuple) else []


@given(_VALUES)
def test_what_is_storable_is_kept_as_it_is(value: Any) -> None:
    kept = storable(value)
    assert all(is_storable(text) for text in _texts(kept))
    written = msgspec.json.encode(kept)
    assert storable(kept) == kept
    # Both writers and readers of JSON agree on it.
    assert json.loads(written) == json.loads(json.dumps(kept))


@given(_TEXTS)
def test_a_text_keeps_its_length_and_its_good_characters(text: str) -> None:
    kept = storable_text(text)
    assert len(kept) == len(text)
    assert all(new == (old if is_storable(old) else "\ufffd") for new, old in zip(kept, text, strict=True))
    kept.encode()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\0b\ud800", "a\ufffdb\ufffd"),
        ({"n\0": ["\udfff", True, 1, 1.5, None]}, {"n\ufffd": ["\ufffd", True, 1, 1.5, None]}),
        (2**64 - 1, 2**64 - 1),
        (2**64, float(2**64)),
        (-(2**63) - 1, float(-(2**63) - 1)),
        (10**400, None),
        (math.inf, None),
        (math.nan, None),
    ],
)
def test_values(value: Any, kept: Any) -> None:
    assert storable(value) == kept


def test_what_is_nested_too_deep_is_cut_off() -> None:
    value: Any = "end"
    for _ in range(900):
        value = [value]
    written = msgspec.json.encode(storable(value)).decode()
    assert written == "[" * 64 + "null" + "]" * 64


@dataclass(frozen=True, slots=True)
class _Said:
    name: str
    values: dict[str, Any]
    inner: "_Said | None" = None


def test_a_dataclass_keeps_its_type() -> None:
    said = _Said("a\0", {"b\0": 10**30}, _Said("\ud800", {}))
    assert storable(said) == _Said("a\ufffd", {"b\ufffd": 1e30}, _Said("\ufffd", {}))
