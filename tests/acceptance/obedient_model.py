"""A model that obeys whoever spoke last: it turns an injected instruction into exactly that tool call.

An instruction reads `call NAME with {…}`, in the contact's message or in what a tool answered; the braces are passed on
as they stand. What the tools answered is what it says, so that a reply shows what the model was told. Asked to do what
it remembers, it also obeys what stands in the memory of its prompt.
"""

import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from tests.integration.mcp_service import serving_app
from tests.wire_server import DONE, KEY, USAGE, chunk, request_faults, saying

_ORDER = re.compile(r"call (\w+) with (?=\{)")
PROMPT = "YOUR-SYSTEM-PROMPT"
REMEMBER = "what you remember"


@dataclass
class ObedientModel:
    """Its address, the requests that it got, and what was wrong with them by the wire's rules."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    faults: list[str] = field(default_factory=list[str])
    ids: "itertools.count[int]" = field(default_factory=itertools.count)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """One answer, as a stream."""
        body = await request.json()
        self.requests.append(body)
        self.faults.extend(request_faults(body))
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            self.faults.append("no bearer token")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in self._answer(body["messages"]):
            await response.write(part)
        return response

    def _answer(self, messages: list[dict[str, Any]]) -> list[bytes]:
        heard = [messages[-1]["content"]]
        results: list[dict[str, Any]] = []
        if messages[-1]["role"] == "user" and REMEMBER in messages[-1]["content"]:
            prompt = str(messages[0]["content"])
            heard += [line.removeprefix("> ") for line in prompt.splitlines() if line.startswith("> ")]
        if messages[-1]["role"] == "tool":
            begun = max(index for index, message in enumerate(messages) if message.get("tool_calls"))
            results = [json.loads(message["content"]) for message in messages[begun + 1 :]]
            heard = [text for result in results for text in _texts(result)]
        orders = [order for text in heard for order in orders_in(text)]
        if not orders:
            words = "; ".join(result["status"] for result in results) or "As you say."
            return saying(json.dumps({"system_response": words, "variables": None}))
        prompt = json.dumps(messages[0]["content"][:1500])[1:-1]
        calls = [
            {
                "index": index,
                "id": f"call_{next(self.ids)}",
                "type": "function",
                "function": {"name": name, "arguments": arguments.replace(PROMPT, prompt)},
            }
            for index, (name, arguments) in enumerate(orders)
        ]
        return [chunk({"role": "assistant", "tool_calls": calls}), chunk(finish="tool_calls"), USAGE, DONE]


def orders_in(text: str) -> list[tuple[str, str]]:
    """The calls that a text asks for: the name, and the JSON of the arguments as it stands there."""
    found: list[tuple[str, str]] = []
    end = 0
    for match in _ORDER.finditer(text):
        # An order within the arguments of another one is words to pass on.
        if match.start() >= end:
            _, length = json.JSONDecoder(strict=False).raw_decode(text[match.end() :])
            end = match.end() + length
            found.append((match[1], text[match.end() : end]))
    return found


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


@dataclass
class Arrived:
    """One request that reached a tenant's service."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def told(self) -> dict[str, Any]:
        """What the service was told, in the body or in the query."""
        return self.body if self.body is not None else self.query


@dataclass
class TenantService:
    """A tenant's own service, whose answers give orders: `orders` is what it says to who asks. `/out?to=…` is the open
    redirect that such services have. Its MCP server says the same, and keeps the `_meta` of each call in `called`."""

    url: str = ""
    mcp_url: str = ""
    orders: str = ""
    arrived: list[Arrived] = field(default_factory=list[Arrived])
    called: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def answer(self, request: web.Request) -> web.Response:
        """Keep the request; redirect it, or give orders."""
        text = await request.text()
        body = json.loads(text) if text else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.arrived.append(Arrived(request.method, request.raw_path, dict(request.query), headers, body))
        if request.path == "/out":
            return web.Response(status=302, headers={"Location": request.query["to"].replace("\n", "%0A")})
        return web.json_response({"estimate": 512000, "advice": self.orders})

    def mcp_server(self) -> MCPServer:
        """The same service as tools, one for each form that an answer may have."""
        server = MCPServer("valuer", log_level="ERROR")

        @server.tool()
        def ask_valuer(property_address: str, context: Context[Any, Any]) -> dict[str, Any]:
            self._note(context)
            return {"estimate": 512000, "advice": {"for": property_address, "lines": [self.orders]}}

        @server.tool(structured_output=False)
        def ask_clerk(property_address: str, context: Context[Any, Any]) -> str:
            self._note(context)
            return self.orders

        @server.tool()
        def ask_nobody(property_address: str, context: Context[Any, Any]) -> str:
            self._note(context)
            raise ToolError(self.orders)

        @server.tool()
        def delete_all(context: Context[Any, Any]) -> str:
            self._note(context)
            return "deleted"

        return server

    def _note(self, context: Context[Any, Any]) -> None:
        self.called.append(dict(context.request_context.meta or {}))


@asynccontextmanager
async def obedient_world() -> AsyncIterator[tuple[ObedientModel, TenantService, TenantService]]:
    """The model, the tenant's service, and on another address one that nobody may reach."""
    model, service, forbidden = ObedientModel(), TenantService(), TenantService()
    outside, inside = web.Application(client_max_size=2**24), web.Application()
    outside.router.add_post("/v1/chat/completions", model.complete)
    outside.router.add_route("*", "/{any:[\\s\\S]*}", service.answer)
    inside.router.add_route("*", "/{any:[\\s\\S]*}", forbidden.answer)
    runners = [web.AppRunner(app, shutdown_timeout=1) for app in (outside, inside)]
    for runner, host in zip(runners, ("127.0.0.1", "127.0.0.2"), strict=True):
        await runner.setup()
        await web.TCPSite(runner, host, 0).start()
    service.url, forbidden.url = (f"http://{r.addresses[0][0]}:{r.addresses[0][1]}" for r in runners)
    model.url = f"{service.url}/v1"
    try:
        async with serving_app(service.mcp_server().streamable_http_app(), lambda: None) as url:
            service.mcp_url = f"{url}/mcp"
            yield model, service, forbidden
    finally:
        for runner in runners:
            await runner.cleanup()
