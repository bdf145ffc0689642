"""The MCP SDK's HTTP over the one client that tenants' calls go through."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2

from tenantry.outbound.client import CallFailed, OutboundHttp, OutboundRequest, OutboundStream

_SSE = "text/event-stream"


class OutboundTransport(httpx2.AsyncBaseTransport):
    """Carries the HTTP requests of one call, to the origin of `url` only.

    A fault is kept in `failure` and given to the SDK as a bad answer: raised inside of it, it would come out in a group
    of other errors, if at all. `status` and `content_type` are those of the last answer.
    """

    def __init__(self, outbound: OutboundHttp, url: str) -> None:
        self._outbound = outbound
        self._origin = _origin(httpx2.URL(url))
        self.failure: CallFailed | None = None
        self.status = 0
        self.content_type = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request of the SDK and answer as soon as the head of the answer is there."""
        if request.method == "GET" and "last-event-id" not in request.headers:
            # The stream of what a server says unasked: nobody listens.
            return httpx2.Response(405)
        self.failure = None
        stack = AsyncExitStack()
        try:
            if _origin(request.url) != self._origin:
                raise CallFailed("address_not_allowed", "The server redirected to another one.", sent=True)
            answer = await stack.enter_async_context(self._outbound.stream(await _outbound_request(request)))
        except CallFailed as failure:
            self.failure = failure
            return httpx2.Response(502)
        self.status = answer.status
        self.content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        return httpx2.Response(answer.status, headers=list(answer.headers.items()), stream=_Body(self, answer, stack))


class _Body(httpx2.AsyncByteStream):
    def __init__(self, transport: OutboundTransport, answer: OutboundStream, stack: AsyncExitStack) -> None:
        self._transport = transport
        self._answer = answer
        self._stack = stack

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.chunks():
                yield chunk
        except CallFailed as failure:
            self._transport.failure = failure
            # What the SDK takes for the end of the request and not for a fault of its own. A stream of events that was
            # cut off it may take up again, one that was too large it must not.
            if self._transport.content_type == _SSE and failure.reason == "too_large":
                raise httpx2.SSEError(failure.reason) from failure
            raise httpx2.StreamError(failure.reason) from failure

    async def aclose(self) -> None:
        await self._stack.aclose()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _outbound_request(request: httpx2.Request) -> OutboundRequest:
    headers = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
    return OutboundRequest(request.method, str(request.url), headers, {}, await request.aread() or None, 0)
