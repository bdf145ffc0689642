"""The pooled connections to one origin."""

import asyncio
import functools
import socket
import ssl
from typing import Any

from yarl import URL

from tenantry.llm.chat_completions.connection import ConnectionFault, HttpConnection
from tenantry.outbound.sockets import SocketFactory

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

_CONNECTIONS = 1000
_CONNECT_SECONDS = 5.0
_KEEP_ALIVE_SECONDS = 60.0
_LOOKUP_SECONDS = 60.0


class NotReached(ConnectionFault):
    """No connection could be made; the cause is in `__cause__`."""


def open_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for any address."""
    family, kind, protocol, _, _ = address
    return socket.socket(family, kind, protocol)


class Connections:
    """Connections to the origin of `url`, kept open between requests and at most 1,000 at once."""

    def __init__(self, url: URL, socket_factory: SocketFactory = open_socket) -> None:
        self._host = url.raw_host if url.scheme in {"http", "https"} else None
        self._port = url.port
        self._tls = tls_context() if url.scheme == "https" else None
        self._socket_factory = socket_factory
        self._idle: list[HttpConnection] = []
        self._open: set[HttpConnection] = set()
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._addresses: list[AddressInfo] = []
        self._looked_up = 0.0

    async def take(self) -> HttpConnection:
        """A connection that nobody uses; `give_back` is due. Raises NotReached, also after 5 s without one made."""
        await self._places.acquire()
        try:
            return self._from_pool() or await self._connect()
        except BaseException:
            self._places.release()
            raise

    def give_back(self, connection: HttpConnection) -> None:
        """Keep the connection for the next request where its answer came to its end, else hang up."""
        self._places.release()
        if connection.reusable and connection in self._open:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            self._open.discard(connection)
            connection.abort()

    async def close(self) -> None:
        """Hang up everywhere; answers that are being read end as cut."""
        connections = list(self._open)
        self._open.clear()
        self._idle.clear()
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.lost() for connection in connections))

    def _from_pool(self) -> HttpConnection | None:
        stale = asyncio.get_running_loop().time() - _KEEP_ALIVE_SECONDS
        # The oldest stand first: what is stale goes, so that a busy hour leaves nothing open.
        while self._idle and (self._idle[0].idle_since < stale or not self._idle[0].reusable):
            self._drop(self._idle.pop(0))
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            self._drop(connection)
        return None

    def _drop(self, connection: HttpConnection) -> None:
        self._open.discard(connection)
        connection.abort()

    async def _connect(self) -> HttpConnection:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection = await self._connect_any(await self._lookup())
        except (OSError, UnicodeError) as error:
            raise NotReached from error
        self._open.add(connection)
        return connection

    async def _lookup(self) -> list[AddressInfo]:
        if self._host is None:
            raise OSError("the URL is none of HTTP")
        loop = asyncio.get_running_loop()
        if not self._addresses or loop.time() - self._looked_up > _LOOKUP_SECONDS:
            self._addresses = list(
                await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            )
            self._looked_up = loop.time()
        return self._addresses

    async def _connect_any(self, addresses: list[AddressInfo]) -> HttpConnection:
        fault: OSError = OSError("the name has no address")
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                # One address that drops what it is sent must not take the time of the others.
                async with asyncio.timeout(_CONNECT_SECONDS / (left + 1) if left > 1 else None):
                    return await self._connect_to(address)
            except OSError as error:
                fault = error
        # A name may have moved.
        self._addresses = []
        raise fault

    async def _connect_to(self, address: AddressInfo) -> HttpConnection:
        loop = asyncio.get_running_loop()
        connected = self._socket_factory(address)
        try:
            connected.setblocking(False)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            await loop.sock_connect(connected, address[4])
            _, connection = await loop.create_connection(
                HttpConnection, sock=connected, ssl=self._tls, server_hostname=self._host if self._tls else None
            )
        except BaseException:
            connected.close()
            raise
        return connection


@functools.cache
def tls_context() -> ssl.SSLContext:
    """That of every connection over TLS, with the system's trusted certificates or those of `SSL_CERT_FILE`."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
