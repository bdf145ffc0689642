"""The client is of the API that there is: paths, parameters, bodies and answers are those of the OpenAPI document."""

import inspect
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from itertools import product
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import aiohttp
import msgspec
import pytest

from tenantry.client import TenantryClient
from tenantry.client.transport import Transport
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.limits import LimitValues
from tenantry.domain.provider import ProviderSettings

# What no program asks for through the client, or not with a key of the API.
WITHOUT_METHOD = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /calendar/feeds/{secret}.ics",
    "POST /calendar/webhooks/microsoft/{ticket}",
    "POST /calendar/webhooks/google/{ticket}",
    "GET /call",
    "GET /call/assets/{name}",
}
# What workers and the processes of calls ask for, which have a client of their own.
OF_CALL_PROCESSES = "/api/voice/"

_ID = UUID("0193f0a2-6b3c-7c5e-9d0a-3f1b2c4d5e6f")
_EXAMPLES: dict[Any, Any] = {
    UUID: _ID,
    str: "text",
    int: 1,
    bool: True,
    datetime: datetime(2026, 11, 24, tzinfo=UTC),
    AgentDefinition: AgentDefinition(name="Support"),
    LimitValues: LimitValues(),
    ProviderSettings: ProviderSettings("name", "https://models.example/v1"),
}


@dataclass(frozen=True)
class Asked:
    """What a method of the client asks for; `into` is what it makes of the answer, of each item with `paged`."""

    name: str
    method: str
    path: str
    into: Any
    body: Any
    params: dict[str, Any]
    paged: bool = False


class _Done(Exception):
    pass


class _Recorder(Transport):
    """Writes down what is asked for and answers nothing."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.name = ""

    def _ask(self, *asked: Any, **more: Any) -> None:
        self.asked.append(Asked(self.name, *asked, **more))
        raise _Done

    async def call(
        self,
        method: str,
        path: str,
        into: Any,
        *,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        repeatable: bool = False,
    ) -> Any:
        self._ask(method, path, into, body, dict(params or {}))

    async def call_with_cookies(
        self, method: str, path: str, into: Any, *, body: object = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        self._ask(method, path, into, body, dict(params or {}))

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> Any:
        self._ask(method, path, None, body, dict(params or {}))

    async def pages(self, path: str, into: Any, **params: Any) -> Any:
        self._ask("GET", path, into, None, {"limit": 1, "cursor": "x", **params}, paged=True)
        yield

    async def download(self, path: str) -> Any:
        self._ask("GET", path, None, None, {})
        yield

    async def stream(
        self, method: str, path: str, *, body: object = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        self._ask(method, path, None, body, dict(params or {}))
        yield


async def _asked() -> list[Asked]:
    recorder = _Recorder()
    client = TenantryClient(recorder)
    for feature_name, feature in vars(client).items():
        for name, method in inspect.getmembers(feature, inspect.ismethod):
            if name.startswith("_"):
                continue
            recorder.name = f"{feature_name}.{name}"
            for arguments in product(*_arguments(method)):
                with pytest.raises(_Done):
                    found = method(*arguments, **_keywords(method))
                    if isinstance(found, AsyncIterator):
                        await anext(found)
                    else:
                        await found
    return recorder.asked


def _arguments(method: Any) -> list[list[Any]]:
    """For each argument, an example of each type that it may have."""
    hints = get_type_hints(method)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [hints[p.name] for p in inspect.signature(method).parameters.values() if p.kind in kinds]
    return [[_example(each) for each in _kinds(hint) if each is not NoneType] for hint in named]


def _kinds(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)


def _keywords(method: Any) -> dict[str, Any]:
    hints = get_type_hints(method)
    found: dict[str, Any] = {}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            found[parameter.name] = _example(hints[parameter.name])
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (about,) = get_args(hints[parameter.name])
            found.update({name: _example(hint) for name, hint in get_type_hints(about).items()})
    return found


def _example(hint: Any) -> Any:
    if get_origin(hint) in (UnionType, Union):
        return _example(next(each for each in get_args(hint) if each is not NoneType))
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is Sequence:
        return [_example(get_args(hint)[0])]
    if get_origin(hint) is Mapping:
        return {}
    if hint in _EXAMPLES:
        return _EXAMPLES[hint]
    return hint(**{f.name: _example(f.type) for f in fields(hint) if f.default is f.default_factory is MISSING})


@pytest.fixture
async def api(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession(url) as session, session.get("/openapi.json") as response:
        return await response.json()


def _operation(api: dict[str, Any], asked: Asked) -> tuple[str, dict[str, Any]] | None:
    """The most exact path of the document, and what it says of the method."""
    for path in sorted(api["paths"], key=lambda path: path.count("{")):
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
        if re.fullmatch(pattern, asked.path) and asked.method.lower() in api["paths"][path]:
            return path, api["paths"][path][asked.method.lower()]
    return None


def _resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _answer_faults(api: dict[str, Any], into: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    """What the type needs and the document does not promise."""
    schema = _resolved(api, schema)
    if get_origin(into) in (UnionType, Union):
        wanted = [each for each in get_args(into) if each is not NoneType]
        offered = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
        if len(wanted) == len(offered) == 1:
            yield from _answer_faults(api, wanted[0], offered[0], at)
        return
    if "anyOf" in schema and any(each.get("type") == "null" for each in schema["anyOf"]):
        yield f"{at} may be null"
    elif get_origin(into) is tuple:
        yield from _answer_faults(api, get_args(into)[0], schema.get("items", {}), f"{at}[]")
    elif get_origin(into) is Mapping and isinstance(schema.get("additionalProperties"), dict):
        yield from _answer_faults(api, get_args(into)[1], schema["additionalProperties"], f"{at}{{}}")
    elif is_dataclass(into) or (isinstance(into, type) and issubclass(into, msgspec.Struct)):
        for name, hint, required in _fields(into):
            if name not in schema.get("properties", {}):
                yield f"{at}.{name} is not there"
            elif required and name not in schema.get("required", ()):
                yield f"{at}.{name} may be left out"
            else:
                yield from _answer_faults(api, hint, schema["properties"][name], f"{at}.{name}")


def _fields(into: Any) -> list[tuple[str, Any, bool]]:
    hints = get_type_hints(into)
    if issubclass(into, msgspec.Struct):
        described = msgspec.structs.fields(into)
        return [(f.encode_name, hints[f.name], f.required) for f in described]
    return [(f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(into)]


def _request_faults(api: dict[str, Any], asked: Asked, operation: dict[str, Any]) -> Iterator[str]:
    named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    yield from (f"no parameter {name}" for name in asked.params if name not in named)
    if asked.body is None:
        return
    body = _resolved(api, operation["requestBody"]["content"]["application/json"]["schema"])
    sent = msgspec.to_builtins(asked.body)
    yield from (f"no field {name} in the body" for name in sent if name not in body["properties"])
    yield from (f"the body lacks {name}" for name in body.get("required", ()) if name not in sent)


async def test_each_method_asks_for_what_there_is_and_can_read_the_answer(api: dict[str, Any]) -> None:
    faults: list[str] = []
    for asked in await _asked():
        found = _operation(api, asked)
        if found is None:
            faults.append(f"{asked.name}: there is no {asked.method} {asked.path}")
            continue
        _, operation = found
        faults += [f"{asked.name}: {fault}" for fault in _request_faults(api, asked, operation)]
        answer = next(each for status, each in operation["responses"].items() if status.startswith("2"))
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            if asked.into not in (None, NoneType):
                faults.append(f"{asked.name}: no answer is described")
        elif asked.into is not None:
            into, described = asked.into, schema
            if asked.paged:
                described = _resolved(api, schema)["properties"]["items"]["items"]
            faults += [f"{asked.name}: {fault}" for fault in _answer_faults(api, into, described, "answer")]
    assert faults == []


async def test_the_whole_api_has_a_method(api: dict[str, Any]) -> None:
    covered = {
        f"{asked.method} {found[0]}" for asked in await _asked() if (found := _operation(api, asked)) is not None
    }
    there = {f"{method.upper()} {path}" for path, methods in api["paths"].items() for method in methods}
    elsewhere = {route for route in there if OF_CALL_PROCESSES in route} | WITHOUT_METHOD
    assert there - covered - elsewhere == set()
