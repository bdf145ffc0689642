"""A strict model server on loopback that begins each answer at once and ends it when it may."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.wire_server import DONE, USAGE, chunk, request_faults

# How long is waited for what must come; nothing is ever waited for that long.
PATIENCE_S = 90.0


@dataclass
class HeldModel:
    """A strict model server that keeps each request open until it may answer. It begins each answer at once."""

    url: str = ""
    heard: list[list[dict[str, Any]]] = field(default_factory=list[list[dict[str, Any]]])
    faults: list[str] = field(default_factory=list[str])
    open: int = 0
    peak: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Repeat the last message, once it is allowed."""
        body = await request.json()
        self.faults.extend(request_faults(body))
        self.heard.append(body["messages"])
        await self._count(1)
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(chunk({"role": "assistant", "content": "You said: "}))
            await self.may_answer.wait()
            for part in (chunk({"content": body["messages"][-1]["content"]}), chunk(finish="stop"), USAGE, DONE):
                await response.write(part)
            return response
        finally:
            await self._count(-1)

    async def _count(self, change: int) -> None:
        async with self.changed:
            self.open += change
            self.peak = max(self.peak, self.open)
            self.changed.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds of the server."""
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(holds)


@asynccontextmanager
async def held_model() -> AsyncIterator[HeldModel]:
    """The server on loopback, which must have been sent nothing wrong."""
    model = HeldModel()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", model.complete)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1000).start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield model
        assert model.faults == []
    finally:
        model.may_answer.set()
        await runner.cleanup()
