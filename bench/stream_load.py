"""The load of the benchmark of streams, a process of its own so that its CPU time counts for nobody.

usage: python -m bench.stream_load < load.json > seen.json     (a `Load` in, a `Seen` out)
"""

import socket
import sys
import time

import msgspec

BEAT_SECONDS = 0.002


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


class Client:
    """One connection that asks, and notes when the pieces of its answers come."""

    def __init__(self, load: Load, seen: Seen, bodies: list[str]) -> None:
        self._mark, self._end = load.mark.encode(), load.end.encode()
        self._load = load
        self._seen = seen
        self._bodies = bodies
        self._socket: socket.socket | None = None
        self._tail = b""
        self._ended = False
        self._asked = self._last = 0.0

    def ask(self) -> bool:
        """Post the next body; False when there is none."""
        if not self._bodies:
            return False
        if self._socket is None:
            self._socket = socket.create_connection((self._load.host, self._load.port))
        content = self._bodies.pop().encode()
        lines = [f"POST {self._load.path} HTTP/1.1", f"Host: {self._load.host}", f"Content-Length: {len(content)}"]
        lines.extend(f"{name}: {value}" for name, value in self._load.headers.items())
        self._tail, self._last, self._ended = b"", 0.0, False
        self._asked = time.perf_counter()
        self._socket.setblocking(True)
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        self._socket.setblocking(False)
        return True

    def read(self) -> bool:
        """Take what has come; whether that was the end of the answer. Raises RuntimeError on any status but 200."""
        assert self._socket is not None
        try:
            data = self._socket.recv(2**16)
        except BlockingIOError:
            return False
        text = self._tail + data
        if not data or (not self._tail and not text.startswith(b"HTTP/1.1 200")):
            raise RuntimeError(f"the server answered {text[:600]!r}")
        if pieces := text.count(self._mark):
            now = time.perf_counter()
            self._seen.pieces += pieces
            if self._last:
                self._seen.gaps.append(now - self._last)
            else:
                self._seen.first.append(now - self._asked)
            self._last = now
        self._ended = self._ended or self._end in text
        # What may be the start of a mark or of the end; a whole one would be counted twice.
        self._tail = text[-(min(len(self._mark), len(self._end)) - 1) :]
        if not text.endswith(b"\r\n0\r\n\r\n"):
            return False
        if not self._ended:
            raise RuntimeError(f"an answer without {self._end!r}")
        return True


def main() -> None:
    """Read the load, put it on, print what was seen."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    seen = Seen(0, 0.0, [], [])
    waiting = [Client(load, seen, bodies) for bodies in load.bodies]
    pause = load.spread / len(waiting)
    reading: list[Client] = []
    began = time.perf_counter()
    while waiting or reading:
        beat = time.perf_counter()
        while waiting and beat - began >= pause * (len(load.bodies) - len(waiting)):
            client = waiting.pop()
            if client.ask():
                reading.append(client)
        reading = [client for client in reading if not client.read() or client.ask()]
        # A reader that slept on its sockets would be woken by each write, and the server's time be charged with it;
        # other machines' readers cost a server nothing.
        time.sleep(max(0.0, beat + BEAT_SECONDS - time.perf_counter()))
    seen.seconds = time.perf_counter() - began
    sys.stdout.buffer.write(msgspec.json.encode(seen))


if __name__ == "__main__":
    main()
