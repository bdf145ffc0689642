"""English e-mail addresses as they are said, and words as they are spelt."""

import re

from tenantry.llm.form_policy.language import Found

_TOKEN = re.compile(r"[A-Za-z0-9]+(?:['’][a-z]+)?|[.@_+\-]")
_AT = re.compile(r"(?:\b(?:at|@) ?sign\b|\bat\b|\(at\)|\[at\]|@)", re.IGNORECASE)
_JOINERS = {
    "dot": ".", "point": ".", "period": ".", ".": ".", "underscore": "_", "_": "_", "dash": "-", "hyphen": "-",
    "minus": "-", "-": "-", "plus": "+", "+": "+",
}  # fmt: skip
_STOP_WORDS = (
    "is it its it's mail email address my me to as and the on or so no not yes called be for a an i you can reach "
    "use under uses that's thats actually with "
)
_STOP = frozenset(_STOP_WORDS.split())
_UNITS = {"one": "1", "two": "2", "three": "3"}
_MAX_SIGNS = 8
_WINDOW = 120
_MAX_LABEL_WORDS = 3


def spoken_emails(text: str, alone: bool) -> list[Found]:
    """Addresses such as "mark dot smith at example dot com" or "m a r k at example dot com". With `alone` the text
    answers the question for one, and all the words before "at" may belong to it."""
    found: list[Found] = []
    for sign in list(_AT.finditer(text))[:_MAX_SIGNS]:
        domain = _domain(text[sign.end() : sign.end() + _WINDOW])
        if domain is None:
            continue
        left = text[max(0, sign.start() - _WINDOW) : sign.start()]
        local = _local(left, alone)
        if local is not None:
            start = max(0, sign.start() - _WINDOW) + local[1]
            found.append(Found(start, sign.end() + domain[1], f"{local[0]}@{domain[0]}"))
    return found


def _domain(text: str) -> tuple[str, int] | None:
    """The domain at the head of `text` and where it ends: labels of at most three words, joined by dots."""
    labels: list[str] = []
    words: list[str] = []
    end = 0
    joined = False
    for token in _TOKEN.finditer(text):
        if text[end if end else 0 : token.start()].strip():
            break
        word = token[0].lower()
        joiner = _JOINERS.get(word)
        if joiner == ".":
            if not words:
                break
            labels.append("".join(words))
            words, end = [], token.end()
            continue
        if joiner == "-" and words:
            words.append("-")
            joined = True
        elif joiner is not None or "'" in word:
            break
        elif not words or joined:
            words.append(word)
            joined = False
        elif (labels and not (len(word) == 1 and len(words[-1]) == 1)) or (
            len(words) >= _MAX_LABEL_WORDS and len(word) > 1
        ):
            break
        else:
            words.append(word)
        end = token.end()
    if words and words[-1] != "-":
        labels.append("".join(words))
    elif not words and labels:
        end -= 1
    return (".".join(labels), end) if len(labels) > 1 and labels[-1].isalpha() else None


def _local(text: str, alone: bool) -> tuple[str, int] | None:
    """The local part at the end of `text` and where it begins."""
    tokens = list(_TOKEN.finditer(text))
    parts: list[str] = []
    start = len(text)
    joined = True
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        if text[token.end() : start].strip():
            break
        word = token[0].lower()
        joiner = _JOINERS.get(word)
        if joiner is not None:
            if joined:
                break
            parts.append(joiner)
            joined = True
        elif parts and not joined and _spelt(word, parts[-1]):
            parts.append(_UNITS.get(word, word))
        elif "'" in word or (word in _STOP and not (parts and joined and len(word) > 1)):
            break
        elif joined or (alone and len(word) > 1 and index < 4):
            parts.append(word)
            joined = False
        else:
            break
        start = token.start()
    while parts and parts[-1] in "._-+":
        parts.pop()
    return ("".join(reversed(parts)), start) if parts else None


def _spelt(word: str, following: str) -> bool:
    """Whether `word` hangs on to the one said after it: letter by letter, or a number behind a name."""
    if following.isdigit():
        return len(word) > 2 or word in _UNITS or word.isdigit() or (len(word) == 1 and word not in _STOP)
    return len(word) == 1 and (len(following) == 1 or word.isdigit())


_LETTERS = re.compile(r"\b[A-Za-z](?:[ \-.,]{1,2}[A-Za-z]){2,30}\b(?!['’])")


def join_letters(text: str) -> str:
    """`text` with words that are spelt letter by letter put together: "S p r i n g" or "S-P-R-I-N-G" is "Spring"."""
    return _LETTERS.sub(lambda found: re.sub(r"[^A-Za-z]", "", found[0]).capitalize(), text)
