"""Dates that the fast grammar does not know, by the dateparser package, which is slow and has no type stubs."""

from datetime import datetime
from typing import Any

import dateparser  # pyright: ignore[reportMissingTypeStubs]

LONGEST = 40


def parse_date(text: str, language: str, now: datetime, day_first: bool) -> datetime | None:
    """The moment that a short text means as a whole, in the future of `now`; None for longer ones and for no date.
    Takes a millisecond or two."""
    if len(text) > LONGEST:
        return None
    settings: dict[str, Any] = {
        "RELATIVE_BASE": now.replace(tzinfo=None),
        "PREFER_DATES_FROM": "future",
        "DATE_ORDER": "DMY" if day_first else "MDY",
        "RETURN_AS_TIMEZONE_AWARE": False,
    }
    try:
        parsed: object = dateparser.parse(text, languages=[language], settings=settings)  # pyright: ignore[reportUnknownMemberType, reportArgumentType, reportPrivateImportUsage]
    except (ValueError, OverflowError, RecursionError):
        return None
    return parsed.replace(tzinfo=None) if isinstance(parsed, datetime) else None


def warm_up(language: str) -> None:
    """Have the package load its words of the language: its first use takes a hundred times longer."""
    parse_date("in 1 day", language, datetime(2026, 1, 1), day_first=True)
