"""English numbers and letters as they are spoken, written as they would be typed."""

import re

from tenantry.llm.form_policy.spoken_numbers import write_digits

_FIXED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (r"\bhalf (?:of )?an? million\b", "500000"),
        (r"\b(?:a )?quarter (?:of )?an? million\b", "250000"),
        (r"\bthree quarters? of a million\b", "750000"),
        (r"\ba million and a half\b", "1500000"),
        (r"\ba million and a quarter\b", "1250000"),
        (r"\b(?:a|one) hundred (?:thousand|grand)\b", "100000"),
        (r"\b(?:a|one) million\b(?! (?:and|\w+ hundred|\d))", "1000000"),
        (r"\b(?:a|one) thousand\b(?! (?:and|\w+ hundred|\d))", "1000"),
        (r"\bgrand\b(?=\s*(?:$|[,.!?]| (?:for|is|or|would|please|and)\b))", "thousand"),
    )
)
_AND_A_HALF = re.compile(r"\b(\w+) and a half (million|thousand)\b", re.IGNORECASE)
_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_SMALL_WORD = "|".join(_SMALL)
_MULTIPLE = re.compile(rf"\b(double|triple|treble)[ -]({_SMALL_WORD}|oh|o|\d|[a-z])\b", re.IGNORECASE)
_LETTER_AS_IN = re.compile(
    r"\b(?:capital |the letter )?([a-z])(?:,? (?:as in|like in|for|like)|, as in) (?:an? |the )?([a-z]{2,})\b,?",
    re.IGNORECASE,
)
_OH = re.compile(r"(?<=\d) (?:oh|o)(?= \d)|(?<![\w.])(?:oh|o) (?=\d(?: \d){2,})", re.IGNORECASE)
_AS_A_NUMBER = re.compile(
    rf"(?:(?<=\bat )|(?<=\bpast )|(?<=\bto )|(?<=\bafter )|(?<=\bbefore )|(?<=\bby )|(?<=\baround )|(?<=\bbetween )"
    rf"|(?<=\bin )|(?<=\btill )|(?<=\bmake it )|(?<=\bfrom )|(?<=\bhalf ))({_SMALL_WORD})\b(?! (?:of|"
    rf"hundred|thousand|million|main))"
    rf"|(?<!ty[ -])\b({_SMALL_WORD})(?= (?:[ap]\.?m\b|o'?clock|in the (?:morning|afternoon|evening)|days?\b|"
    rf"weeks?\b|months?\b|bed(?:room)?s?\b|rooms?\b|people\b|persons?\b|adults?\b|\d|at\b(?= \w+ dot)))",
    re.IGNORECASE,
)
_WHOLE = re.compile(rf"\W*(?:(?:number|option|at|about|around|say) )?({_SMALL_WORD})\W*\Z", re.IGNORECASE)
_SHORT_THOUSANDS = re.compile(r"\b([1-9]) (\d{2})000\b")
_SHORT_K = re.compile(r"\b([1-9]) ([1-9]\d)(?= ?(?:k|thousand|grand)\b)", re.IGNORECASE)
_FACTOR = re.compile(r"(?<![\d.,])(\d+(?:[.,]\d{1,2})?) (1000|1000000)\b")


def digits(text: str) -> str:
    """`text` with its number words as digits: "double five", "m as in mike", "half a million", "three pm"."""
    for pattern, to in _FIXED:
        text = pattern.sub(to, text)
    text = _AND_A_HALF.sub(_and_a_half, text)
    text = _LETTER_AS_IN.sub(_initial, text)
    text = _MULTIPLE.sub(_repeat, text)
    text = _AS_A_NUMBER.sub(lambda found: str(_SMALL[(found[1] or found[2]).lower()]), text)
    if whole := _WHOLE.match(text):
        text = text[: whole.start(1)] + str(_SMALL[whole[1].lower()]) + text[whole.end(1) :]
    text = write_digits(text, "en")
    text = _OH.sub(lambda found: " 0" if found[0].startswith(" ") else "0 ", text)
    text = _SHORT_K.sub(r"\g<1>\g<2>", text)
    text = _SHORT_THOUSANDS.sub(r"\g<1>\g<2>000", text)
    return _FACTOR.sub(_multiply, text)


def _and_a_half(found: re.Match[str]) -> str:
    word = found[1].lower()
    number = _SMALL.get(word, int(word) if word.isascii() and word.isdecimal() and len(word) < 4 else None)
    return found[0] if number is None else f"{number}.5 {found[2]}"


def _initial(found: re.Match[str]) -> str:
    same = found[1].lower() == found[2][0].lower()
    return found[1] if same else found[0]


def _repeat(found: re.Match[str]) -> str:
    times = 2 if found[1].lower() == "double" else 3
    word = found[2].lower()
    unit = "0" if word in {"oh", "o"} else str(_SMALL.get(word, word))
    return " ".join([unit] * times)


def _multiply(found: re.Match[str]) -> str:
    amount = float(found[1].replace(",", ".")) * int(found[2])
    return str(int(amount)) if amount.is_integer() else found[0]
