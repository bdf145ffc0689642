"""A secret is found in every form in which a service may quote it."""

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.tools.answers import Cutter
from tenantry.tools.redaction import Redaction

SECRET = "sk live/+?0123=abc"
CUT_OFF = st.binary(max_size=7)
printable = st.characters(min_codepoint=33, max_codepoint=126)


@pytest.mark.parametrize(
    "form",
    [
        SECRET, SECRET.upper(), quote(SECRET), quote(SECRET, safe=""), quote(SECRET, safe="").lower(),
        quote_plus(SECRET), SECRET.replace("/", "\\/"), SECRET.encode().hex(), SECRET.encode().hex().upper(),
        b64encode(SECRET.encode()).decode(), urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)  # fmt: skip
def test_forms(form: str) -> None:
    assert Redaction([SECRET]).text(f"<{form}>, {form}") == "<[secret]>, [secret]"


@given(st.text(printable, min_size=6, max_size=40), CUT_OFF, CUT_OFF)
def test_a_part_of_something_encoded(secret: str, before: bytes, after: bytes) -> None:
    for encode in (b64encode, urlsafe_b64encode):
        assert "[secret]" in Redaction([secret]).text(encode(before + secret.encode() + after).decode())


def test_of_two_that_begin_alike_nothing_is_left() -> None:
    assert Redaction(["abcdef", "abcdef-ghijkl"]).text("abcdef-ghijkl abcdef") == "[secret] [secret]"


def test_short_ones_and_none() -> None:
    assert Redaction(["abc", "  "]).text("abc is the alphabet") == "abc is the alphabet"
    assert Redaction().text("as it was") == "as it was"


def test_numbers_and_what_a_nul_splits() -> None:
    cutter = Cutter(Redaction(["12345678"]))
    assert cutter.cut({"n": 12345678, "s": "1234\x005678", "m": 5}) == {"n": "[secret]", "s": "[secret]", "m": 5}
