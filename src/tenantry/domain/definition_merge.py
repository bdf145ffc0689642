"""Three-way merge of definitions: what they changed since the base is taken, what we changed is kept."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.agent_validation import definition_faults
from tenantry.domain.definition_changes import Change, changes
from tenantry.domain.definition_tree import (
    Tree,
    definition_of,
    is_texts,
    is_tree,
    names_in,
    told_path,
    tree_of,
)
from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.domain.url_template import placeholders

# Lists of texts in which each counts by itself; in the others, such as choices, all hang together.
_SETS = frozenset({"dos", "donts", "purposes", "variables"})


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field or item that both changed, each differently, or where their change would make ours invalid. The values
    are JSON as a patch holds them, None for what is not there."""

    path: str
    base: Any
    mine: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Merged:
    """`taken` is what changes in mine, `kept` what mine had changed and still holds; `conflicts` are not decided, and
    hold mine."""

    definition: AgentDefinition
    taken: tuple[Change, ...]
    kept: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]


class _Sides(NamedTuple):
    base: Tree
    mine: Tree
    theirs: Tree


def merge(base: AgentDefinition, mine: AgentDefinition, theirs: AgentDefinition, take: Collection[str] = ()) -> Merged:
    """Mine with the changes from `base` to `theirs`, by field; items are found by name, and come in mine's order unless
    only theirs has another.

    In a conflict mine is kept, or theirs where its path or one above it is in `take`; what theirs needs there, such as
    a variable of a function, comes with it, and a variable that is gone by it is gone from our functions too. Three
    valid definitions make a valid one: a change of theirs that mine cannot do with is a conflict.
    """
    sides = _Sides(tree_of(base), tree_of(mine), tree_of(theirs))
    # First what is possible with mine in every conflict; only then what is taken, so that it alone is the cause of
    # whatever has to follow it.
    merging = _Merging(sides)
    tree = merging.settled(sides.mine, merging.held)
    if take:
        merging.take = take
        tree = merging.settled(sides.theirs, merging.given)
    definition = definition_of(tree)
    now = changes(base, definition)
    return Merged(
        definition=definition,
        taken=changes(mine, definition),
        kept=tuple(change for change in changes(base, mine) if change in now),
        conflicts=tuple(merging.conflicts),
    )


class _Merging:
    def __init__(self, sides: _Sides) -> None:
        self.conflicts: list[Conflict] = []
        self.take: Collection[str] = ()
        # Paths at which the whole value is mine unless it is taken, and such at which it is theirs.
        self.held: set[str] = set()
        self.given: set[str] = set()
        self._sides = sides
        self._known = {*_faults(sides.mine), *_faults(sides.theirs)}

    def settled(self, side: Tree, whole: set[str]) -> Tree:
        """The merged tree; for every fault in it that neither side has, one more value is all of `side`, by its path
        in `whole`. At the latest this ends with the side itself."""
        while True:
            self.conflicts.clear()
            tree = self._value("", *self._sides)
            if self.take:
                _leave_lost_variables(tree, self._sides.theirs)
            fault = next((fault for fault in _faults(tree) if fault not in self._known), None)
            if fault is None:
                return tree
            whole.add(next(path for path in _remedies(fault.field, tree, side) if path not in whole))

    def _value(self, path: str, base: Any, mine: Any, theirs: Any) -> Any:
        if mine == theirs:
            return mine
        if path in self.given:
            return theirs
        if path in self.held:
            return mine if theirs == base else self._decided(path, base, mine, theirs)
        if is_tree(mine) and is_tree(theirs):
            return self._items(path, base if is_tree(base) else {}, mine, theirs)
        if theirs == base:
            return mine
        if mine == base:
            return theirs
        before: object = base or []
        if _counts_each(path) and _is_set(before) and _is_set(mine) and _is_set(theirs):
            return _united(before, mine, theirs)
        return self._decided(path, base, mine, theirs)

    def _items(self, path: str, base: Tree, mine: Tree, theirs: Tree) -> Tree:
        at = f"{path}." if path else ""
        merged = {
            name: self._value(f"{at}{name}", base.get(name), mine.get(name), theirs.get(name))
            for name in dict.fromkeys([*names_in(mine), *names_in(theirs)])
        }
        there = [name for name, value in merged.items() if value is not None]
        return {name: merged[name] for name in _in_order(there, names_in(base), names_in(mine), names_in(theirs))}

    def _decided(self, path: str, base: Any, mine: Any, theirs: Any) -> Any:
        if any(path == each or path.startswith(f"{each}.") for each in self.take):
            return theirs
        self.conflicts.append(Conflict(path, base, mine, theirs))
        return mine


def _counts_each(path: str) -> bool:
    return path.rpartition(".")[2] in _SETS


def _is_set(value: object) -> TypeGuard[list[str]]:
    return is_texts(value) and len(set(value)) == len(value)


def _united(base: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    there = [
        each
        for each in dict.fromkeys([*mine, *theirs])
        if (each in mine and each in theirs) or (each not in base and (each in mine or each in theirs))
    ]
    return _in_order(there, base, mine, theirs)


def _in_order(names: list[str], base: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    """The names, each one in mine or theirs: in the order of the one that leads, the other's after their neighbour."""
    lead, other = (theirs, mine) if _moved(base, theirs) and not _moved(base, mine) else (mine, theirs)
    found = [name for name in lead if name in names]
    place = 0
    for name in other:
        if name in names:
            if name not in found:
                found.insert(place, name)
            place = found.index(name) + 1
    return found


def _moved(before: list[str], after: list[str]) -> bool:
    return [each for each in before if each in after] != [each for each in after if each in before]


def _faults(tree: Tree) -> Iterator[FieldError]:
    try:
        definition = definition_of(tree)
    except InvalidInput as invalid:
        yield from invalid.errors
        return
    for fault in definition_faults(definition):
        location = [int(step) if step.isdecimal() else step for step in fault.field.split(".")]
        yield FieldError(told_path(tree, location), fault.message)


def _remedies(path: str, tree: Tree, side: Tree) -> Iterator[str]:
    """The paths of what may mend the fault at `path`, from the least to everything."""
    parts = path.split(".")
    is_function = parts[0] == "functions" and len(parts) > 1
    if is_function:
        yield from (f"variables.{name}" for name in _lost_variables(tree, parts[1]))
    for length in range(len(parts), 1, -1):
        yield ".".join(parts[:length])
    if is_function:
        yield from (f"variables.{name}" for name in _variables_of_address(side, parts[1]))
    yield parts[0]
    yield "variables"
    yield ""


def _function(tree: Tree, name: str) -> Tree:
    functions = tree.get("functions")
    return functions.get(name, {}) if is_tree(functions) else {}


def _used_variables(tree: Tree, function: str) -> list[str]:
    return _function(tree, function).get("variables", [])


def _variables_of_address(tree: Tree, function: str) -> list[str]:
    return placeholders(_function(tree, function).get("http", {}).get("url", ""))


def _lost_variables(tree: Tree, function: str) -> list[str]:
    variables = tree.get("variables")
    return [name for name in _used_variables(tree, function) if is_tree(variables) and name not in variables]


def _leave_lost_variables(tree: Tree, theirs: Tree) -> None:
    functions = tree.get("functions")
    for name in names_in(functions) if is_tree(functions) else ():
        lost = set(_lost_variables(tree, name)).difference(_used_variables(theirs, name))
        if lost and is_tree(functions):
            kept = [each for each in _used_variables(tree, name) if each not in lost]
            functions[name] = {**functions[name], "variables": kept}
