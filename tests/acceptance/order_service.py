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

from tests.wire_server import DONE, KEY, USAGE, chunk, request_faults, saying

NUMBER = re.compile(r"\bA\d{6}\b")
WANDERS = "Look things up before you order them, whenever that comes to your mind."
_moment = random.Random()  # noqa: S311 - when a kill hits is to be different every time


async def _pause(longest_ms: float) -> None:
    """Some time in which a kill may fall."""
    await asyncio.sleep(_moment.random() * longest_ms / 1000)


@dataclass
class OrderService:
    """Carries orders out, and counts how often each was. Under `/idempotent` it does nothing twice under one
    Idempotency-Key; under `/effectful` it does whatever it is asked."""

    url: str = ""
    executed: Counter[str] = field(default_factory=Counter[str])
    answered: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    received: int = 0

    async def order(self, request: web.Request) -> web.Response:
        """Carry one order out. The client may be dead by any of these lines."""
        body = await request.json()
        key = request.headers["Idempotency-Key"]
        self.received += 1
        await _pause(10)
        if request.match_info["kind"] == "idempotent" and key in self.answered:
            return web.json_response(self.answered[key])
        self.executed[body["order_number"]] += 1
        self.answered[key] = {"confirmation": f"C-{body['order_number']}"}
        await _pause(20)
        return web.json_response(self.answered[key])

    async def look_up(self, request: web.Request) -> web.Response:
        """Whether there is any; always."""
        return web.json_response({"stock": 7, "order_number": request.query.get("order_number", "")})


@dataclass
class OrderingModel:
    """A strict chat-completions server: calls `order` with the number in the last message, then says what came of it.
    Agents that are told WANDERS look up first in every other attempt at the same order, as a sampling model would."""

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
        for part in self._answer(body["messages"]):
            await _pause(2)
            await response.write(part)
        return response

    def _answer(self, messages: list[dict[str, Any]]) -> list[bytes]:
        asked = max(index for index, message in enumerate(messages) if message["role"] == "user")
        number = NUMBER.findall(messages[asked]["content"])[-1]
        results = _results(messages[asked + 1 :])
        if "order" in results:
            words = f"Order {number}: {results['order']['status']}."
            whole = json.dumps({"system_response": words, "variables": {"order_number": number}})
            return saying(whole[:25], whole[25:])
        self.asked[number] += 1
        if WANDERS in messages[0]["content"] and self.asked[number] % 2 == 0 and "look_up" not in results:
            return self._calling("look_up", number)
        return self._calling("order", number)

    def _calling(self, name: str, number: str) -> list[bytes]:
        function = {"name": name, "arguments": json.dumps({"order_number": number})}
        call = {"index": 0, "id": f"call_{next(self.ids)}", "type": "function", "function": function}
        return [chunk({"role": "assistant", "tool_calls": [call]}), chunk(finish="tool_calls"), USAGE, DONE]


def _results(messages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What came of this turn's tools, by their names."""
    names = {call["id"]: call["function"]["name"] for m in messages for call in m.get("tool_calls", ())}
    return {names[m["tool_call_id"]]: json.loads(m["content"]) for m in messages if m["role"] == "tool"}


@asynccontextmanager
async def outside_world() -> AsyncIterator[tuple[OrderService, OrderingModel]]:
    """Both on one free port of loopback. A handler lives on when its client is killed, as a real service's does."""
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
        yield service, model
    finally:
        await runner.cleanup()
