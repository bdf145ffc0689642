"""The one HTTP client that tenants' calls go through: which addresses, how far, how long and how much is bounded."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.sockets import AddressNotAllowed, guarded_sockets

MAX_ANSWER = 256 * 1024
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Shorter than the 5 s after which common servers drop an idle connection, so that no call meets a closed one.
_KEEP_ALIVE_S = 4.0
_CONNECTIONS = 500
# One slow service must not take the connections of all others.
_CONNECTIONS_TO_ONE = 50


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """What is to be sent. `own_headers` go to the origin of `url` only, `headers` also where it redirects to."""

    method: str
    url: str
    headers: Mapping[str, str]
    own_headers: Mapping[str, str]
    body: bytes | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class OutboundAnswer:
    """A final answer; `body` is empty unless the status is 2xx."""

    status: int
    body: bytes


class CallFailed(Exception):
    """No usable answer came: `reason` is a stable word, `message` a sentence. With `sent`, the request may have
    reached the service."""

    def __init__(self, reason: str, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.sent = sent


@dataclass(frozen=True, slots=True)
class OutboundStream:
    """An answer that is read as it comes, whatever its status; `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    _response: aiohttp.ClientResponse

    async def chunks(self, limit: int = MAX_ANSWER) -> AsyncGenerator[bytes]:
        """The body, at most `limit` bytes of it. Raises CallFailed."""
        size = 0
        with _faults():
            async for chunk in self._response.content.iter_any():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                yield chunk


class OutboundHttp:
    """One pool of connections for a process; it is opened by the first request. `resolver` is the system's unless
    given."""

    def __init__(self, policy: NetworkPolicy, resolver: AbstractResolver | None = None) -> None:
        self._policy = policy
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._unawaited: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close the pool; the next request opens another."""
        for task in self._unawaited:
            task.cancel()
        await asyncio.gather(*self._unawaited, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: OutboundRequest) -> OutboundAnswer:
        """Send the request and follow its redirects. Raises CallFailed."""
        try:
            with _faults():
                async with asyncio.timeout(request.timeout_s):
                    return await self._follow(request)
        except TimeoutError as error:
            message = f"The service did not answer within {request.timeout_s:g} seconds."
            raise CallFailed("timeout", message, sent=True) from error

    @asynccontextmanager
    async def stream(self, request: OutboundRequest) -> AsyncGenerator[OutboundStream]:
        """Send the request without following redirects; how long it may take is the caller's to say. Raises
        CallFailed."""
        with _faults():
            response = await self._opened().request(
                request.method,
                URL(request.url, encoded=True),
                headers={**request.own_headers, **request.headers},
                data=request.body,
                allow_redirects=False,
            )
        try:
            _check_encoding(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            yield OutboundStream(response.status, headers, response)
        finally:
            response.release()

    def notify(self, request: OutboundRequest) -> None:
        """Send the request, while the caller goes on; nobody learns what came of it."""
        task = asyncio.create_task(self._notify(request))
        self._unawaited.add(task)
        task.add_done_callback(self._unawaited.discard)

    async def _notify(self, request: OutboundRequest) -> None:
        with suppress(CallFailed, TimeoutError):
            async with asyncio.timeout(request.timeout_s), self.stream(request):
                pass

    async def _follow(self, request: OutboundRequest) -> OutboundAnswer:
        # What was written is what is sent: nothing is decoded and encoded again on the way.
        url = URL(request.url, encoded=True)
        redirects = 0
        while True:
            async with self._opened().request(
                request.method,
                url,
                headers={**request.own_headers, **request.headers},
                data=request.body,
                allow_redirects=False,
            ) as response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or location is None:
                    return OutboundAnswer(response.status, await _body(response))
            redirects += 1
            if redirects > MAX_REDIRECTS:
                message = f"The service redirected more than {MAX_REDIRECTS} times."
                raise CallFailed(f"http_{response.status}", message, sent=True)
            target = _target(url, location)
            request, url = _redirected(request, url, target, response.status), target

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver,
                    socket_factory=guarded_sockets(self._policy),
                    keepalive_timeout=_KEEP_ALIVE_S,
                    limit=_CONNECTIONS,
                    limit_per_host=_CONNECTIONS_TO_ONE,
                ),
                # A cookie of one tenant's service must not come along with another tenant's call.
                cookie_jar=aiohttp.DummyCookieJar(),
                # Compressed answers are not asked for and not read: nothing small can become large.
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
            # aiohttp would send PUT and DELETE again by itself after a broken connection.
            self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return self._session


@contextmanager
def _faults() -> Generator[None]:
    """The faults of the HTTP client as what they mean for the call."""
    try:
        yield
    except aiohttp.InvalidURL as error:
        # Among them numbers that the system would take for an address, such as 2130706433.
        raise _not_allowed() from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, AddressNotAllowed):
            raise _not_allowed() from error
        raise _unreachable() from error
    except UnicodeError as error:
        # A host name that cannot be asked for in DNS.
        raise _unreachable() from error
    except aiohttp.ClientResponseError as error:
        raise CallFailed("bad_answer", "The service did not answer in HTTP.", sent=True) from error
    except aiohttp.ClientError as error:
        raise CallFailed("refused", "The service broke the connection off.", sent=True) from error


def _not_allowed() -> CallFailed:
    message = "The address of the service is not one that calls may go to."
    return CallFailed("address_not_allowed", message, sent=False)


def _unreachable() -> CallFailed:
    return CallFailed("refused", "The service could not be reached.", sent=False)


def _target(url: URL, location: str) -> URL:
    """Where a redirect leads to. Raises CallFailed for where calls may not go."""
    try:
        target = url.join(URL(location)).with_user(None)
    except ValueError as error:
        raise _not_allowed() from error
    downgraded = url.scheme == "https" and target.scheme != "https"
    if target.scheme not in {"http", "https"} or not target.raw_host or downgraded:
        raise _not_allowed()
    return target


def _redirected(request: OutboundRequest, url: URL, target: URL, status: int) -> OutboundRequest:
    """The request as it goes on (RFC 9110, 15.4): 303, and by custom 301 and 302 after POST, ask with GET."""
    if url.origin() != target.origin():
        request = replace(request, own_headers={})
    if status == 303 or (status in {301, 302} and request.method == "POST"):
        headers = {name: value for name, value in request.headers.items() if name != "Content-Type"}
        request = replace(request, method="GET", headers=headers, body=None)
    return request


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if not 200 <= response.status < 300:
        return b""
    _check_encoding(response)
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise _too_large(MAX_ANSWER)
    return bytes(body)


def _check_encoding(response: aiohttp.ClientResponse) -> None:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CallFailed("bad_answer", "The service compressed its answer although asked not to.", sent=True)


def _too_large(limit: int) -> CallFailed:
    return CallFailed("too_large", f"The answer is larger than {limit // 1024} KiB.", sent=True)
