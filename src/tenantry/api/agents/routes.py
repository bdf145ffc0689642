"""`/api/v1/agents`."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from tenantry.api.agents.lookup import changeable, owned, version_of, visible
from tenantry.api.agents.schemas import AgentChange, AgentCreate, AgentOut, AgentPage, AgentPreview, ChangeOut, ToolOut
from tenantry.api.common import AllModels, Cursor, Db, EngineResources, Limit, cut_page, require_member
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.access import Principal
from tenantry.domain.agent import AgentDefinition, AgentRecord
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.definition_changes import changes
from tenantry.domain.errors import Conflict, Forbidden
from tenantry.engine.preview import preview
from tenantry.memory.registry import DEFAULT
from tenantry.storage.repositories import agent_versions, agents, audit
from tenantry.storage.repositories.agents import AgentFilter
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])


async def _filter(
    tag: Annotated[list[str] | None, Query(description="Agents with all of these tags.")] = None,
    owner_member_id: Annotated[UUID | None, Query(description="Agents of this member.")] = None,
    tenants_own: Annotated[bool, Query(description="Agents of the tenant itself.")] = False,
    name: Annotated[str | None, Query(max_length=200, description="Agents of exactly this name.")] = None,
    template: Annotated[bool | None, Query(description="Templates, or what is none.")] = None,
    archived: Annotated[bool, Query(description="Archived ones too.")] = False,
) -> AgentFilter:
    return AgentFilter(tuple(tag or ()), owner_member_id, tenants_own, name, template, archived=archived)


@router.get("/list", include_in_schema=True)
@router.get("", include_in_schema=False)
async def list_agents(
    who: CanReadAgents,
    db: Db,
    matching: Annotated[AgentFilter, Depends(_filter)],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AgentPage:
    """The agents that the key can see and that match, newest first."""
    async with db.tenant(who.tenant_id) as tx:
        found = await agents.list_page(tx, sees_only=who.sees_only, before=cursor, limit=limit + 1, matching=matching)
    page, next_cursor = cut_page(found, limit, lambda agent: agent.id)
    return AgentPage(items=[AgentOut.of(agent) for agent in page], next_cursor=next_cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_agent(body: AgentCreate, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Make an agent: a draft, or with `publish` its first version, which answers at once."""
    validate_definition(body.definition, (await models.of(db, who.tenant)).allowed())
    owner = body.owner_member_id or who.member_id
    if not who.may_change(owner):
        raise Forbidden("This key may only make agents of its own member.")
    async with db.tenant(who.tenant_id) as tx:
        if body.owner_member_id is not None:
            await require_member(tx, body.owner_member_id, "owner_member_id")
        agent = await agents.create(tx, body.definition, owner, tags=body.tags)
        await audit.record(tx, actor=who.actor, action="agent.created", target=f"agent:{agent.id}")
        if body.publish:
            agent = await published(tx, agent, body.definition, who, note=body.note)
    return AgentOut.of(agent)


@router.get("/{agent_id}")
async def read_agent(agent_id: UUID, who: CanReadAgents, db: Db) -> AgentOut:
    """One agent, with its draft."""
    async with db.tenant(who.tenant_id) as tx:
        return AgentOut.of(await visible(tx, agent_id, who))


@router.put("/{agent_id}", responses=problems(Conflict))
async def change_agent(agent_id: UUID, body: AgentChange, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Replace an agent's draft, and with `publish` what answers; a 409 with the `differences` when someone else changed
    it since it was read."""
    validate_definition(body.definition, (await models.of(db, who.tenant)).allowed())
    async with db.tenant(who.tenant_id) as tx:
        current = await changeable(tx, agent_id, who)
        agent = await agents.change(tx, agent_id, body.definition, revision=body.revision)
        if agent is None:
            raise changed_meanwhile(current, body.revision, body.definition)
        if body.tags is not None:
            await agents.set_tags(tx, agent_id, body.tags)
            agent = await visible(tx, agent_id, who)
        await audit.record(
            tx,
            actor=who.actor,
            action="agent.changed",
            target=f"agent:{agent_id}",
            details={"revision": agent.revision},
        )
        if body.publish:
            agent = await published(tx, agent, body.definition, who, note=body.note)
    return AgentOut.of(agent)


@router.delete("/{agent_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_agent(agent_id: UUID, who: CanEditAgents, db: Db) -> None:
    """Take an agent out of use; its conversations and bookings stay."""
    async with db.tenant(who.tenant_id) as tx:
        await owned(tx, agent_id, who)
        await agents.delete(tx, agent_id)
        await audit.record(tx, actor=who.actor, action="agent.deleted", target=f"agent:{agent_id}")


@router.get("/{agent_id}/preview")
async def preview_agent(
    agent_id: UUID,
    who: CanReadAgents,
    resources: EngineResources,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="A version; else the draft.")] = None,
) -> AgentPreview:
    """The prompt and the tools that the model would get now, in a conversation that just began."""
    async with resources.db.tenant(who.tenant_id) as tx:
        agent = (await visible(tx, agent_id, who)).draft()
        if version is not None:
            agent = replace(agent, definition=(await version_of(tx, agent_id, version)).definition)
        memory = await DEFAULT.blocks(tx, agent_id, None)
    shown = await preview(resources, who.tenant, agent, memory)
    given = {spec.name for spec in shown.tools}
    return AgentPreview(
        model=shown.model,
        system_prompt=shown.system_prompt,
        tools=[ToolOut(name=s.name, description=s.description, parameters=s.parameters) for s in shown.tools],
        functions_without_tool=[f.name for f in agent.definition.enabled_functions() if f.name not in given],
    )


async def published(
    tx: TenantTx,
    agent: AgentRecord,
    definition: AgentDefinition,
    who: Principal,
    *,
    note: str = "",
    restores: int | None = None,
) -> AgentRecord:
    """The agent after this definition was made its next version, which the audit log tells."""
    now = await agent_versions.publish(tx, agent, definition, by=who.actor, note=note, restores=restores)
    details = {"version": now.published, "restores": restores}
    await audit.record(tx, actor=who.actor, action="agent.published", target=f"agent:{agent.id}", details=details)
    return now


def changed_meanwhile(current: AgentRecord, revision: int, wanted: AgentDefinition) -> Conflict:
    """The error for who changed what somebody else had changed since, with what differs between the two."""
    differences = [ChangeOut.of(change).model_dump(mode="json") for change in changes(current.definition, wanted)]
    return Conflict(
        f"The agent was changed since revision {revision}; `differences` leads from its draft at revision "
        f"{current.revision} to yours. Read it again and repeat the change.",
        extra={"revision": current.revision, "differences": differences},
    )
