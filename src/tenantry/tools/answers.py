"""What an agent learns from what a service answered: cut to size, without the secrets that were sent."""

from collections.abc import Mapping
from typing import Any, cast

from tenantry.tools.redaction import REDACTED, Redaction

_LONGEST_TEXT = 1000
_MOST_ITEMS = 20
_DEEPEST = 4
# Characters of the whole answer: enough for a table of offers, little of a model's context.
_BUDGET = 8000
_LARGEST_INT = 10**20


def as_fields(answer: object) -> dict[str, Any]:
    """The fields of an answer that was cut; what is no object is its field `answer`."""
    if not isinstance(answer, dict):
        return {"answer": answer}
    # `status` is the tool's own word for how the call went.
    fields = cast("dict[str, Any]", answer)
    return {"service_status" if name == "status" else name: value for name, value in fields.items()}


class Cutter:
    """Cuts values until a budget of characters is spent; secrets are taken out before, so that no part of one is
    left at a cut."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._left = _BUDGET

    def cut(self, value: object, depth: int = 0) -> Any:
        """As much of the value as there is room for."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping) and depth < _DEEPEST:
            items = list(cast("Mapping[str, object]", value).items())[:_MOST_ITEMS]
            return {self._text(name): self.cut(item, depth + 1) for name, item in items if self._left > 0}
        if isinstance(value, list) and depth < _DEEPEST:
            items = cast("list[object]", value)[:_MOST_ITEMS]
            return [self.cut(item, depth + 1) for item in items if self._left > 0]
        if isinstance(value, Mapping | list):
            return None
        if isinstance(value, int) and abs(value) >= _LARGEST_INT:
            # A number of any length is valid JSON, but not one that anybody reads.
            return None
        written = str(value)
        self._left -= len(written)
        # A secret may be of digits only.
        return value if self._redaction.text(written) == written else REDACTED

    def _text(self, text: str) -> str:
        # PostgreSQL keeps no NUL.
        clean = self._redaction.text(text.replace("\x00", ""))
        kept = clean[: max(0, min(_LONGEST_TEXT, self._left))]
        self._left -= len(kept) + 1
        return kept
