"""end_conversation: the contact is done, and whoever carries the conversation may end it once the reply is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import Agent, Function
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.tools.base import ToolContext
from tenantry.tools.parameters import function_spec

END_CONVERSATION = "end_conversation"


@dataclass(frozen=True, slots=True)
class EndConversation:
    """Changes nothing itself: the turn's result says that it `ended`, and a call hangs up when the reply was heard."""

    name: str = END_CONVERSATION
    reads_only: bool = True

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        about = (
            "End the conversation, when the contact said goodbye or that they need nothing more. Say a short goodbye "
            "with it; a call is hung up after that was said."
        )
        return function_spec(agent, function, about, {})

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """Always `ok`."""
        return ToolResult({"status": "ok", "message": "Say goodbye, if you have not done so yet."})
