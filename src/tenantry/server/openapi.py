"""The API's description: what FastAPI makes of the routes, and every problem that they may answer with."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from tenantry.api.problems import MEDIA_TYPE, Problem, problems
from tenantry.auth.principals import SCHEME
from tenantry.domain.errors import (
    DatabaseUnavailable,
    Forbidden,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    TenantryError,
    Unauthenticated,
)

_REF = "#/components/schemas/{model}"
# FastAPI's own description of a 422, which is answered as a problem too.
_NOT_OURS = ("HTTPValidationError", "ValidationError")


class DescribedApp(FastAPI):
    """An application whose description has the problems of `domain.errors` as well as the answers."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            _add_problems(super().openapi())
        assert self.openapi_schema is not None  # noqa: S101 - FastAPI keeps what it made there
        return self.openapi_schema


def _add_problems(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _NOT_OURS:
        schemas.pop(name, None)
    _, made = models_json_schema([(Problem, "serialization")], ref_template=_REF)
    schemas.update(made["$defs"])
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _add_to(operation, of_something="{" in path)


def _add_to(operation: dict[str, Any], *, of_something: bool) -> None:
    """`of_something`: whether its path names a thing, which may not be there."""
    declared = operation["responses"]
    if _NOT_OURS[0] in str(declared.get("422")):
        del declared["422"]
    general = problems(*_general(operation, of_something))
    responses = {str(status): said for status, said in general.items()} | declared
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=Problem.__name__)}}}
    operation["responses"] = dict(sorted(responses.items()))


def _general(operation: dict[str, Any], of_something: bool) -> list[type[TenantryError]]:
    """What follows from what an operation takes."""
    found: list[type[TenantryError]] = []
    if {SCHEME: []} in operation.get("security", ()):
        found += [Unauthenticated, Forbidden, DatabaseUnavailable]
    if of_something:
        found.append(NotFound)
    if operation.get("parameters") or "requestBody" in operation:
        found.append(InvalidInput)
    if "requestBody" in operation:
        found.append(PayloadTooLarge)
    return found
