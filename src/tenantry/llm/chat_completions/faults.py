"""What the wire says when it goes wrong, as ModelFault. A provider's words are read and never passed on: they may
repeat the prompt."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from tenantry.llm.base import FaultKind, ModelFault
from tenantry.llm.chat_completions.wire import ErrorBody, decode_error

_CONTEXT = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too many (?:input )?tokens|(?:prompt|input) is too long"
    r"|reduce the length|maximum (?:prompt|input) length",
    re.IGNORECASE,
)
# What providers write when they do not take a part of the request; several refuse a schema only beside functions.
_NO_STREAM_OPTIONS = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_NO_FORM = re.compile(
    r"response_format|response format|response mime type|json_schema|json[ _]mode|structured|grammar constraints"
    r"|no endpoints found that support",
    re.IGNORECASE,
)
_NO_TOOL = re.compile(r"tool_choice|\btools?\b|function.calling|no endpoints found that support", re.IGNORECASE)
_OUT_OF_CREDIT = re.compile(r"insufficient_quota|billing", re.IGNORECASE)
_CODE = re.compile(r"[a-z_]{3,60}")
_PART_REFUSED = frozenset({400, 404, 422})
_KINDS: dict[int, FaultKind] = {
    401: "auth",
    404: "not_found",
    408: "timeout",
    413: "context_too_long",
    429: "rate_limited",
}


Part = Literal["stream_options", "json_schema", "tool"]


class PartRefused(ModelFault):
    """The provider does not take a part of the request; without it the same request may be answered. `parts` are what
    its words may mean."""

    def __init__(self, kind: FaultKind, message: str, parts: frozenset[Part]) -> None:
        self.parts = parts
        super().__init__(kind, message)


def from_status(name: str, status: int, headers: Mapping[str, str], body: bytes) -> ModelFault:
    """The fault of an answer with an HTTP status other than 200."""
    # Which part was refused may stand anywhere in it; routers hand on what their provider wrote.
    whole = body.decode(errors="replace")
    try:
        told = decode_error(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _fault(name, status, ErrorBody(), whole, retry_after(headers))
    error = told.error if told.error is not None else told.message
    error = error if isinstance(error, ErrorBody) else ErrorBody(message=error)
    return _fault(name, status, error, whole, retry_after(headers))


def from_stream(name: str, error: ErrorBody | str) -> ModelFault:
    """The fault of an error inside a stream that began well; its code is the status that there would have been."""
    body = error if isinstance(error, ErrorBody) else ErrorBody(message=error)
    code = str(body.code or "")
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 500
    return _fault(name, status, body, body.message or "", None)


def _fault(name: str, status: int, error: ErrorBody, whole: str, after: float | None) -> ModelFault:
    codes = [text for text in (error.code, error.type) if isinstance(text, str) and _CODE.fullmatch(text)]
    told = f" ({codes[0]})" if codes else ""
    message = f"{name} answered with status {status}{told}"
    kind = _kind(status, " ".join((*codes, error.message or "")))
    if status in _PART_REFUSED and kind != "context_too_long" and (parts := _parts(whole)):
        return PartRefused(kind, message, parts)
    lasting = bool(_OUT_OF_CREDIT.search(" ".join(codes)))
    retryable = kind in {"timeout", "rate_limited", "server"} and not lasting
    return ModelFault(kind, message, retry_after=after, retryable=retryable)


def _parts(words: str) -> frozenset[Part]:
    named: tuple[tuple[Part, re.Pattern[str]], ...] = (
        ("stream_options", _NO_STREAM_OPTIONS),
        ("json_schema", _NO_FORM),
        ("tool", _NO_TOOL),
    )
    return frozenset(part for part, pattern in named if pattern.search(words))


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
