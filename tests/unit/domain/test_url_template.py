"""A filled URL leads to where its template does, whatever the values are."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from yarl import URL

from tenantry.domain.url_template import fill

TEMPLATE = "https://api.example.com:8443/v1/{place}/price?to={to}&also={place}&fixed=1"
texts = st.text(st.characters(exclude_categories=["Cs"]))
hostile = st.text("./?#&=%@:\\ \r\n{}+é;,2eEfF", max_size=8)


@given(texts | hostile, texts | hostile)
def test_values_stay_in_their_place(place: str, to: str) -> None:
    assume(place not in {"", ".", ".."})
    filled = fill(TEMPLATE, {"place": place, "to": to})
    assert filled.isascii()
    assert filled.isprintable()
    parts = urlsplit(filled)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example.com:8443", "")
    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "v1", place, "price"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("to", to), ("also", place), ("fixed", "1")]
    # The client sends it as it is.
    assert str(URL(filled, encoded=True)) == filled
    assert URL(filled, encoded=True).host == "api.example.com"


@given(st.sampled_from(["", ".", ".."]))
def test_values_that_change_the_path_are_refused(place: str) -> None:
    with pytest.raises(ValueError, match="place"):
        fill(TEMPLATE, {"place": place, "to": "x"})


def test_two_values_do_not_make_one_way_up() -> None:
    with pytest.raises(ValueError, match="a and b"):
        fill("https://api.example.com/v1/{a}{b}/price", {"a": ".", "b": "."})


def test_what_is_missing_is_empty_in_the_query_only() -> None:
    assert fill("https://api.example.com/v1?a={a}", {}) == "https://api.example.com/v1?a="
    with pytest.raises(ValueError, match="a is empty"):
        fill("https://api.example.com/v1/{a}", {})
