"""memory_append: add a line to what is kept in mind of the contact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import Agent, Function
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.tools.base import ToolContext
from tenantry.tools.memory.edit import LABEL, edit_block
from tenantry.tools.parameters import function_spec

_TEXT: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 2000,
    "description": "What to remember, in one short line.",
}


@dataclass(frozen=True, slots=True)
class MemoryAppend:
    """Begins the block when there is none."""

    name: str = "memory_append"
    reads_only: bool = False

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        about = "Remember something about this contact: add a line to a block of memory."
        return function_spec(agent, function, about, {"label": LABEL, "text": _TEXT}, ("label", "text"))

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`ok`; `invalid` beyond the block's limit; `refused` for a block that is the same for every contact."""
        text: str = arguments["text"]
        return await edit_block(
            context,
            self.name,
            arguments["label"],
            lambda value: f"{value}\n{text}" if value else text,
            creates=True,
        )
