"""Every error of the application answered as a problem (`api.problems`)."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from tenantry.api.problems import problem, problem_of, problem_response
from tenantry.domain.errors import FieldError, InvalidInput, NotFound, TenantryError

log = structlog.get_logger()

_CODES = {404: "no_such_route", 405: "method_not_allowed"}
_DETAILS = {
    404: "There is no such route; /docs lists all of them.",
    405: "This route has no such method; /docs lists all of them.",
}


def _on_error(_: Request, error: Exception) -> Response:
    return problem(error if isinstance(error, TenantryError) else TenantryError())


def _on_bad_request(_: Request, error: Exception) -> Response:
    faults: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    errors = [FieldError(_field(fault["loc"]), fault["msg"]) for fault in faults]
    named = ", ".join(dict.fromkeys(e.field for e in errors[:5] if e.field)) or "the body"
    return problem(InvalidInput(f"The request is not valid; correct {named}.", errors=errors))


def _field(location: tuple[str | int, ...]) -> str:
    # The first part says body, query or path; a JSON error's second is an offset into the text.
    rest = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    return ".".join(map(str, rest))


def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 400:
        # What FastAPI says of a body that is no UTF-8, or nested too deep to be read.
        return problem(InvalidInput("The body is no JSON that can be read; correct it and send it again."))
    detail = _DETAILS.get(status, str(getattr(error, "detail", "")))
    code = _CODES.get(status, NotFound.code if status == 404 else "http_error")
    body = problem_of(status, code, detail, retryable=status >= 500)
    return problem_response(status, body, {"Allow": ", ".join(_methods(request))} if status == 405 else None)


def _methods(request: Request) -> list[str]:
    """What may be done at this path, by all of its routes."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.methods and route.path and compile_path(route.path)[0].match(request.url.path):
            found |= set(route.methods)
    return sorted(found)


def _on_bug(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "?")
    log.error("request failed", method=request.method, route=route, exc_info=error)
    return problem(TenantryError())


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""
    app.add_exception_handler(TenantryError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)
