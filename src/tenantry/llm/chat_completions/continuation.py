"""What a model adds that goes on from what was said before, without what it says again."""

import re
from bisect import bisect_left
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"[.!?…。！？]")
_CLOSING = frozenset(",.;:!?…)]}%'’\"”»。、，！？")
# A longer word or gap is none that was said; nothing is held back for it.
_LONGEST_WORD = 200
_MOST_EDITS = 8
_WIDE_SCRIPTS = "\u2e80"  # from here on words are written without spaces between them


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        return self.text.casefold()


class Continuation:
    """The text that follows `said`, as it comes in pieces, split anywhere.

    Held back is only what may be said again: the whole of `said` from its beginning, nearly word for word; its last
    words, where the last one may be broken off and now come whole; or, where the new text then goes another way, the
    sentences that it began with as before. Upper and lower case, spaces and punctuation make no difference. What comes
    out follows `said` with a space where one is due.
    """

    def __init__(self, said: str) -> None:
        self._words = [_Word(m[0], m.start(), m.end()) for m in _WORD.finditer(said)]
        self._keys = [word.key for word in self._words]
        self._said = said
        self._tail = said[self._words[-1].end :] if self._words else said
        self._whole = _WholeAgain(self._keys, breaks_off=not self._tail.strip())
        self._overlap = _Overlap(self._words, breaks_off=not self._tail.strip())
        self._held = ""
        self._at = 0  # up to where what is held has been read
        self._again: list[_Word] = []  # the words that begin the new text as `said` began
        self._alike = True
        self._deciding = bool(self._words)
        self._cut = self._inside_word = False
        self._through = False

    def feed(self, piece: str) -> str:
        """What is sure of the new text so far."""
        if self._through:
            return piece
        self._held += piece
        return self._next(final=False)

    def end(self) -> str:
        """What is left when no more comes."""
        return "" if self._through else self._next(final=True)

    def _next(self, *, final: bool) -> str:
        if self._deciding:
            self._read(final=final)
            if self._deciding:
                return ""
        return self._joined(final=final)

    def _read(self, *, final: bool) -> None:
        while self._deciding:
            found = _WORD.search(self._held, self._at)
            start, end = (found.start(), found.end()) if found else (len(self._held), len(self._held))
            if start - self._at > _LONGEST_WORD or end - start > _LONGEST_WORD:
                self._decide(final=False)
            elif found is None or (end == len(self._held) and not final):
                break
            else:
                self._at = end
                self._take(_Word(found[0], start, end))
        if final and self._deciding:
            self._decide(final=True)

    def _take(self, word: _Word) -> None:
        at = len(self._again)
        if self._alike and at < len(self._keys) and self._keys[at] == word.key:
            self._again.append(word)
        else:
            self._alike = False
        self._whole.take(word)
        self._overlap.take(word)
        if self._whole.sure or not (self._whole.alive or self._overlap.alive):
            self._decide(final=False)

    def _decide(self, *, final: bool) -> None:
        self._deciding = False
        found = self._whole.best or self._overlap.best
        if found is not None:
            word, partly = found
            self._cut = True
            self._inside_word = bool(partly) and not self._tail
            at = word.end if not partly else word.start + (partly if self._inside_word else 0)
        elif final and self._alike and len(self._again) >= 3:
            self._cut, at = True, len(self._held)
        else:
            at = self._sentences()
        self._held = self._held[at:]

    def _sentences(self) -> int:
        """Where the sentences end that the new text began with as before."""
        for count in range(len(self._again), 1, -1):
            said_next = self._words[count].start if count < len(self._words) else len(self._said)
            gap = _WORD.search(self._held, self._again[count - 1].end)
            end = _last_sentence_end(self._held, self._again[count - 1].end, gap.start() if gap else len(self._held))
            if end and _last_sentence_end(self._said, self._words[count - 1].end, said_next):
                return end
        return 0

    def _joined(self, *, final: bool) -> str:
        """What is held, with what stands between it and `said` put right; empty until that is clear."""
        text = self._held
        if self._cut and (told := self._tail.strip()):
            bare = text.lstrip()
            same = _alike(bare, told)
            if not final and same == bare and same != told:
                return ""
            text = bare[len(same) :] if same else text
        bare = text.lstrip()
        if not bare:
            if final:
                self._through = True
            return ""
        self._through = True
        if not self._said or self._said[-1].isspace():
            return bare
        if self._inside_word or bare != text or bare[0] in _CLOSING or bare[0] >= _WIDE_SCRIPTS:
            return text
        return f" {text}"


class _WholeAgain:
    """Whether the new words are those that were said, all of them with at most one in four changed, left out or put
    in: the edit distance by words, in the band that is allowed."""

    def __init__(self, keys: list[str], *, breaks_off: bool) -> None:
        self._keys = keys
        self._breaks_off = breaks_off
        self._most = min(_MOST_EDITS, len(keys) // 4)
        self._row = {column: column for column in range(self._most + 1)}
        self._taken = 0
        self._best_cost = self._most + 1
        self.best: tuple[_Word, int] | None = None  # the last word said again, and the letters of it that were said
        self.alive = bool(keys)

    @property
    def sure(self) -> bool:
        return self._best_cost == 0

    def take(self, word: _Word) -> None:
        if not self.alive:
            return
        self._taken += 1
        none = self._most + 1
        last = len(self._keys)
        row: dict[int, int] = {}
        partly = 0
        for column in range(max(0, self._taken - self._most), min(last, self._taken + self._most) + 1):
            change, part = none, 0
            if column:
                same = self._keys[column - 1] == word.key
                if not same and column == last and self._breaks_off:
                    part = _letters_of(word, self._keys[-1])
                change = self._row.get(column - 1, none) + (0 if same or part else 1)
            cost = min(change, self._row.get(column, none) + 1, row.get(column - 1, none) + 1)
            row[column] = cost
            if column == last and cost == change:
                partly = part
        self._row = row
        cost = row.get(last, none)
        if cost < self._best_cost:
            self._best_cost, self.best = cost, (word, partly)
        least = min((cost for column, cost in row.items() if column < last), default=none)
        self.alive = least < self._best_cost and least <= min(self._most, 2 + self._taken // 5)


class _Overlap:
    """Whether the new words begin with the last of those that were said."""

    def __init__(self, words: list[_Word], *, breaks_off: bool) -> None:
        self._words = words
        self._keys = [word.key for word in words]
        self._breaks_off = breaks_off
        self._taken = 0
        self._starts = list(range(1, len(words))) if len(words) > 1 else []
        self.best: tuple[_Word, int] | None = None

    @property
    def alive(self) -> bool:
        return bool(self._starts)

    def take(self, word: _Word) -> None:
        last = len(self._keys) - 1
        going_on: list[int] = []
        for start in self._starts:
            at = start + self._taken
            if at < last:
                if self._keys[at] == word.key:
                    going_on.append(start)
            elif (part := self._last(word)) is not None:
                self.best = (word, part)
        self._taken += 1
        self._starts = going_on

    def _last(self, word: _Word) -> int | None:
        """The letters of the last word that `word` says again, 0 for all of them; None when it is another word. One
        word alone has to be written as before: many a sentence begins with the word that the last one ended with."""
        before = self._words[-1]
        if self._keys[-1] == word.key:
            alone = self._taken == 0
            return None if alone and not (self._breaks_off and word.text == before.text) else 0
        if not self._breaks_off or (
            self._taken == 0 and not (len(before.text) > 1 and word.text.startswith(before.text))
        ):
            return None
        return _letters_of(word, before.key) or None


def _letters_of(word: _Word, key: str) -> int:
    """How many letters of the word make up `key`, which is in lower case; 0 when it does not begin with it."""
    if not word.key.startswith(key):
        return 0
    # Some letters have another length in lower case.
    return bisect_left(range(len(word.text)), len(key), key=lambda count: len(word.text[:count].casefold()))


def _alike(one: str, other: str) -> str:
    """What both begin with."""
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return one[:count]


def _last_sentence_end(text: str, start: int, end: int) -> int:
    """Where the last sign that ends a sentence stands between two words, 0 when there is none."""
    found = 0
    for sign in _SENTENCE_END.finditer(text, start, end):
        found = sign.end()
    return found
