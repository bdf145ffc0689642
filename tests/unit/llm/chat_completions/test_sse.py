"""Events come out whole however their bytes are split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.llm.chat_completions.sse import EventStream

STREAM = (
    ": keep-alive\n\ndata: one\n\ndata:two\r\n\r\nevent: x\nid: 7\ndata: a\ndata: b\n\n"
    "data:  blank\r\rdata: ü€😀\n\n\n: again\ndata: [DONE]\n\n"
).encode()
EVENTS = [b"one", b"two", b"a\nb", b" blank", "ü€😀".encode(), b"[DONE]"]


def events_of(chunks: list[bytes]) -> list[bytes]:
    stream = EventStream()
    return [event for chunk in chunks for event in stream.feed(chunk)]


@given(st.lists(st.integers(0, len(STREAM))))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert events_of([STREAM[a:b] for a, b in pairwise(edges)]) == EVENTS


def test_byte_by_byte() -> None:
    assert events_of([STREAM[i : i + 1] for i in range(len(STREAM))]) == EVENTS


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_every_line_end(end: bytes) -> None:
    assert events_of([b"data: 1" + end + b"data: 2" + end]) == [b"1", b"2"]


def test_an_event_without_its_blank_line_is_not_given() -> None:
    assert events_of([b"data: 1\n\ndata: 2\n"]) == [b"1"]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert events_of([b"\xef\xbb\xbfdata: 1\n\n"]) == [b"1"]


@pytest.mark.parametrize(
    ("chunk", "events"),
    [
        (b"data: 1\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"data: 1\r\n\n", [b"1"]),
        (b"data: 1\rdata: 2\n\n", [b"1\n2"]),
        (b"data: 1\ndata: 2\n\n", [b"1\n2"]),
        (b"data: 1\n\nevent: x\ndata: 2\n\n", [b"1", b"2"]),
        (b"data: 1\n\ndata:2\n\n", [b"1", b"2"]),
        (b"data: 1\n\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"data: \n\n", [b""]),
    ],
)
def test_whole_events_in_one_chunk(chunk: bytes, events: list[bytes]) -> None:
    assert events_of([chunk]) == events
    assert events_of([b"data: 0\n\n", chunk, b"data: 3\n\n"]) == [b"0", *events, b"3"]
