"""The pipe between the server and a call process: a Unix socket that carries what the page and the agent say.

Every frame is one byte for its kind, four for the length of what follows (big-endian), and that. The server sends one
`start` first: a JSON object of `serverUrl`, `claim` (`client.call_session.Claim`) and `callerThere`. Then both ways go
`audio` (16-bit mono PCM, little-endian: 16,000 Hz towards the agent, 24,000 Hz from it) and `text` (the messages of
`web/src/call/protocol.ts`, as they are). The server tells with `caller` that the page is there ("1") or not ("0"), the
process with `alive`, every two seconds, that it is not stuck. A pipe that ends before the call has ended means that the
process is dead."""

import asyncio
import socket
from enum import Enum
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec

_HEAD = Struct(">cI")
ALIVE_S = 2.0
_LIMIT = 256 * 1024  # bytes of one frame
_BUFFER = 64 * 1024


class Kind(Enum):
    """What a frame is."""

    START = b"s"
    AUDIO = b"a"
    TEXT = b"t"
    CALLER = b"c"
    ALIVE = b"l"


Frame = tuple[Kind, bytes]


class Pipe:
    """One end of a pipe."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, path: Path) -> "Pipe":
        """A pipe to whoever listens on the Unix socket `path`. Raises OSError."""
        return cls(*await asyncio.open_unix_connection(path, limit=_BUFFER))

    @classmethod
    async def of(cls, connected: socket.socket) -> "Pipe":
        """The pipe over a connected socket."""
        return cls(*await asyncio.open_unix_connection(sock=connected, limit=_BUFFER))

    async def read(self) -> Frame | None:
        """The next frame; None when the other end is gone."""
        try:
            kind, size = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            if size > _LIMIT:
                return None
            return Kind(kind), await self._reader.readexactly(size)
        except (EOFError, OSError, ValueError):
            return None

    def send(self, kind: Kind, data: bytes = b"") -> None:
        """Send a frame soon; nothing happens when the other end is gone."""
        if not self._writer.is_closing():
            self._writer.write(_HEAD.pack(kind.value, len(data)) + data)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message of the page's protocol."""
        self.send(Kind.TEXT, msgspec.json.encode(message))

    async def drain(self) -> None:
        """Wait until the other end has taken most of what was sent."""
        try:
            await self._writer.drain()
        except OSError:
            return

    async def close(self) -> None:
        """Close the pipe once everything is sent."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return

    def abort(self) -> None:
        """Close the pipe at once."""
        self._writer.transport.abort()
