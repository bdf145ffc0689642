"""The file of an agent: its definition under a head that says whose it is."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, ClassVar, TypeVar, cast

from annotated_types import MaxLen, MinLen
from pydantic import TypeAdapter, ValidationError

from tenantry.agent_files.documents import Unreadable, read_json, read_yaml, write_yaml
from tenantry.domain.agent import AgentDefinition, type_config
from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.domain.storable import is_storable

Read = TypeVar("Read")

Label = Annotated[str, MinLen(1), MaxLen(64)]


@dataclass(frozen=True, slots=True)
class AgentHead:
    """What a file says of an agent besides its definition: the built-in type it came from, its owner's e-mail address
    (none: it is the tenant's), its tags, and whether it is a template for others."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    type: Label | None = None
    owner: Annotated[str, MinLen(3), MaxLen(320)] | None = None
    tags: Annotated[tuple[Label, ...], MaxLen(50)] = ()
    template: bool = False


@dataclass(frozen=True, slots=True)
class AgentFile:
    """One agent as a file holds it."""

    head: AgentHead
    definition: AgentDefinition


_HEAD_NAMES = frozenset(field.name for field in fields(AgentHead))
_head: TypeAdapter[AgentHead] = TypeAdapter(AgentHead)
_definition: TypeAdapter[AgentDefinition] = TypeAdapter(AgentDefinition)


def read_agent_files(text: str, name: str) -> list[AgentFile]:
    """The agents of a file: of the documents of a YAML text or, where `name` ends in ".json", of a JSON object or an
    array of such. Their types are checked, not yet what `domain.agent_validation` asks of a definition.

    Raises InvalidInput, which tells the file by its `name`, and every field at fault.
    """
    try:
        documents = read_json(text) if name.endswith(".json") else read_yaml(text)
    except Unreadable as error:
        raise InvalidInput(f"{name} cannot be read; {error}.") from error
    if not documents:
        raise InvalidInput(f"{name} holds no agent; write at least the agent's name: `name: Support`.")
    several = len(documents) > 1
    return [
        _read_one(document, f"{name} (document {number})" if several else name)
        for number, document in enumerate(documents, 1)
    ]


def write_agent_file(agent_file: AgentFile) -> str:
    """The agent as YAML, for people and for git: always in the same order, without what is as by default."""
    return write_yaml({**_plain_fields(agent_file.head), **_plain_fields(agent_file.definition)})


def _read_one(document: object, name: str) -> AgentFile:
    if not isinstance(document, Mapping):
        raise InvalidInput(f"{name} is not an agent; write its fields one a line, beginning with `name: Support`.")
    entries = cast(Mapping[str, Any], document)
    errors = [FieldError(field, "holds a character that cannot be kept; take it out") for field in _unkept(entries)]
    head = _convert(_head, {key: value for key, value in entries.items() if key in _HEAD_NAMES}, errors)
    rest = {key: value for key, value in entries.items() if key not in _HEAD_NAMES}
    definition = _convert(_definition, rest, errors)
    if head is None or definition is None or errors:
        told = "; ".join(f"{error.field} {error.message}" for error in errors[:5])
        raise InvalidInput(f"{name} is not valid: {told}.", errors=errors)
    return AgentFile(head, definition)


def _convert(adapter: TypeAdapter[Read], entries: Mapping[str, Any], errors: list[FieldError]) -> Read | None:
    try:
        return adapter.validate_python(entries)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            errors.append(FieldError(".".join(map(str, fault["loc"])), _message(fault["type"], fault["msg"])))
    return None


def _message(kind: str, message: str) -> str:
    match kind:
        case "string_type":
            return "is not text; put it in quotes"
        case "unexpected_keyword_argument":
            return "is no field there is; leave it out or correct its name"
        case "missing":
            return "is missing; add it"
        case _:
            return message.removeprefix("Input ").removeprefix("Value ")


def _unkept(value: object, at: str = "") -> Iterator[str]:
    """Where there are texts that PostgreSQL does not keep."""
    match value:
        case str() if not is_storable(value):
            yield at
        case Mapping():
            for key, item in cast(Mapping[str, object], value).items():
                yield from _unkept(item, f"{at}.{key}" if at else key)
        case list():
            for index, item in enumerate(cast(list[object], value)):
                yield from _unkept(item, f"{at}.{index}")
        case _:
            return


def _plain_fields(value: Any) -> dict[str, Any]:
    return {
        field.name: _plain(entry) for field in fields(value) if (entry := getattr(value, field.name)) != _default(field)
    }


def _default(field: Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case float() if value.is_integer():
            return int(value)
        case tuple():
            return [_plain(item) for item in cast(tuple[object, ...], value)]
        case _ if is_dataclass(value):
            return _plain_fields(value)
        case _:
            return value
