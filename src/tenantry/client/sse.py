"""Server-sent events (WHATWG HTML, 9.2.6) as they come over HTTP."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

_data = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `cursor` is its id, with which a stream goes on after it."""

    type: str
    data: Mapping[str, Any]
    cursor: str


class EventParser:
    """Makes events of bytes that come split anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._type = "message"
        self._cursor = ""
        self._lines: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that end in this chunk."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.removesuffix(b"\r").partition(b":")
            value = value.removeprefix(b" ")
            match name:
                case b"event":
                    self._type = value.decode()
                case b"id":
                    self._cursor = value.decode()
                case b"data":
                    self._lines.append(value)
                case b"" if not value and self._lines:
                    yield ServerEvent(self._type, _data.decode(b"\n".join(self._lines)), self._cursor)
                    self._type, self._lines = "message", []
                case _:
                    pass  # a comment, which only says that the server is there
