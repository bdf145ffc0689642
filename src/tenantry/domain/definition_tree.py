"""A definition as a tree of JSON values, in which everything that has a name is found by it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, TypeGuard, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.errors import FieldError, InvalidInput

Tree = dict[str, Any]

# Beside the items of a list that are seen by name: their names in order. JSON objects, as jsonb keeps them, have none.
ORDER = "$order"

_definition: TypeAdapter[AgentDefinition] = TypeAdapter(AgentDefinition)


@dataclass(frozen=True, slots=True)
class _Nested:
    """A field that holds a record of this kind, or with `many` a list of such."""

    kind: type
    many: bool


def tree_of(definition: AgentDefinition) -> Tree:
    """The definition's fields, without those that are None. A list of variables, functions, turn fields, headers or
    answer fields is an object of its items by name, with `$order` where there are several; one that holds a name
    twice stays a list."""
    return _tree(_definition.dump_python(definition, mode="json", exclude_none=True), AgentDefinition)


def definition_of(tree: Mapping[str, Any]) -> AgentDefinition:
    """The definition of a tree; lists of items with names may stand for the objects too. What is left out has its
    default. Raises InvalidInput that names every field at fault, in paths such as `variables.email.type`."""
    faults: list[FieldError] = []
    plain = _plain(tree, AgentDefinition, "", faults)
    try:
        definition = _definition.validate_python(plain)
    except ValidationError as error:
        faults += [FieldError(told_path(tree, each["loc"]), each["msg"]) for each in error.errors()]
    else:
        if not faults:
            return definition
    told = ", ".join(fault.field for fault in faults[:5])
    raise InvalidInput(f"This makes no valid definition of an agent; correct {told}.", errors=faults)


def names_in(tree: Mapping[str, Any]) -> list[str]:
    """The names of an object's items, or of a record's fields, in order."""
    order = tree.get(ORDER)
    first = order if is_texts(order) else []
    return [name for name in dict.fromkeys([*first, *tree]) if name in tree and name != ORDER]


def is_tree(value: object) -> TypeGuard[Tree]:
    """Whether the value is a JSON object."""
    return isinstance(value, dict)


def is_texts(value: object) -> TypeGuard[list[str]]:
    """Whether the value is a list of nothing but texts."""
    return isinstance(value, list) and all(isinstance(each, str) for each in cast(list[object], value))


def told_path(tree: Mapping[str, Any], location: Iterable[str | int]) -> str:
    """A place in the definition as a dotted path in which names stand for positions."""
    path: list[str] = []
    value: object = tree
    for step in location:
        if is_tree(value):
            names = names_in(value)
            key = names[step] if isinstance(step, int) and step < len(names) else str(step)
            value = value.get(key)
        else:
            key, value = str(step), None
        path.append(key)
    return ".".join(path)


@cache
def _nested(kind: type) -> Mapping[str, _Nested]:
    found: dict[str, _Nested] = {}
    for name, hint in get_type_hints(kind).items():
        record = next((each for each in (hint, *get_args(hint)) if is_dataclass(each)), None)
        many = get_origin(hint) is tuple
        if isinstance(record, type) and (not many or any(each.name == "name" for each in fields(record))):
            found[name] = _Nested(record, many)
    return found


def _tree(plain: Tree, kind: type) -> Tree:
    nested = _nested(kind)
    return {name: _subtree(value, nested[name]) if name in nested else value for name, value in plain.items()}


def _subtree(plain: Any, nested: _Nested) -> Any:
    if not nested.many:
        return _tree(plain, nested.kind)
    names = [item["name"] for item in plain]
    if len(set(names)) < len(names) or ORDER in names:
        return plain
    items = {item.pop("name"): _tree(item, nested.kind) for item in plain}
    return {**items, ORDER: names} if len(names) > 1 else items


def _plain(tree: Mapping[str, Any], kind: type, at: str, faults: list[FieldError]) -> Tree:
    nested = _nested(kind)
    plain: Tree = {}
    for name, value in tree.items():
        path = f"{at}{name}"
        if name not in nested or not is_tree(value):
            plain[name] = value
        elif nested[name].many:
            plain[name] = _plain_list(value, nested[name].kind, path, faults)
        else:
            plain[name] = _plain(value, nested[name].kind, f"{path}.", faults)
    return plain


def _plain_list(items: Tree, kind: type, at: str, faults: list[FieldError]) -> list[Any]:
    if ORDER in items and not is_texts(items[ORDER]):
        faults.append(FieldError(f"{at}.{ORDER}", "is no list of names"))
    plain: list[Any] = []
    for name in names_in(items):
        item = items[name]
        if not is_tree(item):
            plain.append(item)
            continue
        if "name" in item:
            faults.append(FieldError(f"{at}.{name}.name", "is what the item is found by; remove it and add another"))
        plain.append({**_plain(item, kind, f"{at}.{name}.", faults), "name": name})
    return plain
