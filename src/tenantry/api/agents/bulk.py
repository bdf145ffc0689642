"""`POST /api/v1/agents/bulk`: one thing done to many agents."""

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

from fastapi import APIRouter

from tenantry.api.agents.bulk_schemas import (
    MOST,
    AgentSelection,
    BulkAction,
    BulkIn,
    BulkItemOut,
    BulkOut,
    DraftPatch,
    TagChange,
)
from tenantry.api.agents.lookup import changeable, owned
from tenantry.api.agents.routes import published
from tenantry.api.common import AllModels, Db, require_member
from tenantry.auth.principals import CanEditAgents
from tenantry.domain.access import Principal
from tenantry.domain.agent import AgentRecord
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.definition_changes import Change, changes, describe
from tenantry.domain.definition_patch import patched
from tenantry.domain.errors import FieldError, InvalidInput, TenantryError
from tenantry.storage.repositories import agent_shares, agent_versions, agents, audit, tenants
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])

_MOST_TAGS = 50
# What is different now, a line each, or None when there was nothing to do.
_Done = Sequence[str] | None


@router.post("/bulk")
async def change_many(body: BulkIn, who: CanEditAgents, db: Db, models: AllModels) -> BulkOut:
    """Do one thing to up to 1,000 agents, each by itself: what fails leaves the others as they are, and is told with
    the error that a request for it alone would get."""
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        if body.action.hand_over is not None and body.action.hand_over.member_id is not None:
            await require_member(tx, body.action.hand_over.member_id, "action.hand_over.member_id")
        if body.action.delete is not None:
            # The tenant before its agents, as where the configuration is changed.
            await tenants.lock_active_agent(tx)
        bulk = _Bulk(tx, who, body.action, allowed, keep=not body.dry_run)
        # In one order for all, so that two requests never wait for each other in a circle.
        items = [await bulk.item(agent_id) for agent_id in sorted(await _selected(tx, body.select, who))]
    counts = Counter(item.result for item in items)
    return BulkOut(
        dry_run=body.dry_run,
        changed=counts["changed"],
        unchanged=counts["unchanged"],
        failed=counts["failed"],
        items=items,
    )


async def _selected(tx: TenantTx, select: AgentSelection, who: Principal) -> Collection[UUID]:
    if select.ids is not None:
        return set(select.ids)
    found = await agents.list_page(tx, sees_only=who.sees_only, limit=MOST + 1, matching=select.filter())
    if len(found) > MOST:
        detail = (
            f"More than {MOST:,} agents match, and {MOST:,} can be changed at once; select fewer, such as by a tag."
        )
        raise InvalidInput(detail, errors=[FieldError("select", f"matches more than {MOST:,} agents")])
    return {agent.id for agent in found}


class _Bulk:
    """One action, done to one agent after the other; undone again unless it is to be kept."""

    def __init__(
        self, tx: TenantTx, who: Principal, action: BulkAction, allowed_models: Collection[str], *, keep: bool
    ) -> None:
        self._tx = tx
        self._who = who
        self._action = action
        self._allowed = allowed_models
        self._keep = keep

    async def item(self, agent_id: UUID) -> BulkItemOut:
        """What became of this agent."""
        action = self._action
        name: str | None = None
        try:
            async with self._tx.savepoint(keep=self._keep):
                theirs = owned if action.delete or action.hand_over else changeable
                agent = await theirs(self._tx, agent_id, self._who)
                name = agent.definition.name
                done = await self._act(agent)
        except TenantryError as error:
            faults = [f"{fault.field} {fault.message}" for fault in error.errors[:5]]
            detail = " ".join([error.detail, *faults])
            return BulkItemOut(agent_id=agent_id, name=name, result="failed", code=error.code, detail=detail)
        result = "unchanged" if done is None else "changed"
        return BulkItemOut(agent_id=agent_id, name=name, result=result, changes=list(done or ()))

    async def _act(self, agent: AgentRecord) -> _Done:
        action = self._action
        if action.change is not None:
            return await self._change(agent, action.change)
        if action.publish is not None:
            return await self._publish(agent, action.publish.note)
        if action.tag is not None:
            return await self._tag(agent, action.tag)
        if action.hand_over is not None:
            return await self._hand_over(agent, action.hand_over.member_id)
        await agents.delete(self._tx, agent.id)
        await self._record("agent.deleted", agent)
        return ()

    async def _change(self, agent: AgentRecord, change: DraftPatch) -> _Done:
        definition = patched(agent.definition, change.patch)
        differences = changes(agent.definition, definition)
        if not differences and not (change.publish and agent.status != "published"):
            return None
        validate_definition(definition, self._allowed)
        if differences:
            # Locked: nobody else has changed it since.
            agent = await agents.change(self._tx, agent.id, definition, revision=agent.revision) or agent
            await self._record("agent.changed", agent, {"revision": agent.revision})
        if change.publish:
            await published(self._tx, agent, definition, self._who, note=change.note)
        return [describe(difference) for difference in differences]

    async def _publish(self, agent: AgentRecord, note: str) -> _Done:
        if agent.status == "published":
            return None
        validate_definition(agent.definition, self._allowed)
        differences: Sequence[Change] = ()
        if agent.published is not None:
            answering = await agent_versions.definition(self._tx, agent.id, agent.published)
            differences = changes(answering, agent.definition)
        await published(self._tx, agent, agent.definition, self._who, note=note)
        return [describe(difference) for difference in differences]

    async def _tag(self, agent: AgentRecord, change: TagChange) -> _Done:
        kept = (tag for tag in agent.tags if tag not in change.remove)
        tags = tuple(dict.fromkeys([*kept, *change.add]))
        if tags == agent.tags:
            return None
        if len(tags) > _MOST_TAGS:
            raise InvalidInput(f"The agent would have {len(tags)} tags, and {_MOST_TAGS} are the most.")
        await agents.set_tags(self._tx, agent.id, tags)
        await self._record("agent.tagged", agent, {"tags": tags})
        return [describe(Change("tags", "changed", list(agent.tags), list(tags)))]

    async def _hand_over(self, agent: AgentRecord, member_id: UUID | None) -> _Done:
        if member_id == agent.owner_member_id:
            return None
        if agent.is_template and member_id is not None:
            raise InvalidInput("The agent is a template, which only the tenant can own; let it cease to be one first.")
        await agent_shares.hand_over(self._tx, [agent.id], member_id)
        before, after = [str(each) if each else None for each in (agent.owner_member_id, member_id)]
        await self._record("agent.handed_over", agent, {"from": before, "to": after})
        return [describe(Change("owner", "changed", before or "the tenant", after or "the tenant"))]

    async def _record(self, action: str, agent: AgentRecord, details: dict[str, object] | None = None) -> None:
        await audit.record(self._tx, actor=self._who.actor, action=action, target=f"agent:{agent.id}", details=details)
