"""A model server for the benchmark of streams: paced answers of a length that the message asks for, on a bare protocol.

usage: python -m bench.model_server HOST PORT
"""

import asyncio
import functools
import json
import re
import sys
from typing import Any, cast

import uvloop

CHUNKS_PER_SECOND = 40
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ASKED = re.compile(rb"chunks=(\d+) pace=(\d+)")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_WORD = " viewing"


def message(chunks: int, pace: int = CHUNKS_PER_SECOND) -> str:
    """What to say for an answer of this many chunks, so many a second; 0 is as fast as they can be written."""
    return f"Please answer in chunks={chunks} pace={pace}"


class ModelServer(asyncio.Protocol):
    """One connection: each request is answered at the pace of a model, in the form that it asks for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left; what runs for it ends with its next chunk."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer when the request is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return
        self._received = b""
        asked = _ASKED.findall(body)
        chunks, pace = map(int, asked[-1]) if asked else (1, CHUNKS_PER_SECOND)
        gap = 1 / pace if pace else 0.0
        self._send(answer(chunks, formed=b'"response_format"' in body), 0, self._loop.time(), gap)

    def _send(self, parts: list[bytes], number: int, at: float, gap: float) -> None:
        if self._transport is None:
            return
        self._transport.write(parts[number])
        if number + 1 < len(parts):
            self._loop.call_at(at + gap, self._send, parts, number + 1, at + gap, gap)


@functools.cache
def answer(chunks: int, *, formed: bool) -> list[bytes]:
    """The writes of an answer: each brings one chunk of content, the first the head too, the last the end too."""
    pieces = [_WORD] * chunks
    if formed:
        pieces[0] = '{"system_response":"Yes' + pieces[0]
        pieces[-1] += '","variables":{}}'
    events = [_event(choices=[_choice({"content": piece})]) for piece in pieces]
    usage = {"prompt_tokens": 900, "completion_tokens": chunks, "total_tokens": 900 + chunks}
    role = _event(choices=[_choice({"role": "assistant", "content": ""})])
    end = _event(choices=[_choice({}, finish="stop")]) + _event(choices=[], usage=usage) + _chunked(b"data: [DONE]\n\n")
    events[0] = _HEAD + role + events[0]
    events[-1] += end + b"0\r\n\r\n"
    return events


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _event(**more: Any) -> bytes:
    chunk = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1795000000,
        "model": "vendor/model-2026-11",
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        **more,
    }
    return _chunked(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def main() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(ModelServer, sys.argv[1], int(sys.argv[2]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
