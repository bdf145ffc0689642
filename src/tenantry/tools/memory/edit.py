"""What the memory tools share: one edit of one block of the conversation's contact, made once."""

from collections.abc import Callable
from typing import Any

from tenantry.domain.memory import LABEL_PATTERN, MOST_BLOCKS, Block, is_label
from tenantry.domain.tools import ToolResult
from tenantry.storage.repositories import memory_blocks, tool_calls
from tenantry.storage.tenancy import TenantTx
from tenantry.tools.base import ToolContext, invalid

LABEL: dict[str, Any] = {
    "type": "string",
    "maxLength": 64,
    "pattern": LABEL_PATTERN,
    "description": "Which block, such as human.",
}

# From the value of a block to its next one, or to what has to be corrected.
Edit = Callable[[str], "str | ToolResult"]


def _refused(reason: str, message: str) -> ToolResult:
    return ToolResult({"status": "refused", "reason": reason, "message": message})


async def edit_block(context: ToolContext, name: str, label: str, edit: Edit, *, creates: bool) -> ToolResult:
    """Edit a block that the conversation's agent has of its contact; with `creates`, one that is not there begins
    empty. The agent's own blocks are for all contacts, and no contact's conversation changes them; a personal agent's
    is copied for the contact and the copy is changed.

    The edit and the record of its outcome are one transaction, so that a call that is made again changes nothing.
    """
    if not is_label(label):
        return invalid("label must be 1 to 64 lower-case letters, digits, underscores or hyphens")
    async with context.db.tenant(context.tenant_id) as tx:
        claimed = await tool_calls.lock(tx, context.turn_id, context.step, name)
        if claimed is None:
            return ToolResult({"status": "failed", "reason": "not_claimed"})
        if claimed.earlier is not None:
            return claimed.earlier
        result = await _edited(tx, context, label, edit, creates=creates)
        await tool_calls.finish(tx, context.turn_id, context.step, result.output)
        return result


async def _edited(tx: TenantTx, context: ToolContext, label: str, edit: Edit, *, creates: bool) -> ToolResult:
    found = await _block(tx, context, label, creates=creates)
    if isinstance(found, ToolResult):
        return found
    value = edit(found.value)
    if isinstance(value, ToolResult):
        return value
    if len(value) > found.char_limit:
        return invalid(
            f"{label} would have {len(value)} characters and may have {found.char_limit}; it has {len(found.value)} "
            "now. Say it shorter, or replace what is out of date."
        )
    await memory_blocks.change(
        tx,
        found.id,
        value=value,
        char_limit=found.char_limit,
        description=found.description,
        revision=found.revision,
    )
    return ToolResult({"status": "ok", "label": label, "characters": len(value), "limit": found.char_limit})


async def _block(tx: TenantTx, context: ToolContext, label: str, *, creates: bool) -> Block | ToolResult:
    agent_id, contact_id = context.agent.id, context.contact_id
    found = await memory_blocks.lock(tx, agent_id, contact_id, label)
    if found is not None:
        return found
    of_agent = await memory_blocks.get(tx, agent_id, None, label)
    personal = context.agent.definition.pattern == "personal"
    if of_agent is not None and not personal:
        return _refused("read_only", f"{label} is the same for every contact and is not changed from a conversation.")
    if not creates and of_agent is None:
        return ToolResult(
            {"status": "not_found", "reason": "no_block", "message": f"There is no block {label} of this contact."}
        )
    if await memory_blocks.count(tx, agent_id, contact_id) >= MOST_BLOCKS:
        return invalid(f"There are {MOST_BLOCKS} blocks of this contact already; use one of them.")
    await memory_blocks.create(tx, agent_id, contact_id, label, like=of_agent)
    made = await memory_blocks.lock(tx, agent_id, contact_id, label)
    return made or invalid(f"{label} was removed in this moment; try again.")
