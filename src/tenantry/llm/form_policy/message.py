"""A contact's message made ready for reading."""

import re
import unicodedata
from dataclasses import dataclass

from tenantry.llm.form_policy.language import Language

LIMIT = 4_000
_SPACES = re.compile(r"\s+")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": " - ", "\u00a0": " ", "\u202f": " "})
_LONG_RUN = re.compile(r"\S{200,}")


@dataclass(frozen=True, slots=True)
class Message:
    """What was said: `original` without control characters, `text` with spoken numbers as digits besides."""

    original: str
    text: str

    @property
    def empty(self) -> bool:
        """Whether there is no letter and no digit in it."""
        return not any(character.isalnum() for character in self.original)


def read_message(content: str, language: Language, *, spoken: bool = False) -> Message:
    """The message as it is read for values; `spoken` tells that it was recognised from speech."""
    original = language.speech.tidy(one_line(content)) if spoken else one_line(content)
    return Message(original, language.digits(original))


def one_line(content: str) -> str:
    """The first 4,000 characters of `content`, on one line; runs too long to be any value are left out."""
    cut = content[:LIMIT].translate(_QUOTES)
    plain = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", cut))
    return _SPACES.sub(" ", _LONG_RUN.sub(" ", plain)).strip()
