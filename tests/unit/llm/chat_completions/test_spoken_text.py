"""The spoken text grows with the JSON and is at its end what a whole parser reads."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.llm.chat_completions.spoken_text import SPOKEN, SpokenText

CHARACTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | CHARACTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARACTERS | st.just(SPOKEN), inner, max_size=3),
    max_leaves=8,
)
OTHERS = st.dictionaries(CHARACTERS.filter(lambda name: name != SPOKEN), JSON, max_size=3)


def spoken(text: str, cuts: list[int]) -> tuple[list[str], SpokenText]:
    reader = SpokenText()
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [reader.feed(text[a:b]) for a, b in pairwise(edges)], reader


@given(OTHERS, CHARACTERS, OTHERS, st.booleans(), st.sampled_from([None, 2]), st.lists(st.integers(0, 2000)))
def test_the_text_is_what_a_whole_parser_reads(
    before: dict[str, Any],
    said: str,
    after: dict[str, Any],
    ascii_only: bool,
    indent: int | None,
    cuts: list[int],
) -> None:
    text = json.dumps({**before, SPOKEN: said, **after}, ensure_ascii=ascii_only, indent=indent)
    pieces, reader = spoken(text, cuts)
    assert "".join(pieces) == json.loads(text)[SPOKEN]
    assert reader.complete


@given(CHARACTERS, st.booleans())
def test_letter_by_letter_nothing_is_held_back_but_escapes(said: str, ascii_only: bool) -> None:
    text = json.dumps({SPOKEN: said}, ensure_ascii=ascii_only)
    reader = SpokenText()
    assert "".join(reader.feed(letter) for letter in text) == said


def test_it_is_said_as_it_grows() -> None:
    reader = SpokenText()
    assert [reader.feed(p) for p in ('{"system', '_response": "Go', "od d", "ay\\", 'nMark", "variables"')] == [
        "",
        "Go",
        "od d",
        "ay",
        "\nMark",
    ]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d!", "\ufffd!"),
        (r"\ud83d\n", "\ufffd\n"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\ude00", "\ufffd"),
        (r"a\u0000b", "ab"),
        (r"\/\"\\\b\f\t", '/"\\\b\f\t'),
        (r"\uzzzz", "\ufffdzzzz"),
        (r"\x", "x"),
    ],
)
def test_odd_escapes(raw: str, said: str) -> None:
    reader = SpokenText()
    text = f'{{"{SPOKEN}": "{raw}"}}'
    assert "".join(reader.feed(letter) for letter in text) == said
    assert SpokenText().feed(text) == said


@pytest.mark.parametrize("text", ['{"a": {"system_response": "no"}}', '["system_response", "no"]', '{"a": "b"}', "{}"])
def test_only_the_key_of_the_outer_object_counts(text: str) -> None:
    reader = SpokenText()
    assert reader.feed(text) == ""
    assert not reader.complete


def test_a_key_written_with_escapes_is_the_key() -> None:
    assert SpokenText().feed(r'{"system\u005fresponse": "x"}') == "x"


def test_a_value_that_is_no_string_is_not_said() -> None:
    assert SpokenText().feed('{"system_response": 7, "a": "x"}') == ""
