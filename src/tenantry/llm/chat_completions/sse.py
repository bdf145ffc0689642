"""Server-sent events out of bytes as they come (WHATWG HTML, 9.2.6), of which only `data` matters here."""


class EventStream:
    """Turns chunks of bytes, split anywhere, into the data of whole events. Each byte is looked at once."""

    __slots__ = ("_after_cr", "_data", "_rest", "_started")

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._data: list[bytes] = []
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that end in this chunk, lines of one event joined by a line feed."""
        if chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") and not self._rest and not self._data:
            # Most chunks are whole events of one line each.
            whole = chunk[6:-2].split(b"\n\ndata: ")
            if chunk.count(b"\n") == 2 * len(whole) and b"\r" not in chunk:
                self._after_cr = False
                self._started = True
                return whole
        if b"\r" in chunk or self._after_cr:
            chunk = self._with_line_feeds(chunk)
        if b"\n" not in chunk:
            self._rest.append(chunk)
            return []
        if self._rest:
            self._rest.append(chunk)
            chunk = b"".join(self._rest)
        *lines, rest = chunk.split(b"\n")
        self._rest = [rest] if rest else []
        if not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
        return events

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk:
            self._after_cr = False
            # The carriage return before it has already ended the line.
            chunk = chunk.removeprefix(b"\n")
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
