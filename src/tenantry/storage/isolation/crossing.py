"""One attempt to cross a border, and how it ended."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crossing:
    """`tried_as` is who made the attempt, `what` names the thing (a table, `METHOD /path`, …). A crossing that is not
    `held` was let through; one that `lacks_case` could not be tried, which counts as a failure as well."""

    border: str
    tried_as: str
    what: str
    expected: str
    got: str
    held: bool
    lacks_case: bool = False


def untried(border: str, what: str, why: str) -> Crossing:
    """A failure for what nobody knows how to try."""
    return Crossing(border, "-", what, "a case that tries it", why, held=False, lacks_case=True)
