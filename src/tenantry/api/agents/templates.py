"""`/api/v1/templates`: what comes with the product, and what a tenant offers to its members."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, status

from tenantry.agent_files.agent_file import AgentFile
from tenantry.agent_files.built_in_types import built_in_types
from tenantry.api.agents.clone_schemas import CloneCreate, ClonesUpdateIn, ClonesUpdateOut
from tenantry.api.agents.clone_updates import update_clones
from tenantry.api.agents.clones import clone
from tenantry.api.agents.lookup import owned, visible
from tenantry.api.agents.schemas import AgentOut
from tenantry.api.agents.template_schemas import BuiltInDefinitionOut, BuiltInOut, TemplateMark, TemplatePage
from tenantry.api.common import AllModels, Cursor, Db, Limit, cut_page
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.errors import FieldError, Forbidden, InvalidInput, NotFound
from tenantry.domain.origin import Origin
from tenantry.storage.repositories import agents, audit
from tenantry.storage.repositories.agents import AgentFilter

router = APIRouter(prefix="/api/v1", tags=["templates"])

TypeName = Annotated[str, Path(max_length=64, description="The name of a built-in type, such as `support`.")]


@router.get("/templates")
async def list_templates(who: CanReadAgents, db: Db, cursor: Cursor = None, limit: Limit = 50) -> TemplatePage:
    """The built-in templates and those of the tenant."""
    matching = AgentFilter(tenants_own=True, is_template=True)
    async with db.tenant(who.tenant_id) as tx:
        found = await agents.list_page(tx, sees_only=who.sees_only, before=cursor, limit=limit + 1, matching=matching)
    page, next_cursor = cut_page(found, limit, lambda agent: agent.id)
    return TemplatePage(
        built_in=[BuiltInOut.of(name, file) for name, file in built_in_types().items()],
        items=[AgentOut.of(agent) for agent in page],
        next_cursor=next_cursor,
    )


@router.get("/templates/{name}")
async def read_template(name: TypeName, who: CanReadAgents) -> BuiltInDefinitionOut:
    """A built-in template with its definition."""
    file = _built_in(name)
    return BuiltInDefinitionOut(type=name, tags=list(file.head.tags), definition=file.definition)


@router.post("/templates/{name}/clones", status_code=status.HTTP_201_CREATED)
async def clone_template(name: TypeName, body: CloneCreate, who: CanEditAgents, db: Db, models: AllModels) -> AgentOut:
    """Make an agent from a built-in template."""
    file = _built_in(name)
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        return await clone(tx, who, Origin(None, name, None, file.definition), file.head.tags, body, allowed)


@router.post("/templates/{name}/clones/update")
async def update_clones_of_template(
    name: TypeName, body: ClonesUpdateIn, who: CanEditAgents, db: Db, models: AllModels
) -> ClonesUpdateOut:
    """Bring what is new in a built-in template, as after an upgrade, to the agents made from it."""
    file = _built_in(name)
    allowed = (await models.of(db, who.tenant)).allowed()
    return await update_clones(db, who, Origin(None, name, None, file.definition), allowed, body)


@router.put("/agents/{agent_id}/template")
async def mark_template(agent_id: UUID, body: TemplateMark, who: CanEditAgents, db: Db) -> AgentOut:
    """Make an agent of the tenant a template for its members, or no longer one."""
    if not who.whole_tenant:
        raise Forbidden("Templates are made by the tenant's keys, owners and admins.")
    async with db.tenant(who.tenant_id) as tx:
        agent = await owned(tx, agent_id, who)
        if body.is_template and agent.owner_member_id is not None:
            message = "is only for agents of the tenant; POST /api/v1/agents/{agent_id}/owner makes it one"
            raise InvalidInput("A member owns this agent.", errors=[FieldError("is_template", message)])
        await agents.set_template(tx, agent_id, body.is_template)
        details = {"is_template": body.is_template}
        await audit.record(
            tx, actor=who.actor, action="agent.template_marked", target=f"agent:{agent_id}", details=details
        )
        return AgentOut.of(await visible(tx, agent_id, who))


def _built_in(name: str) -> AgentFile:
    file = built_in_types().get(name)
    if file is None:
        raise NotFound(f"There is no built-in template of this name; there are: {', '.join(built_in_types())}.")
    return file
