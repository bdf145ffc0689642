"""Text for a speech engine: what is written becomes what one says, whole or in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.domain.speakable import SpeakableStream, speakable

SAMPLES = [
    ("Hello!", "Hello!"),
    ("Write to mark@example.com.", "Write to mark at example dot com."),
    ("It is jane.o_doe-x+1@my-site.co.uk, right?",
     "It is jane dot o underscore doe dash x plus 1 at my dash site dot co dot u k, right?"),
    ("At m@gmx.de", "At m at g m x dot d e"),
    ("Order AB792 is sent.", "Order A B 7 9 2 is sent."),
    ("Your code is K7QF-29MD-4X: keep it.", "Your code is K 7 Q F, 2 9 M D, 4 X: keep it."),
    ("Flat 12B at gate B12, COVID-19 rules", "Flat 12 B at gate B 12, COVID 19 rules"),
    ("Call (202) 555-0124 or +1 202-555-0124.", "Call 2 0 2, 5 5 5, 0 1 2 4 or plus 1, 2 0 2, 5 5 5, 0 1 2 4."),
    ("2025550124", "2 0 2, 5 5 5, 0 1 2 4"),
    ("Dial 555-0124 now", "Dial 5 5 5, 0 1 2 4 now"),
    ("From 2026-2027 there were 1,000,000 of 450000", "From 2026-2027 there were 1,000,000 of 450000"),
    ("See https://www.example.com/price-list/all?x=1.", "See example dot com slash price list slash all."),
    ("Visit www.example.com, please", "Visit example dot com, please"),
    ("example.org is ours", "example dot org is ours"),
    ("It costs $450,000.", "It costs 450,000 dollars."),
    ("$1, $19.99, €20, £1.01", "1 dollar, 19 dollars and 99 cents, 20 euros, 1 pound and 1 penny"),
    ("About $1.5M", "About 1.5 million dollars"),
    ("$2 million or 450,000 USD or EUR 30 or 250k", "2 million dollars or 450,000 dollars or 30 euros or 250k"),
    ("Open from 9:00 am to 5:30 pm", "Open from 9 am to 5 30 pm"),
    ("At 15:00, 3:05 pm, 3 p.m. or 00:15", "At 3 pm, 3 oh 5 pm, 3 pm or 12 15 am"),
    ("It is at 3 p.m. See you", "It is at 3 pm. See you"),
    ("On 2026-11-24.", "On November 24th, 2026."),
    ("On 2026-11-01T15:00:00-05:00", "On November 1st, 2026 at 3 pm"),
    ("2026-02-31", "2026-02-31"),
    ("At 3:00 pm your time (America/New_York)", "At 3 pm your time (New York)"),
    ("Dr. Smith, e.g. at 12 Oak St. in St. Louis", "Doctor Smith, for example at 12 Oak Street in Saint Louis"),
    ("No. 5 & #6 give 5% off", "number 5 and number 6 give 5 percent off"),
    ("**Bold** and _soft_ `code` ~~gone~~ snake_case 3 * 4", "Bold and soft code gone snake_case 3 * 4"),
    ("See [our page](https://a.example/b) <br> now", "See our page now"),
    ("Great 😀👍🏽 ☎️ done", "Great done"),
    ("# Times\n- Monday\n- Tuesday!\n1. one\n2) two\n", "Times. Monday. Tuesday! 1, one. 2, two."),
    ("| a | b |\n|---|---|\n| 1 | 2 |\n---\n> quoted\n", "a, b. 1, 2. quoted."),
    ("```py\nx = 1\n```\nThat is it.", "That is it."),
    ("m, a, r, k, at example dot com", "m, a, r, k, at example dot com"),
    ("Is it? Yes! Well… ok.", "Is it? Yes! Well… ok."),
    ("", ""),
    ("🙂", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), SAMPLES)
def test_what_is_written_is_said(text: str, words: str) -> None:
    assert speakable(text) == words


def test_an_address_is_spelt_where_that_is_wished() -> None:
    assert speakable("Is it Mark.K2@example.com?", spelled=True) == "Is it m, a, r, k, dot, k, 2, at example dot com?"


def test_other_languages_lose_their_markup_only() -> None:
    assert speakable("**Hallo** um 15:00 an mark@example.com 😀", "de-AT") == "Hallo um 15:00 an mark@example.com"


def test_words_are_given_out_once_a_sentence_is_complete() -> None:
    stream = SpeakableStream()
    assert [stream.feed(piece) for piece in ("Write to ma", "rk@exam", "ple.com", ". At 3 p.m", ". on", "")] == [
        "", "", "", "Write to mark at example dot com.", "", "",
    ]  # fmt: skip
    assert stream.flush() == " At 3 pm on"
    assert stream.flush() == ""
    assert stream.feed("Next. ") == "Next."


LIKE_TOKENS = st.text("0123456789٣²:.-+$€/@ TZapmkAB(#%&StNo\n`*_|[]", max_size=40)
PIECES = st.lists(st.sampled_from([text for text, _ in SAMPLES]) | st.text(max_size=12) | LIKE_TOKENS, max_size=8)


@given(st.text() | LIKE_TOKENS)
def test_any_text_can_be_said(text: str) -> None:
    assert speakable(text) == speakable(text).strip()


@given(PIECES, st.data())
def test_any_pieces_give_the_same_words(texts: list[str], data: st.DataObject) -> None:
    text = " ".join(texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    stream = SpeakableStream()
    bounds = zip([0, *cuts], [*cuts, len(text)], strict=True)
    said = "".join(stream.feed(text[begin:end]) for begin, end in bounds) + stream.flush()
    assert said == speakable(text)
