"""Choices out of a list."""

import re
from collections.abc import Callable
from difflib import SequenceMatcher

_CLOSE = 0.78
_LONGEST = 60


def mentioned_choices(text: str, choices: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """The choices that the text names word by word, and where."""
    lower = text.lower()
    hits: list[tuple[str, int, int]] = []
    for choice in sorted(choices, key=len, reverse=True):
        found = re.search(rf"(?<!\w){re.escape(choice.lower())}(?:e?s)?(?!\w)", lower)
        if found and not any(start <= found.start() < end for _, start, end in hits):
            hits.append((choice, found.start(), found.end()))
    return hits


def chosen(answer: str, choices: tuple[str, ...], ordinal: Callable[[str, int], int | None]) -> str | None:
    """What an answer to the question for a choice means: its name, its place in the list, or nearly its name."""
    if hits := mentioned_choices(answer, choices):
        return hits[0][0] if len(hits) == 1 else None
    index = ordinal(answer, len(choices))
    if index is not None:
        return choices[index]
    if found := re.fullmatch(r"\D{0,12}(\d{1,2})\W*", answer):
        place = int(found[1]) - 1
        return choices[place] if 0 <= place < len(choices) else None
    named = _by_a_word(answer, choices)
    return named[0] if len(named) == 1 else None if named else _closest(answer, choices)


def _by_a_word(answer: str, choices: tuple[str, ...]) -> list[str]:
    """The choices that share a word of four letters or more with the answer."""
    words = set(re.findall(r"\w{4,}", answer.lower()))
    return [choice for choice in choices if words & set(re.findall(r"\w{4,}", choice.lower()))]


def _closest(answer: str, choices: tuple[str, ...]) -> str | None:
    lower = answer.lower()[:_LONGEST]
    words = [lower, *lower.split()]
    scored = sorted(
        (
            (max(SequenceMatcher(None, word, choice.lower()[:_LONGEST]).ratio() for word in words), choice)
            for choice in choices
        ),
        reverse=True,
    )
    if not scored or scored[0][0] < _CLOSE or (len(scored) > 1 and scored[0][0] - scored[1][0] < 0.05):
        return None
    return scored[0][1]
