"""The code by which a contact names their booking, such as K7QF-29MD-4X: ten symbols of Crockford's Base32, 50 bits."""

import re

_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 10
# Letters that are not among the symbols are what they look like.
_LOOKS_LIKE = str.maketrans("OIL", "011")
_SEPARATORS = re.compile(r"[\s\-]")
_EDGE = r"[0-9A-Za-z-]"
_HYPHENATED = re.compile(rf"(?<!{_EDGE})[0-9A-Za-z]{{4}}-[0-9A-Za-z]{{4}}-[0-9A-Za-z]{{2}}(?!{_EDGE})")
_SPACED = re.compile(rf"(?<!{_EDGE})[0-9A-Za-z](?:[ -]?[0-9A-Za-z]){{9}}(?!{_EDGE})")


def reference_of(number: int) -> str:
    """The code of the number's lowest 50 bits."""
    symbols = "".join(_SYMBOLS[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))
    return f"{symbols[:4]}-{symbols[4:8]}-{symbols[8:]}"


def read_reference(text: str) -> str | None:
    """The code as it was told, however somebody writes it; None for a text that is none."""
    symbols = _SEPARATORS.sub("", text).upper().translate(_LOOKS_LIKE)
    if len(symbols) != _LENGTH or any(symbol not in _SYMBOLS for symbol in symbols):
        return None
    return f"{symbols[:4]}-{symbols[4:8]}-{symbols[8:]}"


def take_reference(text: str, *, asked: bool) -> tuple[str, str] | None:
    """The first code in what somebody says, and the rest of it. Without its hyphens a code is found only where it was
    `asked` for: ten other letters and digits in a row may be anything."""
    for found in (_SPACED if asked else _HYPHENATED).finditer(text):
        if any(symbol.isdigit() for symbol in found[0]) and (reference := read_reference(found[0])):
            return reference, f"{text[: found.start()]} {text[found.end() :]}".strip()
    return None
