"""The tools there are, and the one way to call them."""

import asyncio
from typing import Any

import structlog

from tenantry.domain.agent import Agent, Function
from tenantry.domain.errors import TenantryError
from tenantry.domain.ids import parse_id
from tenantry.domain.tools import ToolCallRequest, ToolResult, ToolSpec
from tenantry.storage.repositories import audit
from tenantry.tools.appointments.cancel import CancelAppointment
from tenantry.tools.appointments.check import CheckAvailability
from tenantry.tools.appointments.reschedule import RescheduleAppointment
from tenantry.tools.appointments.set import SetAppointment
from tenantry.tools.arguments import fault
from tenantry.tools.base import Tool, ToolContext, invalid
from tenantry.tools.end_conversation.tool import EndConversation
from tenantry.tools.hand_off.tool import HandOff
from tenantry.tools.http_request.tool import HttpRequest
from tenantry.tools.mcp.tool import McpTool
from tenantry.tools.memory.append import MemoryAppend
from tenantry.tools.memory.replace import MemoryReplace

log = structlog.get_logger()

# Beyond what any function may set as its own time limit.
_LIMIT_S = 45.0

_ALL: tuple[Tool, ...] = (
    CheckAvailability(),
    SetAppointment(),
    RescheduleAppointment(),
    CancelAppointment(),
    MemoryAppend(),
    MemoryReplace(),
    HandOff(),
    EndConversation(),
)
_TOOLS = {tool.name: tool for tool in _ALL}


def tool_specs(agent: Agent) -> tuple[ToolSpec, ...]:
    """What a model may be shown: the enabled functions of the agent that can be carried out."""
    functions = agent.definition.enabled_functions()
    return tuple(tool.spec(agent, function) for function in functions if (tool := _tool(function)))


def reads_only(function: Function) -> bool:
    """Whether calling the function changes nothing anywhere, so that it may be called again."""
    tool = _tool(function)
    return tool is None or tool.reads_only


async def call_tool(context: ToolContext, request: ToolCallRequest) -> ToolResult:
    """Carry out what a model asked for, as far as this agent may and as the owner of the conversation.

    Whatever the model asks, the answer is a result. Raises DatabaseUnavailable, after which the same call may be made
    again: its effect is made once.
    """
    function = _enabled(context.agent, request.name)
    tool = function and _tool(function)
    if function is None or tool is None:
        return ToolResult({"status": "failed", "reason": "unavailable_tool"})
    given = request.arguments.get("user_id", context.user_id)
    if given != context.user_id:
        return await _refused(context, request, given)
    problem = fault(tool.spec(context.agent, function).parameters, request.arguments)
    if problem is not None:
        return invalid(problem)
    return await _run(tool, context, request)


async def _run(tool: Tool, context: ToolContext, request: ToolCallRequest) -> ToolResult:
    limit = asyncio.timeout(_LIMIT_S)
    try:
        async with limit:
            return await tool.run(context, request.arguments)
    except TenantryError:
        raise
    except Exception as error:
        # A broad net on purpose: whatever a tool does, the model gets a result and the operator the traceback.
        if isinstance(error, TimeoutError) and limit.expired():
            return _too_long(tool)
        log.error("tool failed", tool=request.name, turn_id=str(context.turn_id), exc_info=error)
        message = "It could not be carried out because of a fault on this side." + _doubt(tool)
        return ToolResult({"status": "failed", "reason": "tool_failed", "message": message})


def _too_long(tool: Tool) -> ToolResult:
    status = "failed" if tool.reads_only else "unknown"
    message = f"It was not done within {_LIMIT_S:g} seconds." + _doubt(tool)
    return ToolResult({"status": status, "reason": "timeout", "message": message})


def _doubt(tool: Tool) -> str:
    return "" if tool.reads_only else " Whether it had its effect is not known; a person should check."


def _enabled(agent: Agent, name: str) -> Function | None:
    return next((function for function in agent.definition.enabled_functions() if function.name == name), None)


def _tool(function: Function) -> Tool | None:
    if function.name in _TOOLS:
        return _TOOLS[function.name]
    if function.http:
        return HttpRequest(function.name, function.http)
    return McpTool(function.name, function.mcp) if function.mcp else None


async def _refused(context: ToolContext, request: ToolCallRequest, given: Any) -> ToolResult:
    # An id is kept as evidence. Other words may be a contact's, and the audit log outlives the contact.
    shown = given if isinstance(given, str) and parse_id(given) else "(no id)"
    async with context.db.tenant(context.tenant_id) as tx:
        await audit.record(
            tx,
            actor=context.actor,
            action="tool.refused",
            target=f"agent:{context.agent.id}",
            details={"tool": request.name, "conversation_id": str(context.conversation_id), "user_id": shown},
        )
    message = "This user_id is not the owner of this conversation; leave it out or pass the one you were given."
    return ToolResult({"status": "refused", "reason": "owner_mismatch", "message": message})
