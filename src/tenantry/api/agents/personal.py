"""`/api/v1/agents/{agent_id}/personal`: contacts' own instances of an agent, each only what differs from it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, status

from tenantry.api.agents.lookup import owned
from tenantry.api.agents.schemas import PersonalIn, PersonalOut, PersonalPage
from tenantry.api.common import AllModels, Cursor, Db, Limit, cut_page
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.access import Principal, Scope
from tenantry.domain.agent import AgentDefinition, AgentRecord
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.definition_patch import patched
from tenantry.domain.errors import Conflict, InvalidInput, NotFound
from tenantry.storage.repositories import agent_versions, audit, contacts, personal_agents
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/agents/{agent_id}/personal", tags=["agents"])


async def _reader(who: CanReadAgents) -> Principal:
    # What is kept for one person comes from conversations with them.
    who.require(Scope.CONVERSATIONS_READ)
    return who


Reader = Annotated[Principal, Depends(_reader)]


@router.get("")
async def list_personal(agent_id: UUID, who: Reader, db: Db, cursor: Cursor = None, limit: Limit = 50) -> PersonalPage:
    """Whose own instances of the agent there are."""
    async with db.tenant(who.tenant_id) as tx:
        await owned(tx, agent_id, who)
        found = await personal_agents.list_page(tx, agent_id, after=cursor, limit=limit + 1)
    page, next_cursor = cut_page(found, limit, lambda instance: instance.contact_id)
    return PersonalPage(items=[PersonalOut.of(instance) for instance in page], next_cursor=next_cursor)


@router.get("/{contact_id}")
async def read_personal(agent_id: UUID, contact_id: UUID, who: Reader, db: Db) -> PersonalOut:
    """A contact's own instance of the agent."""
    async with db.tenant(who.tenant_id) as tx:
        await owned(tx, agent_id, who)
        instance = await personal_agents.get(tx, agent_id, contact_id)
    if instance is None:
        raise NotFound("This contact has no instance of the agent of their own; it is made with their first message.")
    return PersonalOut.of(instance)


@router.put("/{contact_id}", responses=problems(Conflict))
async def change_personal(
    agent_id: UUID, contact_id: UUID, body: PersonalIn, who: CanEditAgents, db: Db, models: AllModels
) -> PersonalOut:
    """Say all that a contact's own instance has different from the agent, from the next message on; made when there is
    none. With a `revision`, a 409 when it was changed since that was read."""
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        definition = await _personal(tx, await owned(tx, agent_id, who))
        validate_definition(patched(definition, body.changes), allowed)
        if not await contacts.exists(tx, contact_id):
            raise NotFound("There is no contact with this id.")
        current = await personal_agents.make(tx, agent_id, contact_id)
        revision = body.revision or current.revision
        instance = await personal_agents.change(tx, agent_id, contact_id, body.changes, revision=revision)
        if instance is None:
            raise Conflict(f"The instance is at revision {current.revision}; read it again and repeat the change.")
        await _audit(tx, who, "personal_agent.changed", agent_id, contact_id)
    return PersonalOut.of(instance)


@router.delete("/{contact_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_personal(agent_id: UUID, contact_id: UUID, who: CanEditAgents, db: Db) -> None:
    """Let a contact have the agent as it is; what it keeps in mind of them stays."""
    async with db.tenant(who.tenant_id) as tx:
        await owned(tx, agent_id, who)
        if not await personal_agents.delete(tx, agent_id, contact_id):
            raise NotFound("This contact has no instance of the agent of their own.")
        await _audit(tx, who, "personal_agent.deleted", agent_id, contact_id)


async def _personal(tx: TenantTx, agent: AgentRecord) -> AgentDefinition:
    definition = agent.definition
    if agent.published is not None:
        definition = await agent_versions.definition(tx, agent.id, agent.published)
    if definition.pattern != "personal":
        raise InvalidInput("Contacts have no instances of this agent: its `pattern` is not `personal`.")
    return definition


async def _audit(tx: TenantTx, who: Principal, action: str, agent_id: UUID, contact_id: UUID) -> None:
    details = {"contact_id": str(contact_id)}
    await audit.record(tx, actor=who.actor, action=action, target=f"agent:{agent_id}", details=details)
