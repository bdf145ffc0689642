"""The load of the benchmark of streams, a process of its own so that its CPU time counts for nobody.

usage: python -m bench.stream_load < load.json > seen.json     (a `Load` in, a `Seen` out)
"""

import asyncio
import sys
import time
from typing import cast

import msgspec
import uvloop


class Load(msgspec.Struct):
    """`streams` clients side by side, each posting its `bodies` one after the other; `mark` begins each streamed piece
    of an answer and `end` stands at the end of one. The clients start spread over `spread` seconds."""

    host: str
    port: int
    path: str
    headers: dict[str, str]
    bodies: list[list[str]]
    mark: str
    end: str
    spread: float


class Seen(msgspec.Struct):
    """What the clients saw: pieces, seconds from the first request to the last answer, and in seconds how long each
    answer's first piece took and the times between pieces that came one after the other."""

    pieces: int
    seconds: float
    first: list[float]
    gaps: list[float]


class Client(asyncio.Protocol):
    """One connection that reads streams and notes when their pieces come."""

    def __init__(self, load: Load, seen: Seen) -> None:
        self._mark, self._end = load.mark.encode(), load.end.encode()
        self._load = load
        self._seen = seen
        self._transport: asyncio.Transport | None = None
        self._tail = b""
        self._ended = False
        self._asked = self._last = 0.0
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to ask."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an answer gets none."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("the server left"))

    async def ask(self, body: str) -> None:
        """Post the body and read the answer to its end. Raises RuntimeError on any status but 200."""
        assert self._transport is not None
        content = body.encode()
        lines = [f"POST {self._load.path} HTTP/1.1", f"Host: {self._load.host}", f"Content-Length: {len(content)}"]
        lines.extend(f"{name}: {value}" for name, value in self._load.headers.items())
        self._done = asyncio.get_running_loop().create_future()
        self._tail, self._last, self._ended = b"", 0.0, False
        self._asked = time.perf_counter()
        self._transport.write("\r\n".join([*lines, "", ""]).encode() + content)
        await self._done

    def data_received(self, data: bytes) -> None:
        """Note the pieces that came."""
        try:
            self._take(data)
        except RuntimeError as error:
            assert self._done is not None
            self._done.set_exception(error)

    def _take(self, data: bytes) -> None:
        assert self._done is not None
        now = time.perf_counter()
        text = self._tail + data
        if not self._tail and not text.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {text[:600]!r}")
        if pieces := text.count(self._mark):
            self._seen.pieces += pieces
            if self._last:
                self._seen.gaps.append(now - self._last)
            else:
                self._seen.first.append(now - self._asked)
            self._last = now
        self._ended = self._ended or self._end in text
        if text.endswith(b"\r\n0\r\n\r\n"):
            if not self._ended:
                raise RuntimeError(f"an answer without {self._end!r}")
            self._done.set_result(None)
        # What may be the start of a mark or of the end; a whole one would be counted twice.
        self._tail = text[-(min(len(self._mark), len(self._end)) - 1) :]


async def main() -> None:
    """Read the load, put it on, print what was seen."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    seen = Seen(0, 0.0, [], [])
    loop = asyncio.get_running_loop()
    began = time.perf_counter()

    async def talk(number: int, bodies: list[str]) -> None:
        await asyncio.sleep(load.spread * number / len(load.bodies))
        transport, client = await loop.create_connection(lambda: Client(load, seen), load.host, load.port)
        for body in bodies:
            await client.ask(body)
        transport.close()

    await asyncio.gather(*(talk(number, bodies) for number, bodies in enumerate(load.bodies)))
    seen.seconds = time.perf_counter() - began
    sys.stdout.buffer.write(msgspec.json.encode(seen))


if __name__ == "__main__":
    uvloop.run(main())
