"""Number words as digits, by the text2num package, which has no type stubs."""

import text_to_num  # pyright: ignore[reportMissingTypeStubs]


def write_digits(text: str, language: str) -> str:
    """`text` with its cardinal and ordinal number words as digits; small lone ones such as "the second" stay."""
    written: object = text_to_num.alpha2digit(text, language)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return written if isinstance(written, str) else text
