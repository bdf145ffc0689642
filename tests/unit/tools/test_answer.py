"""Whatever a service answers becomes a bounded output that can be kept, or a clear failure."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.domain.agent import AnswerField
from tenantry.outbound.client import CallFailed
from tenantry.tools.http_request.answer import read_answer
from tenantry.tools.redaction import Redaction

NO_SECRETS = Redaction()
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
answers = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=50
)  # fmt: skip


@given(answers)
def test_any_answer_can_be_kept(answer: object) -> None:
    try:
        body = msgspec.json.encode(answer)
    except UnicodeEncodeError:
        return
    kept = msgspec.json.encode(read_answer(body, (), NO_SECRETS))
    assert b"\\u0000" not in kept
    assert len(kept) < 100_000


@pytest.mark.parametrize(
    "answer",
    [
        {str(number): "x" * 5000 for number in range(500)},
        [["y" * 900] * 100] * 100,
        {"x" * 100_000: 1},
        [10**300] * 1000,
    ],
)
def test_a_large_answer_is_cut(answer: object) -> None:
    assert len(msgspec.json.encode(read_answer(msgspec.json.encode(answer), (), NO_SECRETS))) < 12_000


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b"{", b"\xff", b'"\\ud800"', b"NaN", b"1" * 5000, b"1e999", b'{"a": 1} x'],
)
def test_what_is_no_json(body: bytes) -> None:
    try:
        assert read_answer(body, (), NO_SECRETS) == {"answer": None}
    except CallFailed as failure:
        assert failure.reason == "bad_answer"


def test_wanted_fields() -> None:
    body = msgspec.json.encode({"data": {"offers": [{"price": 5}], "a.b": 1}, "status": "final"})
    wanted = (AnswerField("price", "data.offers.0.price"), AnswerField("missing", "data.offers.7.price"))
    assert read_answer(body, wanted, NO_SECRETS) == {"price": 5}
    with pytest.raises(CallFailed, match="nothing of what was expected"):
        read_answer(body, wanted[1:], NO_SECRETS)


def test_an_empty_answer_is_enough_when_nothing_is_wanted() -> None:
    assert read_answer(b" ", (), NO_SECRETS) == {}
    assert read_answer(b'{"status": "final"}', (), NO_SECRETS) == {"service_status": "final"}
