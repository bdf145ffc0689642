"""`/api/agent`: replies, the active configuration, and health, per client."""

from collections.abc import Collection
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from tenantry.api.common import AllModels, Db
from tenantry.api.problems import problems
from tenantry.api.reply_stream import STREAM, reply_json, stream_reply
from tenantry.api.sse import sse_response
from tenantry.auth.principals import CanEditAgents, CanReadAgents, CanReply, bearer_key
from tenantry.channels.http_reply.asked import ASKED, read_body
from tenantry.channels.http_reply.health import health_of
from tenantry.channels.http_reply.schemas import ConfigIn, ConfigOut, HealthOut, ReplyIn, ReplyOut
from tenantry.domain.access import Principal, Scope
from tenantry.domain.agent import AgentDefinition, AgentRecord
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.errors import AgentNotPublished, Conflict, FieldError, Forbidden, InvalidInput, NotFound
from tenantry.engine.answering import active_agent
from tenantry.engine.inbound import Inbound, clean_email, clean_message, clean_metadata, clean_reference, clean_tags
from tenantry.engine.turn import Engine
from tenantry.memory.registry import DEFAULT
from tenantry.storage.repositories import agent_versions, agents, audit, tenants
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/agent", tags=["reply"])

ClientId = Annotated[str | None, Query(alias="clientId", description="Your own client; may be left out.")]
_definition: TypeAdapter[AgentDefinition] = TypeAdapter(AgentDefinition)


@router.post("/reply", response_model=ReplyOut, responses=STREAM, openapi_extra=ASKED)
async def reply(request: Request) -> Response:
    """Answer a contact's message; with `stream`, as server-sent events while the answer grows."""
    # Read by hand: this is the one route whose every microsecond counts.
    engine: Engine = request.app.state.runtime.engine
    body = read_body(await request.body())
    traceparent = request.headers.get("traceparent")
    live = await engine.begin_as(bearer_key(request), lambda who: _inbound(who, body, traceparent))
    if isinstance(body, ReplyIn) and body.stream:
        return sse_response(stream_reply(live))
    return Response(reply_json(await live.result()), media_type="application/json")


def _inbound(who: Principal, body: ReplyIn | RequestValidationError, traceparent: str | None) -> Inbound:
    """The message, when they may send it; who asks comes before what is wrong with it."""
    who.require(Scope.REPLY)
    if isinstance(body, RequestValidationError):
        raise body
    _check_client(body.client_id, who)
    return Inbound(
        principal=who,
        channel="http",
        message=clean_message(body.message),
        agent_id=body.agent_id,
        conversation_ref=clean_reference("conversationId", body.conversation_id),
        lead_id=clean_reference("leadId", body.lead_id),
        lead_email=clean_email("leadEmail", body.lead_email),
        topic=clean_reference("topic", body.topic),
        model=body.model,
        purpose=clean_reference("purpose", body.purpose),
        language=clean_reference("language", body.language),
        tags=clean_tags("tags", body.tags),
        metadata=clean_metadata("metadata", body.metadata),
        idempotency_key=clean_reference("idempotencyKey", body.idempotency_key),
        traceparent=traceparent,
    )


@router.get("/config/active")
async def read_config(who: CanReadAgents, db: Db, client_id: ClientId = None) -> ConfigOut:
    """The client's active configuration, made with defaults when there is none."""
    _check_client(client_id, who)
    async with db.tenant(who.tenant_id) as tx:
        agent = await active_agent(tx)
        return ConfigOut.of(who.tenant.slug, agent, await _answering(tx, agent))


@router.put("/config/active", responses=problems(NotFound, Conflict, AgentNotPublished))
async def change_config(
    body: ConfigIn, who: CanEditAgents, db: Db, models: AllModels, client_id: ClientId = None
) -> ConfigOut:
    """Change the client's active configuration, or which agent it is."""
    _check_client(client_id, who)
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins may change the active configuration.")
    allowed = (await models.of(db, who.tenant)).allowed()
    async with db.tenant(who.tenant_id) as tx:
        if body.agent_id is not None:
            await _activate(tx, body.agent_id, who)
        agent = await active_agent(tx)
        if body.revision not in (None, agent.revision):
            raise Conflict("The configuration was changed in between; read it again and repeat the change.")
        definition = await _answering(tx, agent)
        if changes := body.changes():
            agent, definition = await _change(tx, agent, definition, changes, who, allowed)
    return ConfigOut.of(who.tenant.slug, agent, definition)


@router.get("/health")
async def health(who: CanReply, db: Db, models: AllModels, client_id: ClientId = None) -> HealthOut:
    """What a reply for this client depends on, each with its state."""
    _check_client(client_id, who)
    async with db.tenant(who.tenant_id) as tx:
        agent_id = who.tenant.active_agent_id
        active = await agents.get(tx, agent_id, sees_only=None) if agent_id else None
        definition = await _answering(tx, active) if active else None
        blocks = await DEFAULT.blocks(tx, active.id, None) if active else ()
    return health_of(who.tenant.slug, definition, blocks, await models.of(db, who.tenant))


def _check_client(client_id: str | None, who: Principal) -> None:
    if client_id is not None and client_id not in (who.tenant.slug, str(who.tenant_id)):
        raise Forbidden("`clientId` is not the client of this key; leave it out or name your own.")


async def _activate(tx: TenantTx, agent_id: UUID, who: Principal) -> None:
    agent = await agents.get(tx, agent_id, sees_only=who.sees_only)
    if agent is None:
        raise NotFound("There is no agent with this id; GET /api/v1/agents lists them.")
    if agent.published is None:
        raise AgentNotPublished
    if agent.owner_member_id is not None:
        raise InvalidInput(
            "A member owns this agent; only one that the tenant owns can be the active one.",
            errors=[FieldError("agentId", "is an agent of a member")],
        )
    await tenants.set_active_agent(tx, agent_id)
    await audit.record(tx, actor=who.actor, action="config.activated", target=f"agent:{agent_id}")


async def _answering(tx: TenantTx, agent: AgentRecord) -> AgentDefinition:
    """What the agent answers by: what is published of it, else its draft."""
    return (
        agent.definition if agent.published is None else await agent_versions.definition(tx, agent.id, agent.published)
    )


async def _change(
    tx: TenantTx,
    agent: AgentRecord,
    answering: AgentDefinition,
    changes: dict[str, object],
    who: Principal,
    allowed_models: Collection[str],
) -> tuple[AgentRecord, AgentDefinition]:
    """Publish the changes of what answers, and make them in the draft; what else that has to publish stays there."""
    definition = _with(answering, changes)
    validate_definition(definition, allowed_models)
    draft = definition if agent.status == "published" else _with(agent.definition, changes)
    changed = await agents.change(tx, agent.id, draft, revision=agent.revision)
    if changed is None:
        raise Conflict("The configuration was changed in between; read it again and repeat the change.")
    now = await agent_versions.publish(tx, changed, definition, by=who.actor, note="active configuration")
    details = {"revision": now.revision, "version": now.published}
    await audit.record(tx, actor=who.actor, action="agent.published", target=f"agent:{agent.id}", details=details)
    return now, definition


def _with(definition: AgentDefinition, changes: dict[str, object]) -> AgentDefinition:
    try:
        return _definition.validate_python({**jsonable_encoder(definition), **changes})
    except ValidationError as error:
        faults = [FieldError(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()]
        raise InvalidInput("The configuration is not valid; correct the named fields.", errors=faults) from error
