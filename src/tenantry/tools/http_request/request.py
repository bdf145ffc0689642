"""What a service is sent."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

import msgspec

from tenantry.domain.agent import HttpCall
from tenantry.domain.url_template import fill, placeholders
from tenantry.outbound.client import OutboundRequest
from tenantry.tools.base import ToolContext

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def outbound_request(
    call: HttpCall, context: ToolContext, variables: Mapping[str, Any], own: Mapping[str, str]
) -> OutboundRequest:
    """The call with its values, as a JSON object or, for methods without a body, as query parameters, and with its
    `own` headers.

    Raises ValueError, which says why, for values that cannot be written into the URL.
    """
    bound = context.bound
    texts = {name: as_text(value) for name, value in variables.items()}
    url = fill(call.url, texts)
    headers = {"Idempotency-Key": context.effect_key, "User-Agent": "Tenantry"}
    body = None
    if call.method in _WITH_BODY:
        body = msgspec.json.encode({**variables, **bound})
        headers["Content-Type"] = "application/json"
    else:
        placed = placeholders(call.url)
        loose = {name: text for name, text in texts.items() if name not in placed}
        url += ("&" if "?" in url else "?") + urlencode({**loose, **bound})
    if "accept" not in map(str.lower, own):
        headers["Accept"] = "application/json"
    return OutboundRequest(call.method, url, headers, own, body, call.timeout_s)


def as_text(value: object) -> str:
    """A variable's value in a URL: `true`, `3`, `250000 USD`, or the text itself."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case dict():
            money = cast("Mapping[str, object]", value)
            return " ".join(as_text(money[part]) for part in ("amount", "currency") if money.get(part) is not None)
        case _:
            return str(value)
