"""The text of `system_response`, out of a JSON object that is still being written."""

import re
from enum import Enum, auto

import msgspec

SPOKEN = "system_response"

_STRUCTURE = re.compile(r'["{}\[\]:,]')
_QUOTE_OR_ESCAPE = re.compile(r'["\\]')
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NO_CHARACTER = "\ufffd"


class _At(Enum):
    STRUCTURE = auto()
    STRING = auto()
    SPOKEN = auto()


class SpokenText:
    """Reads the object piece by piece, split anywhere, and gives each piece of the spoken text once. Half a surrogate
    pair, which is no character, becomes U+FFFD; a NUL, which no database keeps, is left out."""

    __slots__ = ("_at", "_depth", "_key", "_key_next", "_pending", "_value_next", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._at = _At.STRUCTURE
        self._depth = 0
        self._key_next = False  # the next string at depth 1 is a key
        self._value_next = False  # the next value is the spoken one
        self._key: list[str] | None = None  # the raw pieces of the key that is being read
        self._pending = ""  # an escape whose end has not come yet

    def feed(self, piece: str) -> str:
        """What this piece of the object adds to the spoken text."""
        if self.complete:
            return ""
        if self._at is _At.SPOKEN and '"' not in piece and "\\" not in piece and not self._pending:
            return piece.replace("\0", "")
        text = self._pending + piece
        self._pending = ""
        said: list[str] = []
        at = 0
        while at < len(text) and not self.complete:
            if self._at is _At.SPOKEN:
                at = self._speak(text, at, said)
            elif self._at is _At.STRING:
                at = self._skip(text, at)
            else:
                at = self._walk(text, at)
        return "".join(said)

    def _walk(self, text: str, at: int) -> int:
        found = _STRUCTURE.search(text, at)
        if found is None:
            return len(text)
        match found[0]:
            case '"':
                self._open_string()
            case "{" | "[":
                self._depth += 1
                self._key_next = self._depth == 1 and found[0] == "{"
                self._value_next = False
            case "}" | "]":
                self._depth -= 1
            case ",":
                self._key_next = self._depth == 1
                self._value_next = False
            case _:
                pass
        return found.end()

    def _open_string(self) -> None:
        if self._value_next:
            self._at = _At.SPOKEN
            return
        self._at = _At.STRING
        self._key = [] if self._key_next else None
        self._key_next = False

    def _skip(self, text: str, at: int) -> int:
        """Past a string that is not said, or up to the end of what there is of it."""
        found = _QUOTE_OR_ESCAPE.search(text, at)
        end = found.start() if found else len(text)
        if found and found[0] == "\\":
            if end + 1 == len(text):
                self._pending = "\\"
                self._keep(text[at:end])
                return len(text)
            self._keep(text[at : end + 2])
            return end + 2
        self._keep(text[at:end])
        if found is None:
            return end
        self._at = _At.STRUCTURE
        if self._key is not None:
            self._value_next = _decoded("".join(self._key)) == SPOKEN
            self._key = None
        return end + 1

    def _keep(self, raw: str) -> None:
        if self._key is not None:
            self._key.append(raw)

    def _speak(self, text: str, at: int, said: list[str]) -> int:
        found = _QUOTE_OR_ESCAPE.search(text, at)
        end = found.start() if found else len(text)
        said.append(text[at:end].replace("\0", ""))
        if found is None:
            return end
        if found[0] == '"':
            self.complete = True
            return end + 1
        character, after = _unescaped(text, end)
        if after is None:
            self._pending = text[end:]
            return len(text)
        said.append(character)
        return after


def _decoded(raw: str) -> str | None:
    try:
        return msgspec.json.decode(f'"{raw}"', type=str)
    except msgspec.DecodeError:
        return None


def _unescaped(text: str, at: int) -> tuple[str, int | None]:
    """The character that the escape at `at` stands for and where it ends; None for the end when more has to come."""
    sign = text[at + 1 : at + 2]
    if not sign:
        return "", None
    if sign != "u":
        return _ESCAPES.get(sign, sign), at + 2
    unit = _unit(text, at)
    if unit is None:
        return ("", None) if len(text) < at + 6 else (_NO_CHARACTER, at + 2)
    after = at + 6
    if 0xD800 <= unit < 0xDC00:
        rest = text[after : after + 6]
        if len(rest) < 6 and rest[:2] in {"", "\\", "\\u"}:
            return "", None
        low = _unit(text, after) if rest.startswith("\\u") else None
        if low is not None and 0xDC00 <= low < 0xE000:
            return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), after + 6
    if 0xD800 <= unit < 0xE000:
        return _NO_CHARACTER, after
    return (chr(unit) if unit else ""), after


def _unit(text: str, at: int) -> int | None:
    """The UTF-16 code unit of the `\\uXXXX` at `at`, or None when it is not whole or not one."""
    digits = text[at + 2 : at + 6]
    return int(digits, 16) if _HEX.fullmatch(digits) else None
