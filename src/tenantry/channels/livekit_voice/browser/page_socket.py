"""The WebSocket of a call page, held to what a page may send."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import WebSocket, WebSocketDisconnect

PROTOCOL = "tenantry.call.v1"
GOING_AWAY, POLICY, TRY_LATER, REFUSED, SUPERSEDED = 1001, 1008, 1013, 4401, 4409
_MAX_FRAME = 8 * 1024  # bytes
_RATE = 80.0  # frames a second; a microphone makes 50
_BURST = 400.0  # frames that may come at once, as after a network that hung


class PageSocket:
    """One socket of a page."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._clock = asyncio.get_running_loop().time
        self._allowed = _BURST
        self._counted_at = self._clock()

    async def frames(self) -> AsyncGenerator[bytes | str]:
        """What the page sends, audio as bytes; ends with the socket, and ends it for what is too large or too much."""
        while True:
            try:
                message = await self._websocket.receive()
            except RuntimeError:
                return
            if message["type"] != "websocket.receive":
                return
            data: bytes | str = message.get("bytes") or message.get("text") or b""
            if len(data) > _MAX_FRAME:
                await self.refuse("frame_too_large", f"Send at most {_MAX_FRAME:,} bytes at once.", POLICY)
                return
            if not self._in_time():
                await self.refuse("too_many_frames", f"Send at most {_RATE:.0f} frames a second.", POLICY)
                return
            yield data

    def _in_time(self) -> bool:
        now = self._clock()
        self._allowed = min(_BURST, self._allowed + (now - self._counted_at) * _RATE) - 1
        self._counted_at = now
        return self._allowed >= 0

    async def send(self, data: bytes | str) -> None:
        """Send a frame; nothing happens when the socket is closed."""
        with suppress(RuntimeError, WebSocketDisconnect):
            if isinstance(data, bytes):
                await self._websocket.send_bytes(data)
            else:
                await self._websocket.send_text(data)

    async def tell(self, message: dict[str, Any]) -> None:
        """Send a message."""
        await self.send(msgspec.json.encode(message).decode())

    async def refuse(self, code: str, detail: str, close_code: int, *, retryable: bool = False) -> None:
        """Say why, and close."""
        await self.tell({"type": "error", "code": code, "detail": detail, "retryable": retryable})
        await self.close(close_code)

    async def close(self, code: int = 1000) -> None:
        """Close the socket, if it is open."""
        with suppress(RuntimeError, WebSocketDisconnect):
            await self._websocket.close(code)
