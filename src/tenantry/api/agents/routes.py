"""`/api/v1/agents`."""

from uuid import UUID

from fastapi import APIRouter, status

from tenantry.api.agents.schemas import AgentChange, AgentCreate, AgentOut, AgentPage, AgentPreview, ToolOut
from tenantry.api.common import AllModels, Cursor, Db, EngineResources, Limit, cut_page
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.access import Principal
from tenantry.domain.agent import Agent
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound
from tenantry.engine.preview import preview
from tenantry.memory.registry import DEFAULT
from tenantry.storage.repositories import agents, audit, tenants
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])


@router.get("")
async def list_agents(who: CanReadAgents, db: Db, cursor: Cursor = None, limit: Limit = 50) -> AgentPage:
    """The agents that the key can see, newest first."""
    async with db.tenant(who.tenant_id) as tx:
        found = await agents.list_page(tx, sees_only=who.sees_only, before=cursor, limit=limit + 1)
    page, next_cursor = cut_page(found, limit, lambda agent: agent.id)
    return AgentPage(items=[AgentOut.of(agent) for agent in page], next_cursor=next_cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_agent(body: AgentCreate, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Make an agent."""
    validate_definition(body.definition, (await models.of(db, who.tenant)).allowed())
    owner = body.owner_member_id or who.member_id
    if not who.may_change(owner):
        raise Forbidden("This key may only make agents of its own member.")
    async with db.tenant(who.tenant_id) as tx:
        if body.owner_member_id is not None:
            await _require_member(tx, body.owner_member_id)
        agent = await agents.create(tx, body.definition, owner)
        await audit.record(tx, actor=who.actor, action="agent.created", target=f"agent:{agent.id}")
    return AgentOut.of(agent)


@router.get("/{agent_id}")
async def read_agent(agent_id: UUID, who: CanReadAgents, db: Db) -> AgentOut:
    """One agent."""
    async with db.tenant(who.tenant_id) as tx:
        return AgentOut.of(await _visible(tx, agent_id, who))


@router.put("/{agent_id}")
async def change_agent(agent_id: UUID, body: AgentChange, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Replace an agent's definition; a 409 when someone else changed it since it was read."""
    validate_definition(body.definition, (await models.of(db, who.tenant)).allowed())
    async with db.tenant(who.tenant_id) as tx:
        await _changeable(tx, agent_id, who)
        agent = await agents.change(tx, agent_id, body.definition, revision=body.revision)
        if agent is None:
            raise Conflict(
                f"The agent was changed since revision {body.revision}; read it again and repeat the change."
            )
        await audit.record(
            tx,
            actor=who.actor,
            action="agent.changed",
            target=f"agent:{agent_id}",
            details={"revision": agent.revision},
        )
    return AgentOut.of(agent)


@router.delete("/{agent_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_agent(agent_id: UUID, who: CanEditAgents, db: Db) -> None:
    """Take an agent out of use; its conversations and bookings stay."""
    async with db.tenant(who.tenant_id) as tx:
        await _changeable(tx, agent_id, who)
        await agents.delete(tx, agent_id)
        await audit.record(tx, actor=who.actor, action="agent.deleted", target=f"agent:{agent_id}")


@router.get("/{agent_id}/preview")
async def preview_agent(agent_id: UUID, who: CanReadAgents, resources: EngineResources) -> AgentPreview:
    """The prompt and the tools that the model would get now, in a conversation that just began."""
    async with resources.db.tenant(who.tenant_id) as tx:
        agent = await _visible(tx, agent_id, who)
        memory = await DEFAULT.blocks(tx, agent_id, None)
    shown = await preview(resources, who.tenant, agent, memory)
    given = {spec.name for spec in shown.tools}
    return AgentPreview(
        model=shown.model,
        system_prompt=shown.system_prompt,
        tools=[ToolOut(name=s.name, description=s.description, parameters=s.parameters) for s in shown.tools],
        functions_without_tool=[f.name for f in agent.definition.enabled_functions() if f.name not in given],
    )


async def _visible(tx: TenantTx, agent_id: UUID, who: Principal) -> Agent:
    agent = await agents.get(tx, agent_id, sees_only=who.sees_only)
    if agent is None:
        raise NotFound
    return agent


async def _changeable(tx: TenantTx, agent_id: UUID, who: Principal) -> Agent:
    agent = await _visible(tx, agent_id, who)
    if not who.may_change(agent.owner_member_id):
        raise Forbidden("The tenant owns this agent; only its owners and admins may change it.")
    return agent


async def _require_member(tx: TenantTx, member_id: UUID) -> None:
    if all(member.id != member_id for member in await tenants.list_members(tx)):
        raise InvalidInput(
            "`owner_member_id` is no member of this tenant.",
            errors=[FieldError("owner_member_id", "is no member of this tenant")],
        )
