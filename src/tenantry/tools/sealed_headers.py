"""The headers of a call with the sealed secrets that they name."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tenantry.domain.agent import Header
from tenantry.domain.tools import ToolResult
from tenantry.tools.base import Secrets
from tenantry.tools.redaction import Redaction

_SENDABLE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class OpenedHeaders:
    """Headers as they are sent, and what keeps their secrets out of the answer. Neither is for any log."""

    values: Mapping[str, str] = field(repr=False)
    redaction: Redaction = field(repr=False)


async def open_headers(headers: Collection[Header], secrets: Secrets) -> OpenedHeaders | ToolResult:
    """The headers with their secrets or, when one cannot be sent, the `failed` result that says which and what to do.

    Raises DatabaseUnavailable.
    """
    values: dict[str, str] = {}
    revealed: list[str] = []
    for header in headers:
        if header.secret is None:
            values[header.name] = header.value
            continue
        secret = await secrets.reveal(header.secret)
        if not secret:
            told = f"The secret {header.secret!r} is not set; store it for the agent's owner or for the tenant."
            return _failed("missing_secret", told)
        if not _SENDABLE.fullmatch(secret):
            told = f"The secret {header.secret!r} holds a character that no header may hold; store it without."
            return _failed("unusable_secret", told)
        values[header.name] = header.value.replace("{secret}", secret) if header.value else secret
        revealed.append(secret)
    return OpenedHeaders(values, Redaction(revealed))


def _failed(reason: str, message: str) -> ToolResult:
    return ToolResult({"status": "failed", "reason": reason, "message": f"{message} Nothing was sent."})
