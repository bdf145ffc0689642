"""One call of a tool through the MCP SDK, which takes long to import: only `tool` imports this, when it is needed."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, cast

import httpx2
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.streamable_http import MCP_SESSION_ID, streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    TextContent,
)
from pydantic import TypeAdapter, ValidationError

from tenantry.outbound.client import CallFailed, OutboundHttp, OutboundRequest
from tenantry.tools.mcp.exchange import McpAnswer, McpRequest
from tenantry.tools.mcp.transport import OutboundTransport

# What the SDK logs may quote what a server said, and that may quote what it was sent.
for _name in ("mcp", "client", "httpx2"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False

_CLIENT = Implementation(name="tenantry", version="1")
_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)
_NO_SUCH = frozenset({INVALID_PARAMS, METHOD_NOT_FOUND})
_MOST_PAGES = 5
_LEAVING_S = 2.0
_AGENT = "Tenantry"
# The SDK's own for what a server says, for another form than the protocol's, and for a version that nobody knows.
_FAULTS = (MCPError, ValidationError, RuntimeError)


async def ask(outbound: OutboundHttp, request: McpRequest, timeout_s: float) -> McpAnswer:
    """Connect, call the tool, and say good-bye. Raises CallFailed; with `sent`, the tool may have been called."""
    call = _Call(outbound, request)
    try:
        async with asyncio.timeout(timeout_s):
            return await call.make()
    except TimeoutError as error:
        message = f"The server did not answer within {timeout_s:g} seconds."
        raise CallFailed("timeout", message, sent=call.sent) from error
    except Exception as error:
        first = _first(error)
        if isinstance(first, _FAULTS):
            raise call.failure(first) from None
        raise
    finally:
        call.leave()


class _Call:
    """One call on its way. `sent` tells that the tool may have been called."""

    def __init__(self, outbound: OutboundHttp, request: McpRequest) -> None:
        self._outbound = outbound
        self._request = request
        self._http = OutboundTransport(outbound, request.url)
        self._session_id: str | None = None
        self.sent = False

    async def make(self) -> McpAnswer:
        headers = {**self._request.headers, "Accept-Encoding": "identity", "User-Agent": _AGENT}
        async with (
            httpx2.AsyncClient(
                transport=self._http,
                headers=headers,
                timeout=None,
                trust_env=False,
                event_hooks={"response": [self._keep_session_id]},
            ) as http,
            Client(
                streamable_http_client(self._request.url, http_client=http, terminate_on_close=False),
                client_info=_CLIENT,
                cache=None,
            ) as client,
        ):
            return await self._answer(client.session)

    async def _answer(self, session: ClientSession) -> McpAnswer:
        tool = self._request.tool
        params = CallToolRequestParams(
            name=tool, arguments=dict(self._request.arguments), _meta=_meta(self._request.meta)
        )
        self.sent = True
        try:
            # Past `call_tool`, which would list all tools first and compile the schemas that the server sends.
            result = await session.send_request(CallToolRequest(params=params), _RESULT)
        except MCPError as error:
            if not self._answered(error):
                raise
            known = error.code not in _NO_SUCH or await _has(session, tool)
            return McpAnswer(failed=True, text=error.message, known=known)
        if isinstance(result, InputRequiredResult):
            return McpAnswer(failed=True, text="The tool asks for more than a function can give.")
        text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
        if result.is_error:
            return McpAnswer(failed=True, text=text, known=await _has(session, tool))
        return McpAnswer(failed=False, text=text, structured=result.structured_content)

    def _answered(self, error: MCPError) -> bool:
        """Whether the error is the server's word, and not the SDK's for an answer that was none."""
        unusable = self._http.failure is not None or error.code in {CONNECTION_CLOSED, PARSE_ERROR}
        spoken = self._http.content_type in {"application/json", "text/event-stream"}
        return spoken and not unusable and not _is_of_http(self._http.status)

    def failure(self, error: Exception) -> CallFailed:
        """What went wrong, as it is told."""
        if (failure := self._http.failure) is not None:
            return CallFailed(failure.reason, failure.message, sent=failure.sent and self.sent)
        status = self._http.status
        if _is_of_http(status) or (self.sent and status >= 300):
            return CallFailed(f"http_{status}", f"The server answered with status {status}.", sent=self.sent)
        if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
            return CallFailed("refused", "The server broke the connection off.", sent=self.sent)
        if self.sent:
            return CallFailed("bad_answer", "The server's answer is not one of MCP.", sent=True)
        return CallFailed("not_mcp", "The server at this address does not speak MCP.", sent=False)

    async def _keep_session_id(self, response: httpx2.Response) -> None:
        self._session_id = response.headers.get(MCP_SESSION_ID, self._session_id)

    def leave(self) -> None:
        """End the server's session, while the caller goes on."""
        if self._session_id is None:
            return
        headers = {**self._request.headers, MCP_SESSION_ID: self._session_id, "User-Agent": _AGENT}
        self._outbound.notify(OutboundRequest("DELETE", self._request.url, headers, {}, None, _LEAVING_S))


def _first(error: Exception) -> Exception:
    """The error itself: the SDK's tasks wrap it in groups."""
    if isinstance(error, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", error).exceptions[0])
    return error


def _is_of_http(status: int) -> bool:
    """Whether the status says what went wrong before anybody looked at the message."""
    return 300 <= status < 400 or status in {401, 403, 407, 429} or status >= 500


async def _has(session: ClientSession, tool: str) -> bool:
    """Whether the server lists the tool; of one that does not list any, it is believed."""
    try:
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            if any(listed.name == tool for listed in page.tools):
                return True
            cursor = page.next_cursor
            if cursor is None:
                return False
    except _FAULTS:
        return True
    return True


def _meta(values: Mapping[str, str]) -> Any:
    # The SDK's type of `_meta` names only the keys of the protocol.
    return dict(values)
