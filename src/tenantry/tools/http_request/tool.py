"""The tool of a function that calls the tenant's own HTTP service."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tenantry.domain.agent import Agent, Function, HttpCall
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.tools.attempts import Attempts
from tenantry.tools.base import ToolContext, invalid
from tenantry.tools.http_request.answer import read_answer
from tenantry.tools.http_request.request import outbound_request
from tenantry.tools.parameters import function_spec, variables_from
from tenantry.tools.sealed_headers import open_headers


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One call under the name of its function."""

    name: str
    call: HttpCall

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        label = self.name.replace("_", " ")
        return function_spec(agent, function, f"Ask the service for: {label}.", {}, collects=True)

    @property
    def reads_only(self) -> bool:
        """Whether the service is asked with GET."""
        return self.call.method == "GET"

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`ok` with what the service answered; `failed` with a reason; `unknown` when the service may have done what
        it was asked and did not say; `invalid`."""
        attempts = Attempts(self.reads_only, self.call.idempotent, context.repeated, self.call.timeout_s)
        if given_up := attempts.given_up():
            return given_up
        headers = await open_headers(self.call.headers, context.secrets)
        if isinstance(headers, ToolResult):
            return headers
        variables = variables_from(context.agent.definition, self.name, arguments)
        try:
            request = outbound_request(self.call, context, variables, headers.values)
        except ValueError as error:
            return invalid(str(error))

        async def send(timeout_s: float) -> ToolResult:
            answer = await context.outbound.send(replace(request, timeout_s=timeout_s))
            if not 200 <= answer.status < 300:
                message = f"The service answered with status {answer.status}."
                return ToolResult({"status": "failed", "reason": f"http_{answer.status}", "message": message})
            return ToolResult({**read_answer(answer.body, self.call.answer, headers.redaction), "status": "ok"})

        return await attempts.make(send)
