"""The tool of a function that calls the tenant's own HTTP service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import Agent, Function, HttpCall
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.outbound.client import CallFailed
from tenantry.tools.base import ToolContext, invalid
from tenantry.tools.http_request.answer import read_answer
from tenantry.tools.http_request.request import outbound_request
from tenantry.tools.parameters import function_spec, variables_from

_UNKNOWN = ToolResult(
    {
        "status": "unknown",
        "reason": "outcome_unknown",
        "message": "An earlier attempt was cut off; whether the service did what it was asked is not known. "
        "It was not asked again.",
    }
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One call under the name of its function."""

    name: str
    call: HttpCall

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        label = self.name.replace("_", " ")
        return function_spec(agent, function, f"Ask the service for: {label}.", {}, collects=True)

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`ok` with what the service answered; `failed` with a reason; `unknown` when an earlier attempt was cut off
        and the call must not be repeated; `invalid`."""
        reads = self.call.method == "GET"
        if context.repeated and not (reads or self.call.idempotent):
            return _UNKNOWN
        try:
            request = outbound_request(
                self.call, context, variables_from(context.agent.definition, self.name, arguments)
            )
        except ValueError as error:
            return invalid(str(error))
        try:
            answer = await context.outbound.send(request)
            if not 200 <= answer.status < 300:
                message = f"The service answered with status {answer.status}."
                return ToolResult({"status": "failed", "reason": f"http_{answer.status}", "message": message})
            return ToolResult({**read_answer(answer.body, self.call.answer), "status": "ok"})
        except CallFailed as failure:
            doubt = " Whether it did what it was asked is not known." if failure.sent and not reads else ""
            return ToolResult({"status": "failed", "reason": failure.reason, "message": failure.message + doubt})
