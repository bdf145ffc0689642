"""The first step of a turn: find whose conversation it is, and keep the message."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from tenantry.auth.budgets import Reservation
from tenantry.credentials.master_key import ContactHasher
from tenantry.domain.agent import Agent, AgentDefinition
from tenantry.domain.calendar import BookingNotice
from tenantry.domain.conversation import Conversation, Message, Turn, TurnStatus
from tenantry.domain.errors import IdempotencyKeyReused, ModelNotAllowed, NotFound, TurnInProgress
from tenantry.domain.ids import parse_id
from tenantry.domain.memory import Block
from tenantry.domain.tenant import Tenant
from tenantry.engine.answering import answering
from tenantry.engine.definitions import Definitions
from tenantry.engine.inbound import Inbound
from tenantry.engine.resources import Resources
from tenantry.llm.registry import FORM_POLICY, TenantModels
from tenantry.memory.registry import DEFAULT
from tenantry.memory.section import in_mind
from tenantry.storage.repositories import contacts, conversations, tenants, tool_calls, turns
from tenantry.storage.repositories.conversations import ConversationKey, NewConversation, Successor, Talk
from tenantry.storage.repositories.tool_calls import RecordedCall
from tenantry.storage.repositories.turns import NewTurn
from tenantry.storage.tenancy import TenantTx

HISTORY_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Work:
    """All that thinking about a turn starts from. `actor` is who sent the message, for the audit log; `notices` are
    what the contact is to be told of their appointments; `recorded` are the tool calls that an earlier attempt made."""

    turn: Turn
    seq: int
    tenant: Tenant
    conversation: Conversation
    agent: Agent
    message: str
    history: tuple[Message, ...]
    actor: str
    memory: tuple[Block, ...] = ()
    notices: tuple[BookingNotice, ...] = ()
    recorded: tuple[RecordedCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that is kept as the event `seq`; `work` is there when its turn may run at once. `interrupted` are the
    turns that it ends where they stand."""

    turn: Turn
    seq: int
    agent_id: UUID
    work: Work | None = None
    interrupted: Sequence[UUID] = ()


@dataclass(slots=True)
class Intake:
    """What one process takes a message in with: the tenant's models, its own lease and, once the turn's price is set
    aside, the reservation, which is the caller's to settle."""

    resources: Resources
    models: TenantModels
    lease_id: UUID
    reservation: Reservation | None = None


async def accept(tx: TenantTx, inbound: Inbound, intake: Intake) -> Accepted:
    """Keep the message and begin or queue its turn.

    Raises NotFound, ModelNotAllowed, TurnInProgress, BudgetExhausted, and AlreadyAccepted when the idempotency key was
    used before.
    """
    resources = intake.resources
    talk = await _talk(tx, inbound, resources)
    conversation, agent = await _where_contact_is(tx, inbound, talk.conversation), talk.agent
    interrupted: Sequence[UUID] = ()
    if agent.definition.on_new_message == "reject" and await turns.unfinished(tx, conversation.id):
        raise TurnInProgress(retry_after=1)
    if agent.definition.on_new_message == "interrupt":
        interrupted = await turns.stop_unfinished(tx, conversation.id, "interrupted")
    model = _model_name(inbound, agent.definition, intake.models)
    if model != FORM_POLICY:
        intake.reservation = resources.budgets.take(inbound.principal.tenant, conversation.owner_member_id)
    new = NewTurn(
        message=inbound.message,
        model=model,
        request_hash=inbound.fingerprint(),
        idempotency_scope=inbound.principal.member_id or inbound.principal.tenant_id,
        idempotency_key=inbound.idempotency_key,
        lease_id=intake.lease_id,
    )
    kept = await turns.accept(tx, conversation, new, history=HISTORY_LIMIT)
    work = None
    if kept.turn.status is TurnStatus.RUNNING:
        work = Work(
            turn=kept.turn,
            seq=kept.seq,
            tenant=inbound.principal.tenant,
            conversation=conversation,
            agent=agent,
            message=inbound.message,
            history=kept.history,
            actor=inbound.principal.actor,
            memory=talk.memory,
            notices=talk.notices,
        )
    return Accepted(kept.turn, kept.seq, agent.id, work, interrupted)


async def _where_contact_is(tx: TenantTx, inbound: Inbound, conversation: Conversation) -> Conversation:
    zone = inbound.contact_time_zone
    if zone is None or zone == conversation.contact_time_zone:
        return conversation
    await conversations.set_contact_time_zone(tx, conversation.id, zone)
    return replace(conversation, contact_time_zone=zone)


async def open_conversation(tx: TenantTx, inbound: Inbound, resources: Resources) -> Conversation:
    """The conversation that such a message would belong to, made when it is new. Raises NotFound."""
    return (await _talk(tx, inbound, resources)).conversation


async def replayed(tx: TenantTx, inbound: Inbound) -> Accepted | None:
    """The turn that the idempotency key was used for; None when it was not. Raises IdempotencyKeyReused when that was
    another request."""
    if inbound.idempotency_key is None:
        return None
    scope = inbound.principal.member_id or inbound.principal.tenant_id
    turn = await turns.by_idempotency_key(tx, scope, inbound.idempotency_key)
    if turn is None:
        return None
    if turn.request_hash != inbound.fingerprint():
        raise IdempotencyKeyReused
    _, seq = await turns.received(tx, turn)
    talk = await conversations.with_agent(tx, turn.conversation_id)
    return Accepted(turn, seq, talk.serving.agent_id)


async def resume(tx: TenantTx, turn: Turn, definitions: Definitions) -> Work:
    """What a turn starts from that was queued, or that another process left."""
    talk = await _met(tx, await conversations.with_agent(tx, turn.conversation_id), definitions)
    message, seq = await turns.received(tx, turn)
    return Work(
        turn=turn,
        seq=seq,
        tenant=await tenants.current(tx),
        conversation=talk.conversation,
        agent=talk.agent,
        message=message,
        history=await conversations.messages_before(tx, turn.conversation_id, 2 * turn.number - 1, HISTORY_LIMIT),
        actor=f"conversation:{talk.conversation.id}",
        memory=talk.memory,
        notices=talk.notices,
        recorded=await tool_calls.recorded(tx, turn.id) if turn.attempts > 1 else (),
    )


def _model_name(inbound: Inbound, definition: AgentDefinition, models: TenantModels) -> str:
    if inbound.model is None:
        return definition.model or models.default_name
    allowed = models.allowed()
    if inbound.model not in allowed:
        raise ModelNotAllowed(
            f"The model {inbound.model[:100]!r} is not allowed for this client; leave `model` out or name one of: "
            f"{', '.join(allowed)}.",
            extra={"allowedModels": list(allowed)},
        )
    return inbound.model


@dataclass(frozen=True, slots=True)
class _Met:
    """A conversation with the agent that answers in it, and what that keeps in mind."""

    conversation: Conversation
    agent: Agent
    memory: tuple[Block, ...]
    notices: tuple[BookingNotice, ...] = ()


async def _met(tx: TenantTx, talk: Talk, definitions: Definitions) -> _Met:
    agent = await definitions.agent(tx, talk.serving)
    return _Met(talk.conversation, agent, in_mind(agent.definition, talk.memory), talk.notices)


async def _talk(tx: TenantTx, inbound: Inbound, resources: Resources) -> _Met:
    hasher, definitions = resources.hasher, resources.definitions
    if inbound.principal.conversation_id not in (None, inbound.conversation_id):
        raise NotFound
    if inbound.conversation_id is not None:
        found = await conversations.lock(tx, inbound.conversation_id, sees_only=inbound.principal.sees_only)
        if found is None:
            raise NotFound
        return await _met(tx, found, definitions)
    lead = lead_identities(inbound, hasher)
    reference = inbound.conversation_ref
    identities = lead
    if not lead and reference is not None:
        identities = [("conversation", hasher.hash(inbound.principal.tenant_id, "conversation", reference))]
    if reference is not None:
        key = ConversationKey(reference, parse_id(reference), identities, identified=bool(lead))
        found = await conversations.find(tx, key, agent_id=inbound.agent_id, sees_only=inbound.principal.sees_only)
        if found is not None:
            return await _met(tx, found, definitions)
    return await _begun(tx, inbound, identities, resources)


async def _begun(tx: TenantTx, inbound: Inbound, identities: Sequence[contacts.Identity], resources: Resources) -> _Met:
    """A new conversation with the agent that is to answer it."""
    contact = await contacts.find_or_create(tx, identities)
    found = await answering(tx, inbound, contact, resources)
    new = NewConversation(
        agent_id=found.agent.id,
        owner_member_id=found.agent.owner_member_id,
        contact_id=contact.id,
        channel=inbound.channel,
        external_id=inbound.conversation_ref,
        topic=inbound.topic,
        version=found.version,
        opened_by=None if inbound.principal.may_see(found.agent.owner_member_id) else inbound.principal.member_id,
        routed=found.routed,
        contact_time_zone=inbound.contact_time_zone,
    )
    conversation = await conversations.create(tx, new)
    if conversation is None:
        # Another request made it at the same time, or it was begun with this agent and is out of sight since.
        return await _there_already(tx, inbound, new, resources.definitions)
    memory = await DEFAULT.blocks(tx, found.agent.id, contact.id)
    return _Met(conversation, found.agent, in_mind(found.agent.definition, memory))


async def _there_already(tx: TenantTx, inbound: Inbound, new: NewConversation, definitions: Definitions) -> _Met:
    conversation_id = await conversations.same_as(tx, new)
    beginner = Successor(new.agent_id, new.owner_member_id, new.version)
    await conversations.take_back(tx, conversation_id, beginner)
    talk = await conversations.lock(tx, conversation_id, sees_only=inbound.principal.sees_only)
    if talk is None:
        raise NotFound("The conversation under this id is not to be seen with this key; begin one under another.")
    return await _met(tx, talk, definitions)


def lead_identities(inbound: Inbound, hasher: ContactHasher) -> list[contacts.Identity]:
    """What a message names its contact by, the first known one counts."""
    tenant_id = inbound.principal.tenant_id
    given = (("external", inbound.lead_id), ("email", inbound.lead_email))
    return [(kind, hasher.hash(tenant_id, kind, identifier)) for kind, identifier in given if identifier is not None]
