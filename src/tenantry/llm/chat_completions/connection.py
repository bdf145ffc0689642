"""One HTTP/1.1 connection whose answers are read while they come.

Bytes go from the socket through the parser into the reader's hands without a stream object, a timer or a task in
between: that is most of what a streamed chunk costs.
"""

import asyncio
from typing import cast

import httptools

MAX_HEAD_BYTES = 64 * 2**10
# What may lie unread before the peer is made to wait.
_BUFFER_BYTES = 256 * 2**10


class ConnectionFault(Exception):
    """The connection gave no answer, or not all of it."""


class Disconnected(ConnectionFault):
    """The peer closed the connection before the end of its answer."""


class NotHttp(ConnectionFault):
    """What the peer sent is not HTTP/1.1."""


class HttpConnection(asyncio.Protocol):
    """A connection for one request at a time: `send`, `head`, then `read` until it gives nothing. `until` is the loop
    time at which a wait ends with TimeoutError."""

    __slots__ = (
        "_body",
        "_buffered",
        "_fault",
        "_framed",
        "_head_bytes",
        "_headed",
        "_loop",
        "_lost",
        "_parser",
        "_paused",
        "_timer",
        "_transport",
        "_until",
        "_waiter",
        "complete",
        "headers",
        "idle_since",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}  # of the answer, names in lower case
        self.complete = True  # no answer is waited for, or it has come to its end
        self.idle_since = 0.0  # for the pool, in loop time
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._lost = self._loop.create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._framed = False  # the answer says itself where it ends
        self._headed = False
        self._head_bytes = 0
        self._fault: ConnectionFault | None = None
        self._until = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return self.complete and self._fault is None and not self._body and self._transport is not None

    def send(self, request: bytes, until: float) -> None:
        """Send a request, head and body."""
        self.status = 0
        self.headers = {}
        self.complete = self._framed = self._headed = False
        self._head_bytes = 0
        self._parser = httptools.HttpResponseParser(self)
        self.wait_until(until)
        if self._transport is None:
            self._fail(Disconnected())
        else:
            self._transport.write(request)

    def wait_until(self, until: float) -> None:
        """Move the end of waiting; `until` is loop time in seconds."""
        self._until = until
        # The timer is moved when it fires; only an earlier end needs another one.
        if self._timer is not None and until < self._timer.when():
            self._timer.cancel()
            self._timer = None

    async def head(self) -> None:
        """Wait for the answer's status and headers. Raises ConnectionFault and TimeoutError."""
        while not self._headed:
            await self._more()

    async def read(self) -> bytes:
        """What has come of the body, empty at its end. Raises ConnectionFault and TimeoutError."""
        while not self._body:
            if self.complete:
                return b""
            await self._more()
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def _more(self) -> asyncio.Future[None]:
        """What to await for anything to come, until which this raises TimeoutError. Raises ConnectionFault."""
        if self._fault is not None:
            raise self._fault
        self._waiter = waiter = self._loop.create_future()
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._on_timer)
        return waiter

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._until:
            self._waiter.set_exception(TimeoutError())
        else:
            self._timer = self._loop.call_at(self._until, self._on_timer)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: ConnectionFault) -> None:
        self._fault = self._fault or fault
        self._wake()

    def abort(self) -> None:
        """Hang up at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    async def lost(self) -> None:
        """Wait until the connection is no more."""
        await asyncio.shield(self._lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected, and its TLS handshake done."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed: the end of an answer that goes on until then, the cut of every other."""
        self._transport = None
        if self._headed and not self._framed and exc is None and self._fault is None:
            self.complete = True
        self._fail(Disconnected())
        if not self._lost.done():
            self._lost.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def data_received(self, data: bytes) -> None:
        """Parse what came, and wake the reader."""
        if self.complete or self._fault is not None:
            self._not_http()
            return
        if not self._headed:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, UnicodeDecodeError):
            self._not_http()
            return
        if not self._headed and self._head_bytes > MAX_HEAD_BYTES:
            self._not_http()
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        elif self._buffered > _BUFFER_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _not_http(self) -> None:
        self._fail(NotHttp())
        self.abort()

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """The start of an answer, which only one that is waited for may have."""
        if self.complete:
            raise NotHttp

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self.headers[name.decode("ascii").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The end of the head; those before the last one, with a status of 1xx, are passed over."""
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers = {}
            return
        self._headed = True
        self._framed = "content-length" in self.headers or "transfer-encoding" in self.headers

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        """The end of the body."""
        if not self._headed:
            return
        self.complete = True
        if not self._parser.should_keep_alive():
            self._fault = Disconnected()
