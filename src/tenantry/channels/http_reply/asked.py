"""What a reply is asked for with: read straight from the bytes, described as FastAPI describes its own."""

import json
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from tenantry.auth.principals import SCHEME
from tenantry.channels.http_reply.schemas import ReplyIn

ASKED: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": ReplyIn.model_json_schema()}}},
    "security": [{SCHEME: []}],
}

_validator = ReplyIn.__pydantic_validator__


def read_body(raw: bytes) -> ReplyIn | RequestValidationError:
    """The body, or what is wrong with it."""
    try:
        return _validator.validate_json(raw)
    except ValidationError as error:
        return _patient(raw, error)


def _patient(raw: bytes, error: ValidationError) -> ReplyIn | RequestValidationError:
    """The body as the standard library reads it: it takes half a surrogate pair, which messages may bring."""
    try:
        return _validator.validate_python(json.loads(raw))
    except ValidationError as fault:
        error = fault
    except (ValueError, RecursionError):
        pass
    return RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()])
