"""A service's JSON answer."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from tenantry.domain.agent import AnswerField
from tenantry.outbound.client import CallFailed
from tenantry.tools.answers import Cutter, as_fields
from tenantry.tools.redaction import Redaction

_MISSING = object()


def read_answer(body: bytes, wanted: Sequence[AnswerField], redaction: Redaction) -> dict[str, Any]:
    """The wanted fields of a JSON answer or, with none wanted, all of it, cut to size and without secrets.

    A wanted field that the answer does not have is left out. Raises CallFailed for what is no JSON, and when nothing
    wanted is there.
    """
    cutter = Cutter(redaction)
    if wanted:
        found = {field.name: _at(_decoded(body), field.path) for field in wanted}
        fields = {name: cutter.cut(value) for name, value in found.items() if value is not _MISSING}
        if not fields:
            raise _bad("The answer holds nothing of what was expected.")
        return fields
    if not body.strip():
        return {}
    return as_fields(cutter.cut(_decoded(body)))


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
