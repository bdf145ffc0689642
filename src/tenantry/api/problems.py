"""Errors as problem details (RFC 9457), each with a stable code."""

import math
from typing import Any

import msgspec
from fastapi import Response
from pydantic import BaseModel, ConfigDict

from tenantry.domain.errors import FieldError, TenantryError

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """An error (RFC 9457). `code` is stable and made for programs, `detail` says what to do; `retryable` whether the
    same request may do better later. `errors` names the fields at fault where there are any."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    code: str
    detail: str
    retryable: bool
    errors: list[FieldError] = []


def problems(*errors: type[TenantryError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may raise these, beyond those that follow from what it takes
    (`server.openapi`)."""
    said: dict[int | str, list[str]] = {}
    for error in errors:
        said.setdefault(error.status, []).append(" ".join((error.__doc__ or "").split()))
    return {status: {"description": " Or: ".join(lines)} for status, lines in said.items()}


def problem_body(error: TenantryError) -> dict[str, Any]:
    """The problem of an error."""
    body = problem_of(error.status, error.code, error.detail, retryable=error.retryable)
    if error.errors:
        body["errors"] = error.errors
    return {**body, **error.extra}


def problem_of(status: int, code: str, detail: str, *, retryable: bool) -> dict[str, Any]:
    """A problem of these parts."""
    return {
        "type": f"urn:tenantry:error:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        "retryable": retryable,
    }


def problem(error: TenantryError) -> Response:
    """The answer for an error."""
    headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))} if error.retry_after is not None else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(error.status, problem_body(error), headers)


def problem_response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """The answer with this problem as its body."""
    return Response(msgspec.json.encode(body), status, headers, media_type=MEDIA_TYPE)
