"""The first step of a turn: find whose conversation it is, and keep the message."""

from dataclasses import dataclass
from uuid import UUID

from tenantry.credentials.master_key import ContactHasher
from tenantry.domain.agent import Agent, AgentDefinition
from tenantry.domain.conversation import Conversation, Message, Turn, TurnStatus
from tenantry.domain.errors import IdempotencyKeyReused, ModelNotAllowed, NotFound
from tenantry.domain.ids import parse_id
from tenantry.engine.inbound import Inbound
from tenantry.engine.resources import Resources
from tenantry.llm.registry import Models
from tenantry.storage.repositories import agents, contacts, conversations, tenants, turns
from tenantry.storage.repositories.conversations import ConversationKey
from tenantry.storage.repositories.turns import NewTurn
from tenantry.storage.tenancy import TenantTx

HISTORY_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Work:
    """All that thinking about a turn starts from. `actor` is who sent the message, for the audit log."""

    turn: Turn
    conversation: Conversation
    agent: Agent
    message: str
    history: tuple[Message, ...]
    actor: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that is kept; `work` is there when its turn may run at once."""

    turn: Turn
    work: Work | None


async def accept(tx: TenantTx, inbound: Inbound, resources: Resources, lease_id: UUID) -> Accepted:
    """Keep the message and begin or queue its turn; a replay finds the turn it had.

    Raises NotFound, ModelNotAllowed, IdempotencyKeyReused, and AlreadyAccepted when a request at the same time brought
    the same idempotency key.
    """
    scope = inbound.principal.member_id or inbound.principal.tenant_id
    if inbound.idempotency_key is not None:
        earlier = await turns.by_idempotency_key(tx, scope, inbound.idempotency_key)
        if earlier is not None:
            if earlier.request_hash != inbound.fingerprint():
                raise IdempotencyKeyReused
            return Accepted(earlier, None)
    conversation, agent = await _conversation(tx, inbound, resources.hasher)
    new = NewTurn(
        message=inbound.message,
        model=_model_name(inbound, agent.definition, resources.models),
        request_hash=inbound.fingerprint(),
        idempotency_scope=scope,
        idempotency_key=inbound.idempotency_key,
        lease_id=lease_id,
    )
    turn = await turns.accept(tx, conversation, new)
    if turn.status is not TurnStatus.RUNNING:
        return Accepted(turn, None)
    history = await _history(tx, turn) if turn.number > 1 else ()
    return Accepted(turn, Work(turn, conversation, agent, inbound.message, history, inbound.principal.actor))


async def resume(tx: TenantTx, turn: Turn) -> Work:
    """What a turn starts from that was queued, or that another process left."""
    conversation, agent, message = await turns.with_conversation(tx, turn)
    return Work(turn, conversation, agent, message, await _history(tx, turn), f"conversation:{conversation.id}")


async def _history(tx: TenantTx, turn: Turn) -> tuple[Message, ...]:
    number = 2 * turn.number - 1
    return tuple(await conversations.messages_before(tx, turn.conversation_id, number, HISTORY_LIMIT))


def _model_name(inbound: Inbound, definition: AgentDefinition, models: Models) -> str:
    if inbound.model is None:
        return definition.model or models.default_name
    allowed = models.allowed(inbound.principal.tenant.allowed_models)
    if inbound.model not in allowed:
        raise ModelNotAllowed(
            f"The model {inbound.model[:100]!r} is not allowed for this client; leave `model` out or name one of: "
            f"{', '.join(allowed)}.",
            extra={"allowedModels": list(allowed)},
        )
    return inbound.model


async def _conversation(tx: TenantTx, inbound: Inbound, hasher: ContactHasher) -> tuple[Conversation, Agent]:
    lead = _lead_identities(inbound, hasher)
    reference = inbound.conversation_ref
    identities = lead
    if not lead and reference is not None:
        identities = [("conversation", hasher.hash(inbound.principal.tenant_id, "conversation", reference))]
    if reference is not None:
        contact_id = await contacts.find(tx, identities)
        if contact_id is not None or not lead:
            found = await conversations.find(
                tx,
                ConversationKey(reference, parse_id(reference)),
                contact_id=contact_id,
                agent_id=inbound.agent_id,
                sees_only=inbound.principal.sees_only,
            )
            if found is not None:
                return found
    agent = await _agent(tx, inbound)
    contact_id = await contacts.find_or_create(tx, identities)
    conversation = await conversations.create(
        tx, agent, contact_id=contact_id, channel=inbound.channel, external_id=reference, topic=inbound.topic
    )
    return conversation, agent


def _lead_identities(inbound: Inbound, hasher: ContactHasher) -> list[contacts.Identity]:
    tenant_id = inbound.principal.tenant_id
    given = (("external", inbound.lead_id), ("email", inbound.lead_email))
    return [(kind, hasher.hash(tenant_id, kind, identifier)) for kind, identifier in given if identifier is not None]


async def _agent(tx: TenantTx, inbound: Inbound) -> Agent:
    agent_id = inbound.agent_id or inbound.principal.tenant.active_agent_id
    if agent_id is None:
        return await active_agent(tx)
    agent = await agents.get(tx, agent_id, sees_only=inbound.principal.sees_only)
    if agent is None:
        raise NotFound("There is no agent with this id that this key can see; GET /api/v1/agents lists them.")
    return agent


async def active_agent(tx: TenantTx) -> Agent:
    """The agent that answers when a request names none; made with defaults for a tenant that has none."""
    agent_id = await tenants.lock_active_agent(tx)
    agent = await agents.get(tx, agent_id, sees_only=None) if agent_id else None
    if agent is None:
        agent = await agents.create(tx, DEFAULT_AGENT, owner_member_id=None)
        await tenants.set_active_agent(tx, agent.id)
    return agent


DEFAULT_AGENT = AgentDefinition(
    name="Assistant",
    personality="Helpful, patient and honest.",
    tonality="Friendly and professional.",
    response_style="Short; one question at a time.",
    dos=("Say so when you do not know something.",),
    donts=("Do not promise what you cannot do.",),
    greeting="Hello! How can I help you?",
)
