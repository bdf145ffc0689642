"""From a request's bytes to the chunks of its answer: one pool, one watch over the time, the faults of the way."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import msgspec
from yarl import URL

from tenantry.llm.base import ModelFault
from tenantry.llm.chat_completions.connection import ConnectionFault, HttpConnection, NotHttp
from tenantry.llm.chat_completions.connections import Connections, NotReached, open_socket
from tenantry.llm.chat_completions.endpoint import Endpoint, Patience
from tenantry.llm.chat_completions.faults import from_status, from_stream
from tenantry.llm.chat_completions.sse import EventStream
from tenantry.llm.chat_completions.wire import Chunk, decode_chunk
from tenantry.outbound.sockets import AddressNotAllowed, SocketFactory

MAX_ANSWER_BYTES = 8 * 2**20
_MAX_ERROR_BYTES = 64 * 2**10
# What follows the last event is the end of the body, which frees the connection for the next request.
_END_OF_BODY_SECONDS = 0.25
_DONE = b"[DONE]"


class Progress(Protocol):
    """How far an answer is, which decides how long is waited and whether silence is its end."""

    finish_reason: str | None
    tokens: int


class Transport:
    """Sends requests to one endpoint over pooled connections. `socket_factory` may refuse addresses."""

    def __init__(self, name: str, endpoint: Endpoint, socket_factory: SocketFactory = open_socket) -> None:
        """`name` is the model's, for the faults."""
        self._name = name
        self._patience = endpoint.patience
        url = _url(endpoint.base_url)
        self._connections = Connections(url, socket_factory)
        self._head = _head(url, endpoint.api_key)

    async def close(self) -> None:
        """Close the pooled connections; answers that are still being read end as cut."""
        await self._connections.close()

    @asynccontextmanager
    async def open(self, body: bytes, deadline: float) -> AsyncGenerator["ChunkStream"]:
        """Post the JSON and give its answer, which ends before `deadline` in loop time. Raises ModelFault when the
        answer is no stream. Who leaves before its end hangs up."""
        if self._head is None:
            raise ModelFault("auth", f"{self._name} has a key that no header can hold")
        watch = _Watch(self._name, self._patience, deadline)
        try:
            async with asyncio.timeout_at(watch.until):
                connection = await self._connections.take()
        except TimeoutError:
            raise watch.too_late() from None
        except NotReached as fault:
            if isinstance(fault.__cause__, AddressNotAllowed):
                message = f"{self._name} is at an address that models may not be asked at"
                raise ModelFault("refused", message) from fault
            raise ModelFault("refused", f"{self._name} cannot be reached", retryable=True) from fault
        try:
            stream = ChunkStream(self._name, connection, watch)
            await stream.begin(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            yield stream
            await stream.end()
        finally:
            self._connections.give_back(connection)


class ChunkStream:
    """The answer to one request."""

    __slots__ = ("_connection", "_done", "_events", "_fault", "_name", "_size", "_tokens", "_watch")

    def __init__(self, name: str, connection: HttpConnection, watch: "_Watch") -> None:
        self._name = name
        self._connection = connection
        self._watch = watch
        self._events = EventStream()
        self._fault: ModelFault | None = None  # what ends the stream after the chunks that are given
        self._done = False
        self._size = self._tokens = 0

    async def begin(self, request: bytes) -> None:
        """Send the request and wait for the head of a stream. Raises ModelFault when the answer is another."""
        connection = self._connection
        connection.send(request, self._watch.until)
        try:
            await connection.head()
        except TimeoutError:
            raise self._watch.too_late() from None
        except NotHttp as fault:
            raise ModelFault("server", f"{self._name} did not answer in HTTP", retryable=True) from fault
        except ConnectionFault as fault:
            raise self._cut() from fault
        kind = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        if connection.status != 200 or kind == "application/json":
            raise await self._told()

    async def chunks(self, answer: Progress) -> list[Chunk]:
        """The chunks that have come, at least one; none after `[DONE]`, or at the end of the body where the answer has
        told that it is finished. Raises ModelFault."""
        if self._fault is not None:
            raise self._fault
        if answer.tokens != self._tokens:
            self._tokens = answer.tokens
            self._connection.wait_until(self._watch.token())
        while not self._done:
            try:
                data = await self._connection.read()
            except (ConnectionFault, TimeoutError) as fault:
                if answer.finish_reason is None:
                    raise self._broken(fault) from fault
                break
            if not data:
                if answer.finish_reason is None:
                    raise self._cut()
                break
            if chunks := self._decoded(data):
                return chunks
        return []

    async def end(self) -> None:
        """Read what follows the last chunk."""
        if not self._connection.complete:
            self._connection.wait_until(asyncio.get_running_loop().time() + _END_OF_BODY_SECONDS)
            with suppress(ConnectionFault, TimeoutError):
                while await self._connection.read():
                    pass

    def _decoded(self, data: bytes) -> list[Chunk]:
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            raise ModelFault("bad_answer", f"{self._name} gave more than {MAX_ANSWER_BYTES} bytes")
        chunks: list[Chunk] = []
        for event in self._events.feed(data):
            if event == _DONE:
                self._done = True
                break
            try:
                chunk = decode_chunk(event)
            except (msgspec.DecodeError, UnicodeDecodeError):
                message = f"{self._name} sent an event that is not of the wire"
                self._fault = ModelFault("bad_answer", message)
                break
            if chunk.error is not None:
                self._fault = from_stream(self._name, chunk.error)
                break
            chunks.append(chunk)
        if self._fault is not None and not chunks:
            raise self._fault
        return chunks

    def _broken(self, fault: ConnectionFault | TimeoutError) -> ModelFault:
        if isinstance(fault, TimeoutError):
            return self._watch.too_late()
        return ModelFault("cut", f"{self._name} broke off its answer", retryable=True)

    async def _told(self) -> ModelFault:
        connection = self._connection
        body = b""
        with suppress(ConnectionFault, TimeoutError):
            while len(body) < _MAX_ERROR_BYTES and (data := await connection.read()):
                body += data
        if connection.status == 200:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                if (error := decode_chunk(body).error) is not None:
                    return from_stream(self._name, error)
            return ModelFault("bad_answer", f"{self._name} answered with JSON where a stream was asked for")
        after = {"Retry-After": connection.headers.get("retry-after", "")}
        return from_status(self._name, connection.status, after, body)

    def _cut(self) -> ModelFault:
        return ModelFault("cut", f"{self._name} ended the connection before its answer", retryable=True)


class _Watch:
    """How long one try is waited for. Only tokens count: a server that keeps the connection alive with comments is
    still one that says nothing."""

    __slots__ = ("_begun", "_deadline", "_loop", "_name", "_patience", "until")

    def __init__(self, name: str, patience: Patience, deadline: float) -> None:
        self._name = name
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._begun = False
        self.until = min(self._loop.time() + patience.first_token, deadline)

    def token(self) -> float:
        """A token has come: the loop time until which the next one is waited for."""
        self._begun = True
        self.until = min(self._loop.time() + self._patience.between_tokens, self._deadline)
        return self.until

    def too_late(self) -> ModelFault:
        """The fault of the time that has run out."""
        if self._loop.time() >= self._deadline:
            return ModelFault("timeout", f"{self._name} took longer than {self._patience.total:g} s")
        if self._begun:
            return ModelFault("stalled", f"{self._name} fell silent for {self._patience.between_tokens:g} s")
        return ModelFault("timeout", f"{self._name} said nothing for {self._patience.first_token:g} s")


def _url(base_url: str) -> URL:
    try:
        return URL(f"{base_url.rstrip('/')}/chat/completions")
    except ValueError:
        # An address that cannot be one is told as any other where nobody answers.
        return URL()


def _head(url: URL, api_key: str) -> bytes | None:
    """The request's head up to the length of its body; None where the key would not stay in its line."""
    if not api_key.isascii() or not api_key.isprintable():
        return None
    lines = [
        f"POST {url.raw_path_qs} HTTP/1.1",
        f"Host: {url.host_port_subcomponent}",
        "Content-Type: application/json",
        "Accept: text/event-stream",
        "Accept-Encoding: identity",
        "User-Agent: tenantry",
        *([f"Authorization: Bearer {api_key}"] if api_key else []),
        "Content-Length: ",
    ]
    return "\r\n".join(lines).encode("ascii")
