"""Requests over real HTTP, under any key."""

import asyncio
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

# What stands for a method where a route is a WebSocket; also the name of its kind in the application.
SOCKET = "APIWebSocketRoute"
_SOCKET_S = 5.0
_ZIP = "application/zip"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: `path` with its parameters filled in."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """Everything of it as one text, to tell what an answer merely repeats."""
        return f"{self.path} {dict(self.query)} {msgspec.json.encode(self.body).decode()}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str

    def json(self) -> Any:
        """The body as JSON, or None when it is not."""
        try:
            return msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return None

    def field(self, name: str) -> Any:
        """A field of the body when that is an object, else None."""
        body = self.json()
        return body.get(name) if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def holds_any(self, marks: frozenset[str], request: Request) -> list[str]:
        """Which of the marks the answer holds and the request did not."""
        return sorted(mark for mark in marks if mark in self.text and mark not in request.text)


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _unpacked(body: bytes) -> str:
    """All files of a zip as one text."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return "\n".join(_text(archive.read(name)) for name in archive.namelist())


class Wire:
    """One server, any key."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(
        self,
        key: str | None,
        request: Request,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to the request under this key, or without one."""
        headers = {**(headers or {}), **({} if key is None else _bearer(key))}
        if request.method == SOCKET:
            return await self._socket(request, headers)
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        async with self._session.request(
            request.method,
            request.path,
            params=dict(request.query),
            data=None if request.body is None else msgspec.json.encode(request.body),
            headers=headers,
            cookies=cookies,
        ) as response:
            body = await response.read()
            return Answer(response.status, _unpacked(body) if response.content_type == _ZIP else _text(body))

    async def _socket(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """What comes through a socket up to the first reply: 101, or the status of the refused handshake."""
        heard: list[str] = []
        try:
            async with asyncio.timeout(_SOCKET_S), self._session.ws_connect(request.path, headers=headers) as socket:
                async for message in socket:
                    heard.append(str(message.data))
                    if '"type":"reply"' in heard[-1]:
                        break
        except aiohttp.WSServerHandshakeError as refused:
            return Answer(refused.status, "")
        except TimeoutError:
            pass
        return Answer(101, "\n".join(heard))

    async def listen(self, key: str, request: Request, done: Callable[[str], bool]) -> Answer:
        """What an answer that may never end holds by its end, until it is done by that, or for five seconds."""
        heard = ""
        status = 0
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(_SOCKET_S),
                self._session.get(request.path, params=dict(request.query), headers=_bearer(key)) as response,
            ):
                status = response.status
                async for part in response.content.iter_any():
                    heard += part.decode(errors="replace")
                    if done(heard):
                        break
        return Answer(status, heard)

    async def converse(
        self, key: str, request: Request, frames: Sequence[Mapping[str, Any]], done: Callable[[str], bool]
    ) -> Answer:
        """What a socket says to these frames until it is done by all that was heard, or for five seconds."""
        heard = ""
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(_SOCKET_S),
                self._session.ws_connect(request.path, params=dict(request.query), headers=_bearer(key)) as socket,
            ):
                for frame in frames:
                    await socket.send_str(msgspec.json.encode(frame).decode())
                async for message in socket:
                    heard += f"{message.data}\n"
                    if done(heard):
                        break
        return Answer(101, heard)

    async def reply(self, key: str, **body: Any) -> Answer:
        """`POST /api/agent/reply`; fields that are None are left out."""
        given = {name: value for name, value in body.items() if value is not None}
        return await self.send(key, Request("POST", "/api/agent/reply", body=given))


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
