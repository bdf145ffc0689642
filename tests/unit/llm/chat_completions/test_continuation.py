"""What goes on from what was said is said once, however it comes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.llm.chat_completions.continuation import Continuation

CUTS = st.lists(st.integers(0, 2000), max_size=12)
WORDS = st.sampled_from(
    ["thank", "you", "mark", "which", "day", "would", "hello", "I", "am", "happy", "to", "help", "it", "is"]
)
GAPS = st.sampled_from([" ", ", ", ". ", "! ", "\n", " – "])
TEXTS = st.lists(st.tuples(WORDS, GAPS), max_size=12).map(lambda parts: "".join(w + g for w, g in parts))
ANY = TEXTS | st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
OTHERS = st.lists(st.sampled_from(["zebra", "quartz", "vixen", "jumbo"]), min_size=1, max_size=6).map(" ".join)


def joined(said: str, new: str, cuts: list[int] | None = None) -> str:
    """What comes out when the new text comes in these pieces."""
    text = Continuation(said)
    edges = [0, *sorted(cut % (len(new) + 1) for cut in cuts or []), len(new)]
    return "".join([*(text.feed(new[a:b]) for a, b in pairwise(edges)), text.end()])


@given(ANY, ANY, CUTS)
def test_any_split_gives_the_same(said: str, new: str, cuts: list[int]) -> None:
    assert joined(said, new, cuts) == joined(said, new)
    assert joined(said, new, list(range(len(new)))) == joined(said, new)


@given(ANY, ANY)
def test_only_a_beginning_is_ever_left_out(said: str, new: str) -> None:
    out = joined(said, new)
    assert new.rstrip().endswith(out.strip())


@given(TEXTS, OTHERS, CUTS, st.sampled_from([str, str.upper, str.title, lambda text: text.replace(" ", "  ")]))
def test_what_starts_over_is_heard_once(said: str, rest: str, cuts: list[int], changed: object) -> None:
    assert callable(changed)
    assert joined(said, f"{changed(said)} {rest}", cuts).strip() == rest


@given(TEXTS, OTHERS, CUTS)
def test_what_goes_on_is_left_alone(said: str, rest: str, cuts: list[int]) -> None:
    assert joined(said.rstrip() + ".", rest, cuts) == (f" {rest}")


@given(st.lists(WORDS, min_size=10, max_size=40), st.integers(0, 100), OTHERS, CUTS)
def test_one_word_in_ten_may_be_another(words: list[str], place: int, rest: str, cuts: list[int]) -> None:
    changed = [*words]
    changed[place % (len(words) - 1)] = "Xylophone"
    assert joined(" ".join(words), f"{' '.join(changed)} {rest}", cuts).strip() == rest


SAID = "Thank you, Mark. I am happy to hel"


@pytest.mark.parametrize(
    ("said", "new", "out"),
    [
        (SAID, "Thank you, Mark. I am happy to help you.", "p you."),
        (SAID, "thank you mark - i am  happy to help you.", "p you."),
        (SAID, "help you.", "p you."),
        (SAID, "happy to help you.", "p you."),
        (SAID + " ", "Thank you, Mark. I am happy to help you.", "help you."),
        (SAID, "Thank you, Mark. Which day suits you?", " Which day suits you?"),
        (SAID, "Thanks, Mark. I am happy to help you.", "p you."),
        (SAID, "Well, Mark, I am glad.", " Well, Mark, I am glad."),
        (SAID, "Thank you, Mark.", ""),
        (SAID, "Thank you, Mark. I am", ""),
        (SAID, "", ""),
        ("Which day would suit you", "You can come on Monday.", " You can come on Monday."),
        ("Which day would suit you", "you?", "?"),
        ("Which day would suit you", ", Mark?", ", Mark?"),
        ("Hello there.", "Hello there. How are you?", " How are you?"),
        ("Hello there.", "Hello there... well", ".. well"),
        ("It costs", "It costs $450,000.", " $450,000."),
        ("a b a b", "a b a b c", " c"),
        ("Straß", "STRASSE 5", "E 5"),
        ("我们", "我们很高兴。", "很高兴。"),
        ("我们。", "很高兴。", "很高兴。"),
        ("", " Hello", "Hello"),
        ("...", "Hello", " Hello"),
        (SAID, "x" * 500, " " + "x" * 500),
    ],
)
def test_how_it_goes_on(said: str, new: str, out: str) -> None:
    assert joined(said, new) == out
    assert joined(said, new, list(range(len(new)))) == out


def test_other_words_are_held_back_for_three_words_at_most() -> None:
    text = Continuation(SAID)
    assert text.feed("Which day ") == ""
    assert text.feed("suits ") == " Which day suits "
    assert text.feed("you?") == "you?"
