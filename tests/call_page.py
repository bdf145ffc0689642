"""A real Chromium on the call page, and a server that plays the other side of the page's WebSocket."""

import asyncio
import json
import os
import shutil
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import WSMsgType, web
from playwright.async_api import Browser, async_playwright

import tenantry

PAGE = Path(tenantry.__file__).parent / "channels" / "livekit_voice" / "page"
MICROPHONE_RATE = 48_000
PAGE_RATE = 16_000
SERVER_RATE = 24_000
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=user-gesture-required",
)


def need_page() -> str:
    """The path of Chromium. Skip without it or without the built page; where CI is true that is a failure.

    Raises: pytest's Skipped or Failed.
    """
    chromium = shutil.which("chromium")
    if chromium and (PAGE / "call.html").exists():
        return chromium
    reason = (
        "Chromium is not installed" if not chromium else "the call page is not built: `make web` builds it, with npm"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def browser(chromium: str, microphone: Path) -> AsyncIterator[Browser]:
    """A browser whose microphone hears this WAV file once, for contexts with the permission "microphone"."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=chromium,
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={microphone}%noloop"],
        )
        try:
            yield started
        finally:
            await started.close()


def write_tone(file: Path, hz: float, seconds: float) -> None:
    """A WAV file with a tone, for the microphone."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(MICROPHONE_RATE)
        out.writeframes(tone(hz, seconds, MICROPHONE_RATE))


def tone(hz: float, seconds: float, rate: int) -> bytes:
    """PCM16 LE mono of a tone."""
    return (np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate) * 12_000).astype("<i2").tobytes()


def loudest_hz(pcm: bytes, rate: int) -> float:
    """The frequency that has most of the power of PCM16 LE mono."""
    samples = np.frombuffer(pcm, "<i2")
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


class OtherSide:
    """Serves the page, answers its requests for a ticket by `ticket` or `refusal`, and is its WebSocket's other end.

    `credentials` are the second subprotocols of all connections, `requests` the bodies of all ticket requests with
    their site, `messages` what the page said in text, `frames` what it sent of audio.
    """

    def __init__(self) -> None:
        self.url = ""
        self.ticket: dict[str, Any] = {}
        self.refusal: web.Response | None = None
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.credentials: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.socket: web.WebSocketResponse | None = None
        self.open_to_calls = asyncio.Event()
        self.open_to_calls.set()
        self._changed = asyncio.Condition()

    async def say(self, **message: Any) -> None:
        """Send the page a text message."""
        assert self.socket is not None
        await self.socket.send_str(json.dumps(message))

    async def play(self, pcm: bytes) -> None:
        """Send the page audio at 24 kHz, all of it at once."""
        assert self.socket is not None
        for start in range(0, len(pcm), 4800):
            await self.socket.send_bytes(pcm[start : start + 4800])

    async def cut(self) -> None:
        """Break the connection as a network does, without a closing handshake."""
        assert self.socket is not None
        transport = self.socket._req.transport  # type: ignore[union-attr]  # aiohttp has no public way to do this
        assert transport is not None
        transport.abort()

    async def until(self, holds: Any, seconds: float = 10.0) -> None:
        """Wait for something that a message, a frame or a connection makes true. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(holds)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/call", self._page)
        app.router.add_static("/call/assets", PAGE / "assets")
        app.router.add_post("/api/livekit/token", self._token)
        app.router.add_get("/socket", self._socket)
        return app

    async def _page(self, _: web.Request) -> web.StreamResponse:
        policy = "default-src 'self'; connect-src 'self' ws:; style-src 'self'; script-src 'self'"
        return web.FileResponse(PAGE / "call.html", headers={"Content-Security-Policy": policy})

    async def _token(self, request: web.Request) -> web.Response:
        self.requests.append((request.headers.get("X-Tenantry-Site", ""), await request.json()))
        return self.refusal or web.json_response(
            {
                "transport": "websocket",
                "serverUrl": self.url.replace("http", "ws") + "/socket",
                "roomName": "room",
                "participantName": "caller",
                "participantToken": "first-token",
                "callId": "call-1",
                **self.ticket,
            }
        )

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        await self.open_to_calls.wait()
        socket = web.WebSocketResponse(protocols=("tenantry.call.v1",))
        await socket.prepare(request)
        self.socket = socket
        offered = [name.strip() for name in request.headers["Sec-WebSocket-Protocol"].split(",")]
        await self._note(self.credentials, offered[1])
        await self.say(type="ready", callId="call-1", resumeToken=f"resume-{len(self.credentials)}")
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await self._note(self.frames, message.data)
            elif message.type is WSMsgType.TEXT:
                await self._note(self.messages, json.loads(message.data))
        return socket

    async def _note(self, where: list[Any], what: Any) -> None:
        async with self._changed:
            where.append(what)
            self._changed.notify_all()


@asynccontextmanager
async def other_side() -> AsyncIterator[OtherSide]:
    """The other side, on loopback."""
    side = OtherSide()
    runner = web.AppRunner(side.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    side.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield side
    finally:
        await runner.cleanup()
