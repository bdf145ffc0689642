"""`/api/v1/agents/{agent_id}/clones` and `/origin`: make clones, and keep them near what they were made from."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, status

from tenantry.agent_files.built_in_types import built_in_types
from tenantry.api.agents.clone_schemas import (
    CloneCreate,
    ClonesUpdateIn,
    ClonesUpdateOut,
    ConflictOut,
    OriginOut,
    OriginUpdateIn,
    OriginUpdateOut,
    SourceOut,
)
from tenantry.api.agents.clone_updates import store_updates, update_clones, validate_update
from tenantry.api.agents.lookup import changeable, version_of, visible
from tenantry.api.agents.routes import published
from tenantry.api.agents.schemas import AgentOut, ChangeOut
from tenantry.api.common import AllModels, Db, require_member
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.access import Principal
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.definition_changes import changes
from tenantry.domain.errors import AgentNotPublished, Conflict, Forbidden, NotFound
from tenantry.domain.origin import Clone, CloneUpdate, Origin, update_clone
from tenantry.storage.repositories import agent_origins, agents, audit
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/agents/{agent_id}", tags=["clones"])


@router.post("/clones", status_code=status.HTTP_201_CREATED, responses=problems(AgentNotPublished))
async def clone_agent(agent_id: UUID, body: CloneCreate, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Make an agent of one's own from the version of this one that answers. What it remembers, whom it is shared with
    and secrets are not part of it."""
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        origin = await newest_of(tx, agent_id, who)
        tags = (await visible(tx, agent_id, who)).tags
        return await clone(tx, who, origin, tags, body, allowed)


@router.get("/origin")
async def read_origin(agent_id: UUID, who: CanReadAgents, db: Db) -> OriginOut:
    """Where a clone comes from, what was changed in it since, and what is new there."""
    async with db.tenant(who.tenant_id) as tx:
        await visible(tx, agent_id, who)
        found = await _clone_of(tx, agent_id)
        newest = await _newest(tx, found.origin, who)
    update = update_clone(found, newest) if newest is not None and found.origin.is_older_than(newest) else None
    return OriginOut(
        source=SourceOut.of(newest or found.origin),
        version=found.origin.version,
        newest_version=newest.version if newest else None,
        state="source_gone" if newest is None else "behind" if update else "up_to_date",
        own_changes=[ChangeOut.of(change) for change in changes(found.origin.definition, found.agent.definition)],
        incoming=[ChangeOut.of(change) for change in update.taken] if update else [],
        conflicts=[ConflictOut.of(conflict) for conflict in update.conflicts] if update else [],
    )


@router.post("/origin/update", responses=problems(Conflict))
async def update_from_origin(
    agent_id: UUID, body: OriginUpdateIn, who: CanEditAgents, db: Db, models: AllModels
) -> OriginUpdateOut:
    """Take what is new where a clone comes from, and keep what was changed in it."""
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        await changeable(tx, agent_id, who)
        found = await _clone_of(tx, agent_id)
        newest = await _newest(tx, found.origin, who)
        if newest is None:
            raise Conflict(
                "What this agent was made from is gone, or this key cannot see it; the agent stays as it is."
            )
        if not found.origin.is_older_than(newest):
            return _update_out(CloneUpdate(found, newest, found.agent.definition, None, (), ()), body, found)
        update = update_clone(found, newest, take=body.take, publish=body.publish)
        validate_update(update, allowed)
        if not body.dry_run:
            await store_updates(tx, who, [update], newest, body.note)
        return _update_out(update, body, await _clone_of(tx, agent_id))


@router.post("/clones/update", responses=problems(AgentNotPublished))
async def update_all_clones(
    agent_id: UUID, body: ClonesUpdateIn, who: CanEditAgents, db: Db, models: AllModels
) -> ClonesUpdateOut:
    """Bring what is new in this agent to its clones, keep what was changed in each, and say what became of it. A second
    run changes nothing."""
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        newest = await newest_of(tx, agent_id, who)
    return await update_clones(db, who, newest, allowed, body)


async def newest_of(tx: TenantTx, agent_id: UUID, who: Principal) -> Origin:
    """The version of an agent that answers, as what clones take. Raises NotFound, AgentNotPublished."""
    source = await visible(tx, agent_id, who)
    if source.published is None:
        raise AgentNotPublished
    version = await version_of(tx, agent_id, source.published)
    return Origin(agent_id, None, version.number, version.definition)


async def clone(
    tx: TenantTx, who: Principal, origin: Origin, tags: Sequence[str], body: CloneCreate, allowed: Sequence[str]
) -> AgentOut:
    """A new agent that remembers its origin. Raises InvalidInput, Forbidden."""
    definition = origin.definition if body.name is None else replace(origin.definition, name=body.name)
    validate_definition(definition, allowed)
    owner = body.owner_member_id or who.member_id
    if not who.may_change(owner):
        raise Forbidden("This key may only make agents of its own member.")
    if body.owner_member_id is not None:
        await require_member(tx, body.owner_member_id, "owner_member_id")
    agent = await agents.create(tx, definition, owner, tags=tags if body.tags is None else body.tags)
    await agent_origins.record(tx, agent.id, origin)
    details = {"source": origin.built_in or str(origin.template_agent_id), "version": origin.version}
    await audit.record(tx, actor=who.actor, action="agent.cloned", target=f"agent:{agent.id}", details=details)
    if body.publish:
        agent = await published(tx, agent, definition, who, note=f"A clone of {origin.shown}.")
    return AgentOut.of(agent)


async def _clone_of(tx: TenantTx, agent_id: UUID) -> Clone:
    found = await agent_origins.get(tx, agent_id)
    if found is None:
        raise NotFound("This agent is no clone; POST /api/v1/agents/{agent_id}/clones makes clones.")
    return found


async def _newest(tx: TenantTx, origin: Origin, who: Principal) -> Origin | None:
    """What the origin is by now; None when it is gone, or not for them to see."""
    if origin.template_agent_id is not None:
        try:
            return await newest_of(tx, origin.template_agent_id, who)
        except NotFound:
            return None
    file = built_in_types().get(origin.built_in or "")
    return Origin(None, origin.built_in, None, file.definition) if file else None


def _update_out(update: CloneUpdate, body: OriginUpdateIn, after: Clone) -> OriginUpdateOut:
    return OriginUpdateOut(
        dry_run=body.dry_run,
        changed=update.changes,
        version=update.newest.version,
        taken=[ChangeOut.of(change) for change in update.taken],
        conflicts=[ConflictOut.of(conflict) for conflict in update.conflicts],
        revision=after.agent.revision,
        published=after.agent.published,
    )
