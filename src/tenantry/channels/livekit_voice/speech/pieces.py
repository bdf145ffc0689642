"""Where a text is cut for speaking: what is said at once is short, and its first piece the shortest."""

import re
from collections.abc import Iterator

_MAX_PIECE = 160  # characters; the model's memory and its delay grow with what it is given at once
_FIRST_PIECE = 60  # the caller waits for it
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"”’)\]]*\s+|\n+")
_CLAUSE_END = re.compile(r"(?<=[,;:—、])\s+")


def pieces(text: str) -> Iterator[str]:
    """Cut `text` into what is said at once: sentences, and where those are long, clauses or words.

    The first piece is the shortest, because the caller waits for it.
    """
    limit = _FIRST_PIECE
    for sentence in _SENTENCE_END.split(text):
        rest = " ".join(sentence.split())
        while len(rest) > limit:
            at = _cut(rest, limit)
            yield rest[:at].strip()
            rest, limit = rest[at:].strip(), _MAX_PIECE
        if rest:
            yield rest
            limit = _MAX_PIECE


def _cut(text: str, limit: int) -> int:
    """Where to cut: behind the last clause within `limit`, else before the last word that passes _MAX_PIECE."""
    clauses = [found.end() for found in _CLAUSE_END.finditer(text, 0, limit)]
    if clauses:
        return clauses[-1]
    if len(text) <= _MAX_PIECE:
        return len(text)
    return max(text.rfind(" ", 0, _MAX_PIECE), 0) or _MAX_PIECE
