"""A tenant's own MCP server, made with the SDK's, that remembers what it was sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantry.server.serving import bind

MODERN = b"2026-07-28"


@dataclass
class Called:
    """One call of a tool as it came in."""

    tool: str
    arguments: dict[str, Any]
    meta: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Service:
    """The server; `requests` are the HTTP methods in order, `effects` the different keys it was called under. With
    `legacy` it speaks the protocol of sessions only; the answers to the first `cut` calls break off."""

    url: str = ""
    legacy: bool = False
    cut: int = 0
    broken_off: int = 0
    called: list[Called] = field(default_factory=list[Called])
    requests: list[str] = field(default_factory=list[str])
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def effects(self) -> set[str]:
        return {call.meta["idempotency_key"] for call in self.called}

    def note(self, tool: str, context: Context[Any, Any], **arguments: Any) -> Called:
        meta = {name: value for name, value in (context.request_context.meta or {}).items() if "/" not in name}
        called = Called(tool, arguments, meta, dict(context.headers or {}))
        self.called.append(called)
        return called


def _server(service: Service) -> MCPServer:
    server = MCPServer("valuations", log_level="ERROR")

    @server.tool()
    def get_valuation(property_address: str, context: Context[Any, Any]) -> dict[str, Any]:
        service.note("get_valuation", context, property_address=property_address)
        return {"estimate": 512000, "status": "final"}

    @server.tool(structured_output=False)
    def say(property_address: str, context: Context[Any, Any]) -> list[str]:
        service.note("say", context)
        return ["It is worth", "512000."]

    @server.tool()
    def fail(property_address: str, context: Context[Any, Any]) -> str:
        raise ToolError(f"no such street, said {service.note('fail', context).headers.get('authorization')}")

    @server.tool()
    async def hang(property_address: str, context: Context[Any, Any]) -> str:
        service.note("hang", context)
        await service.over.wait()
        return "at last"

    @server.tool()
    def large(property_address: str, context: Context[Any, Any]) -> str:
        service.note("large", context)
        return "x" * 1024 * 1024

    @server.tool()
    def echo(property_address: str, context: Context[Any, Any]) -> dict[str, Any]:
        return {"you_sent": service.note("echo", context).headers["authorization"]}

    return server


def _remembering(service: Service, app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            service.requests.append(scope["method"])
            if service.legacy and dict(scope["headers"]).get(b"mcp-protocol-version") == MODERN:
                await send({"type": "http.response.start", "status": 400, "headers": []})
                await send({"type": "http.response.body", "body": b"no such version"})
                return

        async def cutting(message: Message) -> None:
            due = min(len(service.called), service.cut) > service.broken_off
            if message["type"] == "http.response.body" and due:
                service.broken_off += 1
                # The server drops the connection of an app that fails in the middle of its answer.
                raise ConnectionAbortedError
            await send(message)

        await app(scope, receive, cutting)

    return answer


@asynccontextmanager
async def serving(*, json_response: bool = False, legacy: bool = False) -> AsyncIterator[Service]:
    """The server on a free port."""
    service = Service(legacy=legacy)
    app = _server(service).streamable_http_app(json_response=json_response)
    async with serving_app(_remembering(service, app), service.over.set) as url:
        service.url = f"{url}/mcp"
        yield service


@asynccontextmanager
async def serving_app(app: ASGIApp, before_end: Callable[[], None]) -> AsyncIterator[str]:
    """Any app on a free port of loopback."""
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    bound = bind("127.0.0.1", 0)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        before_end()
        server.should_exit = True
        await task
        bound.close()
