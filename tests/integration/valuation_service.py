"""A tenant's own HTTP service that remembers what it was sent."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import web

from tenantry.outbound.client import MAX_ANSWER

ESTIMATE = {"status": "final", "data": {"estimate": 512000, "currency": "USD", "comparables": [{"price": 498000}]}}


@dataclass
class Received:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Service:
    """The service; `effects` is how many different orders it carried out, by Idempotency-Key."""

    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    effects: set[str] = field(default_factory=set[str])
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def last(self) -> Received:
        return self.received[-1]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = await request.json() if text else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.method, request.raw_path, dict(request.query), headers, body))
        self.effects.add(headers.get("idempotency-key", ""))
        kind, _, rest = request.match_info["kind"].partition(":")
        # "drop:1" drops the first request only, "hang:1" answers all but the first.
        if kind == "drop" and len(self.received) <= int(rest or 99):
            assert request.transport is not None
            request.transport.abort()
        if kind == "hang" and len(self.received) <= int(rest or 99):
            await self.over.wait()
        if kind == "echo":
            return web.json_response(_echoed(headers), status=int(rest or 200))
        if kind == "trickle":
            return await self._trickle(request)
        if kind == "redirect":
            location = request.query.get("to") or request.path
            return web.Response(status=int(rest), headers={"Location": location})
        return _plain(kind, rest)

    async def _trickle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 1024)


def _echoed(headers: dict[str, str]) -> dict[str, Any]:
    """The key that came, in every form in which services quote it."""
    sent = headers["authorization"]
    key = sent.removeprefix("Bearer ")
    return {
        "sent": sent,
        "in_json": json.dumps({"you sent": sent}),
        "in_url": f"https://x.example/?key={quote(key, safe='')}",
        "in_base64": base64.b64encode(f"user:{key}".encode()).decode(),
        "at_a_cut": "x" * 997 + key,
        key: "a name",
        "ok": "kept",
    }


def _plain(kind: str, rest: str) -> web.Response:
    match kind:
        case "status":
            return web.Response(status=int(rest), text="oops")
        case "text":
            return web.Response(text=rest, content_type="application/json")
        case "large":
            return web.Response(text='"' + "x" * (1024 * 1024) + '"')
        case "just":
            return web.Response(text='"' + "x" * (MAX_ANSWER - 2) + '"')
        case "bomb":
            return web.Response(body=gzip.compress(b" " * 5_000_000), headers={"Content-Encoding": "gzip"})
        case "cookie":
            return web.json_response(ESTIMATE, headers={"Set-Cookie": "who=mark; Path=/"})
        case _:
            return web.json_response(ESTIMATE)


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[Service]:
    """The service on a free port."""
    service = Service()
    app = web.Application()
    app.router.add_route("*", "/{kind}{rest:(/.*)?}", service.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    port = runner.addresses[0][1]
    service.url = f"http://{host}:{port}"
    try:
        yield service
    finally:
        service.over.set()
        await runner.cleanup()
