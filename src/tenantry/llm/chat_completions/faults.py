"""What the wire says when it goes wrong, as ModelFault. A provider's words are read and never passed on: they may
repeat the prompt."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from tenantry.llm.base import FaultKind, ModelFault
from tenantry.llm.chat_completions.wire import ErrorBody, decode_error

_CONTEXT = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too many (?:input )?tokens|(?:prompt|input) is too long"
    r"|reduce the length|maximum (?:prompt|input) length",
    re.IGNORECASE,
)
_OUT_OF_CREDIT = re.compile(r"insufficient_quota|billing", re.IGNORECASE)
_CODE = re.compile(r"[a-z_]{3,60}")
_KINDS: dict[int, FaultKind] = {
    401: "auth",
    404: "not_found",
    408: "timeout",
    413: "context_too_long",
    429: "rate_limited",
}


def from_status(name: str, status: int, headers: Mapping[str, str], body: bytes) -> ModelFault:
    """The fault of an answer with an HTTP status other than 200."""
    try:
        told = decode_error(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _fault(name, status, ErrorBody(), retry_after(headers))
    error = told.error if told.error is not None else told.message
    return _fault(
        name, status, error if isinstance(error, ErrorBody) else ErrorBody(message=error), retry_after(headers)
    )


def from_stream(name: str, error: ErrorBody | str) -> ModelFault:
    """The fault of an error inside a stream that began well; its code is the status that there would have been."""
    body = error if isinstance(error, ErrorBody) else ErrorBody(message=error)
    code = str(body.code or "")
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 500
    return _fault(name, status, body, None)


def _fault(name: str, status: int, error: ErrorBody, after: float | None) -> ModelFault:
    codes = [text for text in (error.code, error.type) if isinstance(text, str) and _CODE.fullmatch(text)]
    told = f" ({codes[0]})" if codes else ""
    message = f"{name} answered with status {status}{told}"
    kind = _kind(status, " ".join((*codes, error.message or "")))
    lasting = bool(_OUT_OF_CREDIT.search(" ".join(codes)))
    retryable = kind in {"timeout", "rate_limited", "server"} and not lasting
    return ModelFault(kind, message, retry_after=after, retryable=retryable)


def _kind(status: int, words: str) -> FaultKind:
    if status not in {401, 403, 404, 429} and _CONTEXT.search(words):
        return "context_too_long"
    if status in _KINDS:
        return _KINDS[status]
    if status == 403 and "moderation" not in words.lower():
        return "auth"
    return "server" if status >= 500 else "refused"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, given as such or as a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,6})?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
