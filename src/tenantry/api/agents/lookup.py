"""Which agents a key may see and change."""

from uuid import UUID

from tenantry.domain.access import Principal
from tenantry.domain.agent import AgentRecord, AgentVersion
from tenantry.domain.errors import Forbidden, NotFound
from tenantry.storage.repositories import agent_shares, agent_versions, agents
from tenantry.storage.tenancy import TenantTx


async def visible(tx: TenantTx, agent_id: UUID, who: Principal) -> AgentRecord:
    """The agent, when they may see it. Raises NotFound."""
    agent = await agents.get(tx, agent_id, sees_only=who.sees_only)
    if agent is None:
        raise NotFound
    return agent


async def changeable(tx: TenantTx, agent_id: UUID, who: Principal) -> AgentRecord:
    """The agent, when they may change it, with nobody else doing so until the transaction ends. Raises NotFound,
    Forbidden."""
    agent = await _locked(tx, agent_id, who)
    if not who.may_change(agent.owner_member_id) and not await agent_shares.may_edit(tx, agent_id, who.member_id):
        raise Forbidden(
            "This agent may be changed by its owner, by the tenant's owners and admins, and by members whom it is "
            "shared with for `edit`."
        )
    return agent


async def owned(tx: TenantTx, agent_id: UUID, who: Principal) -> AgentRecord:
    """The agent, when it is theirs to delete, to share and to hand over, with nobody else changing it until the
    transaction ends. Raises NotFound, Forbidden."""
    agent = await _locked(tx, agent_id, who)
    if not who.may_change(agent.owner_member_id):
        raise Forbidden("Only the owner of this agent and the tenant's owners and admins may do this.")
    return agent


async def _locked(tx: TenantTx, agent_id: UUID, who: Principal) -> AgentRecord:
    agent = await agents.get(tx, agent_id, sees_only=who.sees_only, lock=True)
    if agent is None:
        raise NotFound
    return agent


async def version_of(tx: TenantTx, agent_id: UUID, number: int) -> AgentVersion:
    """One version of an agent that they may see. Raises NotFound."""
    version = await agent_versions.get(tx, agent_id, number)
    if version is None:
        raise NotFound(f"The agent has no version {number}; GET /api/v1/agents/{agent_id}/versions lists them.")
    return version
