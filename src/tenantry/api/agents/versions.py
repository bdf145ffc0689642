"""`/api/v1/agents/{agent_id}/versions`: publish, look at, compare and roll back."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from tenantry.api.agents.lookup import changeable, version_of, visible
from tenantry.api.agents.routes import changed_meanwhile, published
from tenantry.api.agents.schemas import (
    AgentOut,
    ChangeOut,
    DiffOut,
    Publication,
    RollBack,
    VersionOut,
    VersionPage,
)
from tenantry.api.common import AllModels, Db, Limit
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.definition_changes import changes
from tenantry.domain.errors import Conflict
from tenantry.storage.repositories import agent_versions, agents

router = APIRouter(prefix="/api/v1/agents/{agent_id}", tags=["agents"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("/publish", responses=problems(Conflict))
async def publish_agent(agent_id: UUID, body: Publication, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Make the draft the next version, which answers from now on; nothing changes when it is that already. With
    `revision`, a 409 when the draft is not the one that was read."""
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        agent = await changeable(tx, agent_id, who)
        if body.revision not in (None, agent.revision):
            raise changed_meanwhile(agent, body.revision or 0, agent.definition)
        if agent.status == "published":
            return AgentOut.of(agent)
        validate_definition(agent.definition, allowed)
        return AgentOut.of(await published(tx, agent, agent.definition, who, note=body.note))


@router.get("/versions")
async def list_versions(
    agent_id: UUID,
    who: CanReadAgents,
    db: Db,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next_cursor` of the page before.")] = None,
    limit: Limit = 50,
) -> VersionPage:
    """The versions of an agent, newest first."""
    async with db.tenant(who.tenant_id) as tx:
        await visible(tx, agent_id, who)
        found = await agent_versions.list_page(tx, agent_id, before=cursor, limit=limit + 1)
    page = found[:limit]
    return VersionPage(
        items=[VersionOut.of(version) for version in page],
        next_cursor=page[-1].number if len(found) > limit else None,
    )


@router.get("/versions/{number}")
async def read_version(agent_id: UUID, number: Number, who: CanReadAgents, db: Db) -> VersionOut:
    """One version of an agent."""
    async with db.tenant(who.tenant_id) as tx:
        await visible(tx, agent_id, who)
        return VersionOut.of(await version_of(tx, agent_id, number))


@router.get("/diff")
async def compare_versions(
    agent_id: UUID,
    who: CanReadAgents,
    db: Db,
    before: Annotated[int, Query(ge=1, le=2**31 - 1, description="A version.")],
    after: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Another version; else the draft.")] = None,
) -> DiffOut:
    """What leads from one version to another or to the draft, field by field."""
    async with db.tenant(who.tenant_id) as tx:
        agent = await visible(tx, agent_id, who)
        old = (await version_of(tx, agent_id, before)).definition
        new = agent.definition if after is None else (await version_of(tx, agent_id, after)).definition
    return DiffOut(changes=[ChangeOut.of(change) for change in changes(old, new)])


@router.post("/rollback")
async def roll_back(agent_id: UUID, body: RollBack, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Make an earlier version the next one, which answers from now on. A draft without changes of its own becomes it
    too; one with changes stays."""
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        agent = await changeable(tx, agent_id, who)
        earlier = (await version_of(tx, agent_id, body.version)).definition
        validate_definition(earlier, allowed)
        if agent.status == "published":
            agent = await agents.change(tx, agent_id, earlier, revision=agent.revision) or agent
        return AgentOut.of(await published(tx, agent, earlier, who, note=body.note, restores=body.version))
