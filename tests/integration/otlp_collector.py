"""A collector of traces over OTLP/HTTP on loopback."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What came in. With `stalls`, requests are taken and never answered."""

    url: str = ""
    stalls: bool = False
    spans: list[Span] = field(default_factory=list[Span])
    services: set[str] = field(default_factory=set[str])
    raw: bytes = b""
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    def one(self, name: str) -> Span:
        """The only span of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def under(self, parent: Span) -> list[str]:
        """The names of its children in order of their begin."""
        children = [span for span in self.spans if span.parent_span_id == parent.span_id]
        return [span.name for span in sorted(children, key=lambda span: span.start_time_unix_nano)]


def attributes(span: Span) -> dict[str, Any]:
    """The attributes as plain values."""
    found: dict[str, Any] = {}
    for entry in span.attributes:
        kind = entry.value.WhichOneof("value")
        value = getattr(entry.value, kind)
        found[entry.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


@asynccontextmanager
async def collecting(*, stalls: bool = False) -> AsyncGenerator[Collector]:
    """A collector while inside."""
    collector = Collector(stalls=stalls)
    gone = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        # aiohttp has already undone a Content-Encoding that it knows.
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        collector.raw += body
        collector.taken.set()
        if collector.stalls:
            await gone.wait()
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            collector.services |= {
                a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
            }
            collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    try:
        yield collector
    finally:
        gone.set()
        await runner.cleanup()
