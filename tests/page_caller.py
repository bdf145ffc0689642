"""A call page without a browser: it speaks, plays what comes at the pace of a loudspeaker, and keeps what it heard."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

PROTOCOL = "tenantry.call.v1"
_FRAME = 640  # bytes: 20 ms at 16,000 Hz
_SECOND = 48_000  # bytes of what the agent says
_BUFFER_S = 0.06


class PageCaller:
    """One socket of a page. `said` is what it has still to say, 16-bit PCM at 16,000 Hz; between, it is silent.
    `audio` is what it played, `messages` all that it was told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.said = bytearray()
        self.audio = bytearray()
        self.first_audio_at: float | None = None
        self.messages: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self._segment = 0  # bytes that came of the segment
        self._until = 0.0  # the clock, when what came will have been played
        self._cut_ms: float | None = None
        self._marks: dict[str, asyncio.TimerHandle] = {}

    async def run(self) -> None:
        """Speak and listen until the socket ends."""
        speaking = asyncio.create_task(self._speak())
        try:
            async for message in self.socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._play(message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    self._take(json.loads(message.data))
                async with self._news:
                    self._news.notify_all()
        finally:
            speaking.cancel()
            async with self._news:
                self._news.notify_all()

    async def until(self, found: Callable[[], Any], within_s: float = 10.0) -> Any:
        """Wait until this is true of what came, and give it."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(found)
        return found()

    async def tell(self, message: dict[str, Any]) -> None:
        """Send a message."""
        with suppress(ConnectionError):
            await self.socket.send_str(json.dumps(message))

    def told(self, kind: str) -> list[dict[str, Any]]:
        """All messages of that type."""
        return [message for message in self.messages if message["type"] == kind]

    def finals(self, role: str) -> list[str]:
        """What one side has said, as the captions have it."""
        return [m["text"] for m in self.told("transcript") if m["role"] == role and m["final"]]

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        with suppress(ConnectionError):
            while True:
                frame = bytes(self.said[:_FRAME]).ljust(_FRAME, b"\0")
                del self.said[:_FRAME]
                await self.socket.send_bytes(frame)
                due += 0.02
                await asyncio.sleep(max(due - loop.time(), 0))

    def _play(self, pcm: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self.first_audio_at = self.first_audio_at or time.monotonic()
        self._until = max(self._until, now + _BUFFER_S) + len(pcm) / _SECOND
        self._segment += len(pcm)
        self.audio += pcm

    def _take(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if message["type"] == "clear":
            self._clear()
        elif message["type"] == "mark":
            self._mark(message["id"])

    def _mark(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        if self._cut_ms is not None:
            self._answer({"type": "cleared", "id": name, "playedMs": self._cut_ms})
            self._cut_ms = None
        else:
            self._marks[name] = loop.call_at(self._until, self._played, name)
        self._segment = 0

    def _played(self, name: str) -> None:
        del self._marks[name]
        self._answer({"type": "played", "id": name})

    def _clear(self) -> None:
        now = asyncio.get_running_loop().time()
        left = max(self._until - now, 0.0)
        self._until = now
        if left:
            del self.audio[-int(left * _SECOND) // 2 * 2 :]
        if not self._marks:
            self._cut_ms = max(self._segment / _SECOND - left, 0.0) * 1000

    def _answer(self, message: dict[str, Any]) -> None:
        self._task = asyncio.ensure_future(self.tell(message))


@asynccontextmanager
async def page_call(url: str, credential: str, **headers: str) -> AsyncIterator[PageCaller]:
    """A page at the socket `url` with "bearer.…" or "resume.…"."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=[PROTOCOL, credential], headers=headers) as socket,
    ):
        caller = PageCaller(socket)
        running = asyncio.create_task(caller.run())
        try:
            yield caller
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
