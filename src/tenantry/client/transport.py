"""Requests to one server under one API key, and their answers as types."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any, TypeVar, cast

import aiohttp
import msgspec

from tenantry.client.errors import ApiError, ServerUnreachable
from tenantry.client.sse import EventParser, ServerEvent

T = TypeVar("T")

_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_JSON = {"Content-Type": "application/json"}
_BYTES = {"Content-Type": "application/octet-stream"}
# Seconds before what may be sent again is, and the longest that a server may ask to wait for that.
_WAITS = (0.2, 1.0)
_LONGEST_WAIT = 5.0
_PAGE = 100


class _Page(msgspec.Struct):
    items: tuple[msgspec.Raw, ...]
    next_cursor: str | int | None = None


def given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


class Transport:
    """One server and one key. What only reads, and what the caller says is safe, is sent again when no answer came or
    the server is away for a moment; anything else is sent once."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def call(
        self,
        method: str,
        path: str,
        into: type[T],
        *,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        repeatable: bool = False,
    ) -> T:
        """The answer as a value of type `into`, which may have more fields than that type. A body of bytes is sent as
        it is, any other as JSON. Parameters that are None are left out. Raises ApiError."""
        for wait in _WAITS if repeatable or method == "GET" else ():
            try:
                return await self._once(method, path, into, body, params)
            except ApiError as error:
                if not _may_pass(error):
                    raise
                await asyncio.sleep(max(wait, error.retry_after or 0))
        return await self._once(method, path, into, body, params)

    async def call_with_cookies(
        self, method: str, path: str, into: type[T], *, body: object = None, params: Mapping[str, Any] | None = None
    ) -> tuple[T, dict[str, str]]:
        """The answer as a value of type `into`, and the cookies that it sets. Raises ApiError."""
        content, cookies = await self.send(method, path, body=body, params=params)
        return msgspec.json.decode(content, type=into), cookies

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> tuple[bytes, dict[str, str]]:
        """The answer as it came, once, and the cookies that it sets. Raises ApiError."""
        headers = _BYTES if isinstance(body, bytes) else _JSON
        try:
            async with self._session.request(
                method, path, data=_encoded(body), params=_query(params), headers=headers, cookies=cookies
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ServerUnreachable(self._url, error or type(error).__name__) from error
        if response.status >= 400:
            raise _problem(response, content)
        return content, {name: morsel.value for name, morsel in response.cookies.items()}

    async def pages(self, path: str, into: type[T], **params: Any) -> AsyncGenerator[T]:
        """The items of a list one by one, page after page. Raises ApiError."""
        cursor: str | int | None = None
        while True:
            page = await self.call("GET", path, _Page, params={"limit": _PAGE, "cursor": cursor, **params})
            for item in page.items:
                yield msgspec.json.decode(item, type=into)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def stream(
        self, method: str, path: str, *, body: object = None, params: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[ServerEvent]:
        """The events of an answer while they come. Raises ApiError, and ServerUnreachable when it breaks off."""
        parser = EventParser()
        async with aclosing(self._pieces(method, path, body, params)) as pieces:
            async for piece in pieces:
                for event in parser.feed(piece):
                    yield event

    def download(self, path: str) -> AsyncGenerator[bytes]:
        """A file, piece by piece. Raises ApiError, and ServerUnreachable when it breaks off."""
        return self._pieces("GET", path, None, None)

    async def _pieces(
        self, method: str, path: str, body: object, params: Mapping[str, Any] | None
    ) -> AsyncGenerator[bytes]:
        try:
            async with self._session.request(
                method, path, data=_encoded(body), params=_query(params), headers=_JSON, timeout=_STREAM_TIMEOUT
            ) as response:
                if response.status >= 400:
                    raise _problem(response, await response.read())
                async for piece in response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ServerUnreachable(self._url, error or type(error).__name__) from error

    async def _once(self, method: str, path: str, into: type[T], body: object, params: Mapping[str, Any] | None) -> T:
        content, _ = await self.send(method, path, body=body, params=params)
        return msgspec.json.decode(content or b"null", type=into)


def _encoded(body: object) -> bytes | None:
    return body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)


def _query(params: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    return [(name, text) for name, value in (params or {}).items() for text in _texts(value)]


def _texts(value: object) -> Iterator[str]:
    match value:
        case None:
            return
        case bool():
            yield str(value).lower()
        case datetime():
            yield value.isoformat()
        case list() | tuple():
            for item in cast(list[object] | tuple[object, ...], value):
                yield from _texts(item)
        case _:
            yield str(value)


def _problem(response: aiohttp.ClientResponse, content: bytes) -> ApiError:
    retry_after: float | None = None
    with suppress(ValueError):
        retry_after = float(response.headers.get("Retry-After", ""))
    try:
        body = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        # Not ours: of a proxy on the way.
        body = {"detail": content[:200].decode(errors="replace") or response.reason}
    return ApiError(response.status, body, retry_after)


def _may_pass(error: ApiError) -> bool:
    return error.retryable and error.status in (0, 503) and (error.retry_after or 0) <= _LONGEST_WAIT
