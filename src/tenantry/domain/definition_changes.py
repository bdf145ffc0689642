"""What is different between two definitions, field by field."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.definition_tree import ORDER, is_texts, is_tree, names_in, tree_of

ChangeKind = Literal["added", "removed", "changed"]

_SHOWN = 80
_AROUND = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` is such as `personality`, `variables.email.question` or `functions.set_appointment`; for
    a text of a list that of the list, for another order of items `variables.$order`. `before` and `after` are JSON
    values as a patch holds them, None for what is not there."""

    path: str
    kind: ChangeKind
    before: Any
    after: Any


def changes(before: AgentDefinition, after: AgentDefinition) -> tuple[Change, ...]:
    """All that makes `after` of `before`; nothing for equal ones."""
    return tuple(_changes("", tree_of(before), tree_of(after)))


def describe(change: Change) -> str:
    """The change on one line that a terminal can show: `~ personality: "Kind." → "Patient."`. Of long values the
    part that differs is shown."""
    match change.kind:
        case "added":
            line = f"+ {change.path}: {_shown(change.after)}"
        case "removed":
            line = f"- {change.path}: {_shown(change.before)}"
        case "changed":
            before, after = _around_difference(change.before, change.after)
            line = f"~ {change.path}: {_shown(before)} → {_shown(after)}"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


def _changes(path: str, before: object, after: object) -> Iterator[Change]:
    if before == after:
        return
    if is_tree(before) and is_tree(after):
        old, new = names_in(before), names_in(after)
        at = f"{path}." if path else ""
        for name in dict.fromkeys([*old, *new]):
            yield from _changes(f"{at}{name}", before.get(name), after.get(name))
        yield from _reordered(f"{at}{ORDER}", old, new)
    elif is_texts(before) and is_texts(after):
        removed, added = Counter(before), Counter(after)
        yield from (Change(path, "removed", text, None) for text in (removed - added).elements())
        yield from (Change(path, "added", None, text) for text in (added - removed).elements())
        yield from _reordered(f"{path}.{ORDER}", before, after)
    else:
        kind: ChangeKind = "added" if before is None else "removed" if after is None else "changed"
        yield Change(path, kind, before, after)


def _reordered(path: str, before: list[str], after: list[str]) -> Iterator[Change]:
    if _also_in(after, before) != _also_in(before, after):
        yield Change(path, "changed", before, after)


def _also_in(others: list[str], texts: list[str]) -> list[str]:
    left = Counter(others)
    found: list[str] = []
    for text in texts:
        if left[text]:
            left[text] -= 1
            found.append(text)
    return found


def _around_difference(before: Any, after: Any) -> tuple[Any, Any]:
    if not isinstance(before, str) or not isinstance(after, str) or max(len(before), len(after)) <= _SHOWN:
        return before, after
    same = _same_start(before, after)
    rest = _same_start(before[same:][::-1], after[same:][::-1])
    start, end = max(0, same - _AROUND), max(0, rest - _AROUND)
    return _between(before, start, end), _between(after, start, end)


def _same_start(one: str, other: str) -> int:
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _between(text: str, start: int, end: int) -> str:
    return f"{'…' * (start > 0)}{text[start : len(text) - end]}{'…' * (end > 0)}"


def _shown(value: Any) -> str:
    if is_texts(value):
        return _cut(", ".join(value))
    if isinstance(value, str):
        return json.dumps(_cut(value), ensure_ascii=False)
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
