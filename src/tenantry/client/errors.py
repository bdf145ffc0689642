"""What goes wrong with a request, as the client tells it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tenantry.domain.errors import FieldError


class ApiError(Exception):
    """The API answered with a problem (RFC 9457). `code` is stable, `detail` says what to do, `errors` which fields are
    at fault; `retryable` that the same request may pass later, in `retry_after` seconds where that is known. `body` is
    the whole problem."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.code = str(body.get("code", "http_error"))
        self.detail = str(body.get("detail", "The server gave no reason."))
        self.retryable = bool(body.get("retryable", False))
        self.errors = msgspec.convert(body.get("errors", ()), tuple[FieldError, ...])
        super().__init__(f"{status} {self.code}: {self.detail}")


class ServerUnreachable(ApiError):
    """No whole answer came: the server is not there, or the connection broke. `status` is 0, and whether a request that
    changes something was carried out is not known."""

    def __init__(self, url: str, reason: object) -> None:
        detail = f"No answer from {url} ({reason}); see whether the server runs and the address is right."
        super().__init__(0, {"code": "server_unreachable", "detail": detail, "retryable": True})
