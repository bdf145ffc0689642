"""A tenant's order service that counts what it carries out, and a model that orders what it is asked to."""

import asyncio
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from mcp.server.mcpserver import Context, MCPServer

from tests.integration.mcp_service import serving_app
from tests.wire_server import DONE, KEY, USAGE, chunk, request_faults, saying

NUMBER = re.compile(r"\bA\d{6}\b")
WANDERS = "Look things up before you order them, whenever that comes to your mind."
REMEMBERS = "Remember each order before you make it."
SLOWLY = "Speak slowly."
_moment = random.Random()  # noqa: S311 - when a kill hits is to be different every time


async def _pause(longest_ms: float) -> None:
    """Some time in which a kill may fall."""
    await asyncio.sleep(_moment.random() * longest_ms / 1000)


@dataclass
class OrderService:
    """Carries orders out, and counts how often each was. Under `/idempotent` it does nothing twice under one
    Idempotency-Key; under `/effectful` it does whatever it is asked."""

    url: str = ""
    mcp_url: str = ""
    executed: Counter[str] = field(default_factory=Counter[str])
    answered: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    received: int = 0

    async def order(self, request: web.Request) -> web.Response:
        """An order over plain HTTP."""
        number, key = (await request.json())["order_number"], request.headers["Idempotency-Key"]
        done = await self._carry_out(number, key, idempotent=request.match_info["kind"] == "idempotent")
        return web.json_response(done)

    def mcp(self) -> MCPServer:
        """The same service as an MCP server with two tools, of which one does nothing twice under one key."""
        server = MCPServer("orders", log_level="ERROR")

        @server.tool()
        async def idempotent(order_number: str, context: Context[Any, Any]) -> dict[str, Any]:
            return await self._carry_out(order_number, _key(context), idempotent=True)

        @server.tool()
        async def effectful(order_number: str, context: Context[Any, Any]) -> dict[str, Any]:
            return await self._carry_out(order_number, _key(context), idempotent=False)

        return server

    async def _carry_out(self, number: str, key: str, *, idempotent: bool) -> dict[str, Any]:
        """Carry one order out. The client may be dead by any of these lines."""
        self.received += 1
        await _pause(10)
        if idempotent and key in self.answered:
            return self.answered[key]
        self.executed[number] += 1
        self.answered[key] = {"confirmation": f"C-{number}"}
        await _pause(20)
        return self.answered[key]

    async def look_up(self, request: web.Request) -> web.Response:
        """Whether there is any; always."""
        return web.json_response({"stock": 7, "order_number": request.query.get("order_number", "")})


@dataclass
class OrderingModel:
    """A strict chat-completions server: calls `order` with the number in the last message, then says what came of it.
    Agents that are told WANDERS look up first in every other attempt at the same order, as a sampling model would,
    those that are told REMEMBERS put the number in memory first, and SLOWLY is how it sounds."""

    url: str = ""
    faults: list[str] = field(default_factory=list[str])
    asked: Counter[str] = field(default_factory=Counter[str])
    ids: "itertools.count[int]" = field(default_factory=itertools.count)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """One answer, as a stream."""
        body = await request.json()
        self.faults.extend(request_faults(body))
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            self.faults.append("no bearer token")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        longest = 60 if SLOWLY in body["messages"][0]["content"] else 2
        for part in self._answer(body["messages"]):
            await _pause(longest)
            await response.write(part)
        return response

    def _answer(self, messages: list[dict[str, Any]]) -> list[bytes]:
        asked = max(index for index, message in enumerate(messages) if message["role"] == "user")
        number = NUMBER.findall(messages[asked]["content"])[-1]
        results = _results(messages[asked + 1 :])
        if "order" in results:
            words = f"Order {number}: {results['order']['status']}. You hear of it again when it is on its way to you."
            whole = json.dumps({"system_response": words, "variables": {"order_number": number}})
            return saying(*(whole[at : at + 20] for at in range(0, len(whole), 20)))
        self.asked[number] += 1
        if REMEMBERS in messages[0]["content"] and "memory_append" not in results:
            return self._calling("memory_append", label="human", text=number)
        if WANDERS in messages[0]["content"] and self.asked[number] % 2 == 0 and "look_up" not in results:
            return self._calling("look_up", order_number=number)
        return self._calling("order", order_number=number)

    def _calling(self, name: str, **arguments: str) -> list[bytes]:
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": 0, "id": f"call_{next(self.ids)}", "type": "function", "function": function}
        return [chunk({"role": "assistant", "tool_calls": [call]}), chunk(finish="tool_calls"), USAGE, DONE]


def _key(context: Context[Any, Any]) -> str:
    return (context.request_context.meta or {})["idempotency_key"]


def _results(messages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What came of this turn's tools, by their names."""
    names = {call["id"]: call["function"]["name"] for m in messages for call in m.get("tool_calls", ())}
    return {names[m["tool_call_id"]]: json.loads(m["content"]) for m in messages if m["role"] == "tool"}


@asynccontextmanager
async def outside_world() -> AsyncIterator[tuple[OrderService, OrderingModel]]:
    """Both on one free port of loopback, and the service over MCP on another. A handler lives on when its client is
    killed, as a real service's does."""
    service, model = OrderService(), OrderingModel()
    app = web.Application()
    app.router.add_post("/order/{kind}", service.order)
    app.router.add_get("/look_up", service.look_up)
    app.router.add_post("/v1/chat/completions", model.complete)
    runner = web.AppRunner(app, handler_cancellation=False, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    model.url = f"{service.url}/v1"
    try:
        async with serving_app(service.mcp().streamable_http_app(), lambda: None) as mcp_url:
            service.mcp_url = f"{mcp_url}/mcp"
            yield service, model
    finally:
        await runner.cleanup()
