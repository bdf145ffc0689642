"""The tool of a function that calls a tool of the tenant's own MCP server."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import Agent, Function, McpCall
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.outbound.client import OutboundHttp
from tenantry.tools.answers import Cutter, as_fields
from tenantry.tools.attempts import Attempts
from tenantry.tools.base import ToolContext
from tenantry.tools.mcp.exchange import McpAnswer, McpRequest
from tenantry.tools.parameters import function_spec, variables_from
from tenantry.tools.redaction import Redaction
from tenantry.tools.sealed_headers import open_headers

_Ask = Callable[[OutboundHttp, McpRequest, float], Awaitable[McpAnswer]]


@dataclass(frozen=True, slots=True)
class McpTool:
    """One call under the name of its function."""

    name: str
    call: McpCall
    # What a server says of its tools (`readOnlyHint`) is not a promise.
    reads_only: bool = False

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        label = self.name.replace("_", " ")
        return function_spec(agent, function, f"Ask the service for: {label}.", {}, collects=True)

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`ok` with what the tool answered; `failed` with a reason; `unknown` when the tool may have been called and
        nothing was said of it."""
        attempts = Attempts(self.reads_only, self.call.idempotent, context.repeated, self.call.timeout_s)
        if given_up := attempts.given_up():
            return given_up
        headers = await open_headers(self.call.headers, context.secrets)
        if isinstance(headers, ToolResult):
            return headers
        ask = await asyncio.to_thread(_ask)
        request = McpRequest(
            url=self.call.url,
            tool=self.call.tool or self.name,
            arguments=variables_from(context.agent.definition, self.name, arguments),
            meta={**context.bound, "idempotency_key": context.effect_key},
            headers=headers.values,
        )

        async def send(timeout_s: float) -> ToolResult:
            return _told(await ask(context.outbound, request, timeout_s), headers.redaction)

        return await attempts.make(send)


def _ask() -> _Ask:
    # The SDK takes 0.7 s and 27 MB; a process that calls no MCP server does without, and one that does goes on with
    # its other conversations meanwhile.
    from tenantry.tools.mcp.session import ask

    return ask


def _told(answer: McpAnswer, redaction: Redaction) -> ToolResult:
    cutter = Cutter(redaction)
    if not answer.known:
        message = "The server has no such tool; a person must correct the function."
        return ToolResult({"status": "failed", "reason": "unknown_tool", "message": message})
    if answer.failed:
        return ToolResult({"status": "failed", "reason": "tool_error", "message": cutter.cut(answer.text)})
    if answer.structured is None:
        return ToolResult({**({"answer": cutter.cut(answer.text)} if answer.text else {}), "status": "ok"})
    return ToolResult({**as_fields(cutter.cut(answer.structured)), "status": "ok"})
