"""Which agent answers in a conversation that begins."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from tenantry.domain.agent import Agent, AgentDefinition, AgentRecord
from tenantry.domain.errors import NotFound
from tenantry.domain.routing import AgentVersions, Choice, Facts, Routed, RuleSet, Target
from tenantry.engine.definitions import Definitions
from tenantry.engine.inbound import Inbound
from tenantry.engine.resources import Resources
from tenantry.routing.choose import choose
from tenantry.storage.repositories import agent_versions, agents, personal_agents, routing, tenants
from tenantry.storage.repositories.agent_versions import Serving
from tenantry.storage.repositories.contacts import Contact
from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class Answering:
    """The agent that a conversation begins with, and how it was found. `version` is the one that the conversation
    stays with; None follows what is published."""

    agent: Agent
    routed: Routed
    version: int | None


async def answering(tx: TenantTx, inbound: Inbound, contact: Contact, resources: Resources) -> Answering:
    """The agent that is to answer the contact. Raises NotFound and AgentNotPublished for one that was asked for."""
    who = inbound.principal
    rules = await resources.rule_sets.of(tx, who.tenant)
    facts = facts_of(inbound, contact, datetime.now(UTC))
    choice = choose(rules, facts, await _agents_for(tx, rules, facts, sees_only=who.sees_only))
    serving = await _serving(tx, choice.target, inbound)
    agent = await resources.definitions.agent(tx, serving)
    pinned = choice.target is not None and choice.target.version is not None
    routed = Routed(choice.by, choice.rule, choice.variant, inbound.purpose)
    stays = pinned or agent.definition.follow == "pinned"
    agent = await own_instance(tx, agent, serving, contact.id, resources.definitions)
    return Answering(agent, routed, agent.version if stays else None)


def facts_of(inbound: Inbound, contact: Contact, now: datetime) -> Facts:
    """What routing looks at; `now` is aware. The contact's own tags count beside those that the message has."""
    return Facts(
        tenant_id=inbound.principal.tenant_id,
        split_key=contact.split_key,
        now=now,
        asked=Target(inbound.agent_id) if inbound.agent_id else None,
        purpose=inbound.purpose,
        channel=inbound.channel,
        language=inbound.language,
        tags=frozenset((*inbound.tags, *contact.tags)),
        metadata=inbound.metadata,
        new_user=contact.is_new,
    )


async def chosen(tx: TenantTx, rules: RuleSet, facts: Facts) -> Choice:
    """Where such a conversation would go, for someone who sees the whole tenant."""
    return choose(rules, facts, await _agents_for(tx, rules, facts, sees_only=None))


async def _agents_for(tx: TenantTx, rules: RuleSet, facts: Facts, *, sees_only: UUID | None) -> AgentVersions:
    """The agents that the rules name and that whoever asks may see: rules lead nobody to any other."""
    if facts.asked is not None:
        return {}
    return await routing.agents_of(tx, [target for _, target in rules.targets()], sees_only=sees_only)


async def _serving(tx: TenantTx, target: Target | None, inbound: Inbound) -> Serving:
    agent_id = target.agent_id if target else inbound.principal.tenant.active_agent_id
    if agent_id is None:
        record = await active_agent(tx)
        return Serving(tx.tenant_id, record.id, record.owner_member_id, record.published)
    serving = await agent_versions.serving(tx, agent_id, sees_only=inbound.principal.sees_only)
    if serving is None:
        raise NotFound("There is no agent with this id that this key can see; GET /api/v1/agents lists them.")
    return serving if target is None or target.version is None else replace(serving, version=target.version)


async def own_instance(
    tx: TenantTx, agent: Agent, serving: Serving, contact_id: UUID, definitions: Definitions
) -> Agent:
    """The contact's own instance of a personal agent, made when there is none; any other agent as it is."""
    if agent.definition.pattern != "personal":
        return agent
    own = await personal_agents.make(tx, agent.id, contact_id)
    of_contact = replace(serving, contact_id=contact_id, own_since=own.updated_at, changes=dict(own.changes))
    return await definitions.agent(tx, of_contact)


async def active_agent(tx: TenantTx) -> AgentRecord:
    """The agent that answers when nothing leads to another; made with defaults for a tenant that has none."""
    agent_id = await tenants.lock_active_agent(tx)
    agent = await agents.get(tx, agent_id, sees_only=None) if agent_id else None
    if agent is None:
        agent = await agent_versions.create_published(tx, DEFAULT_AGENT, None, by="system:default")
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
