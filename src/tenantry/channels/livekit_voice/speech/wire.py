"""What speech clients and the speech server say to each other.

One request per connection: a client that closes its connection has cancelled its request, and a server that was
started again needs no reconnecting. Every message is a *head*, a JSON object on one line, followed by as many bytes
as its `bytes` says (none without it).

    {"do": "transcribe", "client": ID, "language": "en", "bytes": N} + PCM   →  {"text": "…", "ms": 124}
    {"do": "synthesize", "client": ID, "text": "…", "voice": "heart", "speed": 1.0}
        →  {"bytes": N} + PCM, for each piece as soon as it is ready, then  {"done": true}

Instead of any answer, also between pieces: {"error": "busy" | "invalid" | "failed", "message": "…"}. PCM is 16-bit
little-endian mono, at 16,000 Hz towards the server and at 24,000 Hz from it. `client` tells apart those among whom
the server is fair.
"""

import asyncio
import json
from typing import Any, cast

IN_RATE = 16_000  # Hz
OUT_RATE = 24_000  # Hz
SAMPLE_BYTES = 2
DEFAULT_VOICE = "heart"
MAX_AUDIO_S = 60
MAX_AUDIO_BYTES = MAX_AUDIO_S * IN_RATE * SAMPLE_BYTES
MAX_TEXT = 2_000  # characters
MIN_SPEED, MAX_SPEED = 0.5, 2.0
MAX_HEAD = 64 * 1024  # bytes; 2,000 characters are 24,000 when each is escaped as a surrogate pair

Head = dict[str, Any]


class Refused(Exception):
    """The request is not one that can be answered; its message says why, and quotes neither text nor audio."""


def message(head: Head, body: bytes = b"") -> bytes:
    """The bytes of one message."""
    told = {**head, "bytes": len(body)} if body else head
    return json.dumps(told).encode() + b"\n" + body


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The next head. Raises EOFError when the other side has closed, Refused for what is not a head."""
    try:
        line = await reader.readline()
    except ValueError as error:
        raise Refused(f"A head has at most {MAX_HEAD} bytes.") from error
    if not line.endswith(b"\n"):
        raise EOFError
    try:
        head = json.loads(line)
    except ValueError as error:
        raise Refused("A head is a JSON object on one line.") from error
    if not isinstance(head, dict):
        raise Refused("A head is a JSON object on one line.")
    return cast(Head, head)


async def read_body(reader: asyncio.StreamReader, head: Head, limit: int) -> bytes:
    """The bytes that follow a head. Raises EOFError when the other side has closed, Refused above `limit` bytes."""
    size = head.get("bytes", 0)
    if not isinstance(size, int) or not 0 <= size <= limit:
        raise Refused(f"At most {limit} bytes at once.")
    return await reader.readexactly(size)
