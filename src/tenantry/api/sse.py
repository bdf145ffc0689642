"""Server-sent events (WHATWG HTML, 9.2) over HTTP."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec
from fastapi.responses import StreamingResponse

# Proxies close connections on which nothing comes for long.
SILENCE_S = 15.0
COMMENT = b":\n\n"
# A stream in the API's description (OpenAPI 3.2, 4.14: `itemSchema` is of each event).
EVENTS: dict[str, Any] = {
    "text/event-stream": {
        "itemSchema": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "event": {"type": "string"},
                "data": {"type": "string", "contentMediaType": "application/json"},
            },
            "required": ["id", "event", "data"],
        }
    }
}

_encode = msgspec.json.Encoder().encode


def sse(event: str, data: Mapping[str, Any], event_id: str) -> bytes:
    """One event with its id, which the client sends back as `Last-Event-ID`."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), event.encode(), _encode(data))


def sse_response(events: AsyncGenerator[bytes]) -> StreamingResponse:
    """The stream as an answer that nothing on the way may keep or hold back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
