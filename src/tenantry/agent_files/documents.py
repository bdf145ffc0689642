"""YAML and JSON as plain data, with the core types of YAML 1.2 alone: texts stay texts."""

import json
import re
from typing import Any, cast

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

_MAX_CHARACTERS = 1_000_000
_MAX_DEPTH = 32
_TOO_DEEP = f"is nested more than {_MAX_DEPTH} deep; an agent needs no more"
_LONG = 80

_INT = re.compile(r"[-+]?[0-9]{1,300}\Z|0o[0-7]{1,300}\Z|0x[0-9a-fA-F]{1,300}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,300}|[0-9]{1,300}(?:\.[0-9]{0,300})?)(?:[eE][-+]?[0-9]{1,9})?\Z")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z")
_CORE: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("null", re.compile(r"(?:~|null|Null|NULL|)\Z"), "~nN\0"),
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("float", _INFINITY, "-+."),
    ("float", re.compile(r"\.(?:nan|NaN|NAN)\Z"), "."),
)


class Unreadable(ValueError):
    """A text is no YAML or JSON of the plain kind; the message says where and what to do."""


def read_yaml(text: str) -> list[Any]:
    """The documents of a YAML text, the empty ones left out. Raises Unreadable, also for aliases and tags."""
    _check_size(text)
    try:
        _check_events(text)
        loader: Any = _CoreLoader(text)  # PyYAML's own types are not complete
        try:
            documents: list[Any] = []
            while loader.check_data():
                documents.append(loader.get_data())
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise Unreadable(_fault(error)) from error
    return [document for document in documents if document is not None]


def read_json(text: str) -> list[Any]:
    """The documents of a JSON text: the one that it is, or those of its array. Raises Unreadable."""
    _check_size(text)
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise Unreadable(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise Unreadable(_TOO_DEEP) from error
    _check_depth(document)
    return cast(list[Any], document) if isinstance(document, list) else [document]


def write_yaml(document: dict[str, Any]) -> str:
    """The document as YAML: its own order, long texts as blocks, short lists on one line."""
    return yaml.dump(
        document, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )


def _check_size(text: str) -> None:
    if len(text) > _MAX_CHARACTERS:
        raise Unreadable(f"has more than {_MAX_CHARACTERS:,} characters; put the agents into several files")


def _check_depth(document: object) -> None:
    level = [document]
    for _ in range(_MAX_DEPTH + 1):
        level = [item for each in level for item in _items(each)]
        if not level:
            return
    raise Unreadable(_TOO_DEEP)


def _items(value: object) -> list[object]:
    match value:
        case dict():
            return list(cast(dict[str, object], value).values())
        case list():
            return cast(list[object], value)
        case _:
            return []


def _check_events(text: str) -> None:
    """Refuse, before anything is built, what could grow, what names a type of its own, and what is nested too deep."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        at = f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(f"{at}: *{event.anchor} is an alias; write the value out")
        if (tag := getattr(event, "tag", None)) is not None:
            raise Unreadable(f"{at}: {tag} is a tag; leave it out, and put texts in quotes")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise Unreadable(f"{at}: {_TOO_DEEP}")


def _fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, value in pairs:
        if key in read:
            raise Unreadable(f"{key!r} is there twice; leave one of them out")
        read[key] = value
    return read


def _refuse_constant(constant: str) -> None:
    raise Unreadable(f"{constant} is no JSON; write a number")


class _CoreLoader(yaml.CSafeLoader):
    """Knows null, booleans, integers and floats of YAML 1.2; anything else unquoted is text: dates, times, on, yes."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as in PyYAML

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; raises ConstructorError for a key that is there twice or is no text."""
        seen: set[str] = set()
        for key, _ in node.value:
            mark = key.start_mark
            if not isinstance(key, ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise ConstructorError(None, None, "a name is expected here; put it in quotes", mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"{key.value!r} is there twice; leave one of them out", mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _CoreDumper(yaml.CSafeDumper):
    """Quotes what YAML 1.1 or 1.2 would read as something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


def _construct_int(_: _CoreLoader, node: ScalarNode) -> int:
    text = str(node.value)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _construct_float(_: _CoreLoader, node: ScalarNode) -> float:
    text = str(node.value).lower()
    return float(re.sub(r"\.(?=inf|nan)", "", text))


def _represent_text(dumper: Any, text: str) -> ScalarNode:
    style = "|" if "\n" in text.strip() else ">" if len(text) > _LONG else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_list(dumper: _CoreDumper, items: list[Any]) -> SequenceNode:
    short = all(isinstance(item, str) for item in items) and sum(len(item) + 2 for item in items) <= _LONG
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


for _kind, _pattern, _first in _CORE:
    for _class in (_CoreLoader, _CoreDumper):
        cast(Any, _class).add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}", _pattern, [c if c != "\0" else "" for c in _first]
        )
_CoreLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_CoreLoader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_CoreDumper.add_representer(str, _represent_text)
_CoreDumper.add_representer(list, _represent_list)
