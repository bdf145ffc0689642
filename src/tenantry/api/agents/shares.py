"""`/api/v1/agents/{agent_id}/shares` and `/owner`: who may use and change an agent, and whose it is."""

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, status

from tenantry.api.agents.lookup import owned
from tenantry.api.agents.schemas import AgentOut
from tenantry.api.agents.share_schemas import NewOwner, ShareIn, ShareList, ShareOut
from tenantry.api.common import Db, require_member
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.errors import FieldError, InvalidInput, NotFound
from tenantry.storage.repositories import agent_shares, audit

router = APIRouter(prefix="/api/v1/agents/{agent_id}", tags=["sharing"])


@router.get("/shares")
async def list_shares(agent_id: UUID, who: CanReadAgents, db: Db) -> ShareList:
    """Whom an agent is shared with; for its owner and for the whole tenant's keys."""
    async with db.tenant(who.tenant_id) as tx:
        await owned(tx, agent_id, who)
        return ShareList(items=[ShareOut.of(share) for share in await agent_shares.list_of(tx, agent_id)])


@router.put("/shares/{member_id}")
async def share_agent(agent_id: UUID, member_id: UUID, body: ShareIn, who: CanEditAgents, db: Db) -> ShareOut:
    """Share an agent with a member, or change what they may do. What they begin with it acts for its owner, and only
    they and the owner see it."""
    async with db.tenant(who.tenant_id) as tx:
        agent = await owned(tx, agent_id, who)
        await require_member(tx, member_id, "member_id")
        if member_id == agent.owner_member_id:
            raise InvalidInput("The agent is theirs.", errors=[FieldError("member_id", "is the agent's owner")])
        share = await agent_shares.put(tx, agent_id, member_id, body.permission)
        details = {"member_id": str(member_id), "permission": body.permission}
        await audit.record(tx, actor=who.actor, action="agent.shared", target=f"agent:{agent_id}", details=details)
    return ShareOut.of(share)


@router.delete("/shares/{member_id}", status_code=status.HTTP_204_NO_CONTENT)
async def unshare_agent(agent_id: UUID, member_id: UUID, who: CanEditAgents, db: Db) -> None:
    """Share an agent with a member no longer; what they began with it they do not see any more."""
    async with db.tenant(who.tenant_id) as tx:
        await owned(tx, agent_id, who)
        if not await agent_shares.remove(tx, agent_id, member_id):
            raise NotFound("The agent is not shared with this member.")
        details = {"member_id": str(member_id)}
        await audit.record(tx, actor=who.actor, action="agent.unshared", target=f"agent:{agent_id}", details=details)


@router.post("/owner")
async def hand_over_agent(agent_id: UUID, body: NewOwner, who: CanEditAgents, db: Db) -> AgentOut:
    """Hand an agent over to another member, or make it the tenant's. Conversations that began before go on acting for
    the former owner, new ones act for the new one."""
    async with db.tenant(who.tenant_id) as tx:
        agent = await owned(tx, agent_id, who)
        if body.member_id is not None:
            await require_member(tx, body.member_id, "member_id")
            if agent.is_template:
                message = "is for agents that are no templates; PUT /api/v1/agents/{agent_id}/template changes that"
                raise InvalidInput("A template is the tenant's.", errors=[FieldError("member_id", message)])
        await agent_shares.hand_over(tx, [agent_id], body.member_id)
        details = {
            "from": str(agent.owner_member_id) if agent.owner_member_id else None,
            "to": str(body.member_id) if body.member_id else None,
        }
        await audit.record(tx, actor=who.actor, action="agent.handed_over", target=f"agent:{agent_id}", details=details)
        return AgentOut.of(replace(agent, owner_member_id=body.member_id))
