"""What an agent learns from a service's answer."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from tenantry.domain.agent import AnswerField
from tenantry.outbound.client import CallFailed

_LONGEST_TEXT = 1000
_MOST_ITEMS = 20
_DEEPEST = 4
# Characters of the whole answer: enough for a table of offers, little of a model's context.
_BUDGET = 8000
_LARGEST_INT = 10**20
_MISSING = object()


def read_answer(body: bytes, wanted: Sequence[AnswerField]) -> dict[str, Any]:
    """The wanted fields of a JSON answer or, with none wanted, all of it, cut to size.

    A wanted field that the answer does not have is left out. Raises CallFailed for what is no JSON, and when nothing
    wanted is there.
    """
    cutter = _Cutter()
    if wanted:
        found = {field.name: _at(_decoded(body), field.path) for field in wanted}
        fields = {name: cutter.cut(value) for name, value in found.items() if value is not _MISSING}
        if not fields:
            raise _bad("The answer holds nothing of what was expected.")
        return fields
    if not body.strip():
        return {}
    whole = cutter.cut(_decoded(body))
    if not isinstance(whole, dict):
        return {"answer": whole}
    # `status` is the tool's own word for how the call went.
    fields = cast("dict[str, Any]", whole)
    return {"service_status" if name == "status" else name: value for name, value in fields.items()}


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _bad("The answer is no JSON.") from error


def _bad(message: str) -> CallFailed:
    return CallFailed("bad_answer", message, sent=True)


def _at(value: object, path: str) -> object:
    """The value at a path of names and of places in lists."""
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = cast("Mapping[str, object]", value).get(step, _MISSING)
        elif isinstance(value, list) and step.isascii() and step.isdigit():
            items = cast("list[object]", value)
            value = items[int(step)] if int(step) < len(items) else _MISSING
        else:
            return _MISSING
    return value


class _Cutter:
    """Cuts values until a budget of characters is spent."""

    def __init__(self) -> None:
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
        self._left -= len(str(value))
        return value

    def _text(self, text: str) -> str:
        # PostgreSQL keeps no NUL.
        kept = text[: max(0, min(_LONGEST_TEXT, self._left))].replace("\x00", "")
        self._left -= len(kept) + 1
        return kept
