"""`POST /api/v1/agents/setup`: the agents that a tenant begins with."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tenantry.agent_files.built_in_types import built_in_types
from tenantry.api.agents.routes import published
from tenantry.api.common import AllModels, Db
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditAgents
from tenantry.domain.access import Principal
from tenantry.domain.agent import AgentRecord, TurnField
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, TenantryError
from tenantry.domain.origin import Origin
from tenantry.domain.routing import Target
from tenantry.storage.repositories import agent_origins, agents, audit, routing, tenants
from tenantry.storage.repositories.agents import AgentFilter
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])


class SetUp(BaseModel):
    """Which built-in types are wanted; all of them when none is named."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"types": ["support", "sales"]}]})
    types: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=100)] | None = None


class SetUpTypeOut(BaseModel):
    """What became of one type. `turn_fields` are those of its agent, which exists now or did before."""

    type: str
    result: Literal["created", "existed", "failed"]
    agent_id: UUID | None
    turn_fields: list[TurnField]
    detail: str | None = None


class StartingSetOut(BaseModel):
    """What became of the types."""

    items: list[SetUpTypeOut]


@router.post("/setup", responses=problems(Conflict))
async def set_up(body: SetUp, who: CanEditAgents, db: Db, models: AllModels) -> StartingSetOut:
    """Make an agent of each built-in type that the tenant has none of yet, published and the tenant's own; for the
    tenant's keys, owners and admins. What is there stays as it is."""
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins may set up its agents.")
    types = list(dict.fromkeys(built_in_types() if body.types is None else body.types))
    if unknown := [name for name in types if name not in built_in_types()]:
        message = f"there is no type {unknown[0]!r}; there are: {', '.join(built_in_types())}"
        raise InvalidInput(f"`types` is not valid: {message}.", errors=[FieldError("types", message)])
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        # One at a time, so that two at once do not both make what neither finds.
        await tenants.lock_active_agent(tx)
        there = await agent_origins.of_built_in_types(tx)
        items = [await _type(tx, name, there.get(name), who, allowed) for name in types]
        await _set_purposes(tx, who, {item.type: item.agent_id for item in items})
    return StartingSetOut(items=items)


async def _type(
    tx: TenantTx, name: str, agent_id: UUID | None, who: Principal, allowed_models: Collection[str]
) -> SetUpTypeOut:
    try:
        async with tx.savepoint():
            if (existing := await _existing(tx, name, agent_id)) is not None:
                return _told(name, "existed", existing)
            return _told(name, "created", await _created(tx, name, who, allowed_models))
    except TenantryError as error:
        return SetUpTypeOut(type=name, result="failed", agent_id=None, turn_fields=[], detail=error.detail)


async def _existing(tx: TenantTx, name: str, agent_id: UUID | None) -> AgentRecord | None:
    """The agent that was made of the type or, where none was, the tenant's one of the same name."""
    if agent_id is not None:
        return await agents.get(tx, agent_id, sees_only=None)
    matching = AgentFilter(name=built_in_types()[name].definition.name, tenants_own=True)
    return next(iter(await agents.list_page(tx, sees_only=None, limit=1, matching=matching)), None)


async def _created(tx: TenantTx, name: str, who: Principal, allowed_models: Collection[str]) -> AgentRecord:
    file = built_in_types()[name]
    definition = replace(file.definition, time_zone=who.tenant.time_zone)
    validate_definition(definition, allowed_models)
    agent = await agents.create(tx, definition, None, tags=file.head.tags)
    await agent_origins.record(tx, agent.id, Origin(None, name, None, file.definition))
    details = {"built_in": name}
    await audit.record(tx, actor=who.actor, action="agent.created", target=f"agent:{agent.id}", details=details)
    return await published(tx, agent, definition, who, note=f"built-in type {name}")


async def _set_purposes(tx: TenantTx, who: Principal, made: Mapping[str, UUID | None]) -> None:
    """Route each type's name to its agent, where the tenant has no such purpose yet."""
    stored = await routing.get(tx)
    targets = {name: Target(agent_id) for name, agent_id in made.items() if agent_id is not None}
    versions = await routing.agents_of(tx, list(targets.values()), sees_only=None)
    new = {
        name: target
        for name, target in targets.items()
        if versions.get(target.agent_id) and name not in stored.rules.purposes
    }
    if not new:
        return
    await tenants.raise_settings_stamp(tx)
    rules = replace(stored.rules, purposes={**stored.rules.purposes, **new})
    now = await routing.put(tx, rules, revision=stored.revision)
    if now is None:
        raise Conflict("The routing was changed in between; set up again.")
    details = {"revision": now.revision}
    await audit.record(tx, actor=who.actor, action="routing.changed", target=f"tenant:{who.tenant_id}", details=details)


def _told(name: str, result: Literal["created", "existed"], agent: AgentRecord) -> SetUpTypeOut:
    return SetUpTypeOut(type=name, result=result, agent_id=agent.id, turn_fields=list(agent.definition.turn_fields))
