"""hand_off: find the agent of a purpose, who goes on with the conversation from the next message on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenantry.domain.agent import Agent, Function
from tenantry.domain.routing import Target
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.storage.repositories import agent_versions, routing
from tenantry.storage.repositories.agent_versions import Serving
from tenantry.storage.tenancy import TenantTx
from tenantry.tools.base import ToolContext
from tenantry.tools.parameters import function_spec

HAND_OFF = "hand_off"
_REASON: dict[str, Any] = {
    "type": "string",
    "maxLength": 500,
    "description": "Why, in one short line for whoever takes over.",
}


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Where a call has led to: an agent of the conversation's tenant, and one version of it where the purpose names
    that."""

    agent_id: UUID
    version: int | None
    purpose: str

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> "HandedOver":
        """What a call's output says that has the status `ok`."""
        return cls(UUID(output["agent_id"]), output["version"], output["purpose"])


@dataclass(frozen=True, slots=True)
class HandOff:
    """Only looks: the conversation goes over in the transaction that stores the turn with this call, so that the turn
    itself, also one that is taken up after a crash, is answered by the agent that it was for."""

    name: str = HAND_OFF
    reads_only: bool = True

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        about = (
            "Hand the conversation over to a colleague, who answers from the contact's next message on and knows all "
            "that was noted. Say to the contact that you do."
        )
        purpose = {"type": "string", "enum": list(function.purposes), "description": "What the colleague is for."}
        return function_spec(agent, function, about, {"purpose": purpose, "reason": _REASON}, ("purpose",))

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`ok` with the agent; `not_found` when the tenant has none for the purpose that the conversation's owner may
        reach; `unavailable` before that is published; `refused` when it is this very agent."""
        purpose: str = arguments["purpose"]
        async with context.db.tenant(context.tenant_id) as tx:
            target = (await routing.get(tx)).rules.purposes.get(purpose)
            serving = await _reachable(tx, target, context.owner_member_id) if target else None
            if target is None or serving is None:
                told = f"There is nobody for {purpose} here. Help the contact yourself, or say that you cannot."
                return _not_done("not_found", "unknown_purpose", told)
            if serving.agent_id == context.agent.id:
                return _not_done("refused", "same_agent", f"You are the one for {purpose} yourself; go on.")
            version = target.version or serving.version
            if version is None:
                told = f"Whoever is for {purpose} cannot answer yet. Help the contact yourself, or say that you cannot."
                return _not_done("unavailable", "not_published", told)
            name = (await agent_versions.definition(tx, serving.agent_id, version)).name
        return ToolResult(
            {
                "status": "ok",
                "purpose": purpose,
                "agent": name,
                "agent_id": str(serving.agent_id),
                "version": target.version,
                "message": f"Tell the contact that {name} takes over and answers their next message.",
            }
        )


async def _reachable(tx: TenantTx, target: Target, owner_member_id: UUID | None) -> Serving | None:
    """The agent, where the owner of the conversation sees it: the tenant's conversations go to any of its agents, a
    member's to nobody whom that member could not choose."""
    return await agent_versions.serving(tx, target.agent_id, sees_only=owner_member_id)


def _not_done(status: str, reason: str, message: str) -> ToolResult:
    return ToolResult({"status": status, "reason": reason, "message": message})
