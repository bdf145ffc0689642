"""memory_replace: correct what is kept in mind of the contact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import Agent, Function
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.tools.base import ToolContext, invalid
from tenantry.tools.memory.edit import LABEL, edit_block
from tenantry.tools.parameters import function_spec

_OLD: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 4000,
    "description": "The words to replace, exactly as they are in the block.",
}
_NEW: dict[str, Any] = {
    "type": "string",
    "maxLength": 4000,
    "description": "What to put in their place; empty removes them.",
}


@dataclass(frozen=True, slots=True)
class MemoryReplace:
    """Takes words that are in the block once."""

    name: str = "memory_replace"
    reads_only: bool = False

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        about = "Correct what is remembered about this contact: replace words in a block of memory."
        own = {"label": LABEL, "old": _OLD, "new": _NEW}
        return function_spec(agent, function, about, own, ("label", "old", "new"))

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`ok`; `not_found` without such a block; `invalid` when `old` is not in it exactly once, or beyond its limit;
        `refused` for a block that is the same for every contact."""
        old: str = arguments["old"]
        new: str = arguments["new"]

        def edit(value: str) -> str | ToolResult:
            times = value.count(old)
            if times != 1:
                where = f"{times} times" if times else "nowhere"
                return invalid(f"old is {where} in the block; give words that are in it exactly once.")
            return value.replace(old, new)

        return await edit_block(context, self.name, arguments["label"], edit, creates=False)
