"""The demo tenant `peterei`: mark and jon, each with a Property Seller Agent of their own."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from yarl import URL

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.auth.site_keys import make_site_key
from tenantry.cli.local import OPERATOR
from tenantry.domain.access import Scope
from tenantry.domain.agent import AgentDefinition, AppointmentRules, Function, Variable, VariableType
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Role
from tenantry.storage.repositories import agent_versions, api_keys, audit, sites, tenants
from tenantry.storage.tenancy import Database

SLUG = "peterei"
MARK = "mark@peterei.example"
JON = "jon@peterei.example"
SITE = "demo"

_ADDRESS = Variable(
    name="property_address",
    type=VariableType.ADDRESS,
    question="What is the address of the property?",
    description="Where the property is.",
)
_EMAIL = Variable(
    name="email",
    type=VariableType.EMAIL,
    question="Which e-mail address may we write to?",
    description="Where the confirmation goes.",
)
_PRICE = Variable(
    name="asking_price",
    type=VariableType.MONEY,
    question="Do you have an asking price in mind?",
    required=False,
    description="What the seller would like to get.",
)
_PHONE = Variable(
    name="phone",
    type=VariableType.PHONE,
    question="Which phone number can we reach you on?",
    description="For questions about the viewing.",
)


def _seller(variables: tuple[Variable, ...], functions: tuple[Function, ...], greeting: str) -> AgentDefinition:
    return AgentDefinition(
        name="Property Seller Agent",
        personality="An estate agent's assistant who knows that selling a home is a big step.",
        tonality="Warm, calm and professional.",
        response_style="Short sentences, one question at a time.",
        dos=("Read back what is easily misheard.", "Say the date, the time and the time zone of an appointment."),
        donts=("Do not promise a price.", "Do not give legal or tax advice."),
        instructions="Collect what is needed to visit the property, then make the appointment.",
        greeting=greeting,
        time_zone="America/New_York",
        appointments=AppointmentRules(length_minutes=30),
        variables=variables,
        functions=functions,
    )


def _appointment(*names: str) -> Function:
    return Function(
        name="set_appointment", description="Book a visit of the property in the owner's calendar.", variables=names
    )


AGENTS = {
    MARK: _seller(
        (_ADDRESS, _EMAIL, _PRICE),
        (
            _appointment("property_address", "email", "asking_price"),
            Function(
                name="get_valuation",
                description="Ask the valuation service for an estimate.",
                variables=("property_address",),
            ),
        ),
        "Hello, this is Mark's assistant at Peterei. I can arrange a visit to value your property.",
    ),
    JON: _seller(
        (_ADDRESS, _EMAIL, _PHONE),
        (_appointment("property_address", "email", "phone"),),
        "Hello, this is Jon's assistant at Peterei. I can book a viewing appointment for your property.",
    ),
}


def agent_id(tenant_id: UUID, email: str) -> UUID:
    """The id of a demo member's agent, the same for the life of the tenant."""
    return uuid5(tenant_id, f"property-seller:{email}")


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """The keys that were made with the demo tenant, which are not kept anywhere, and its agents' ids, by e-mail."""

    tenant: str
    members: dict[str, str]
    agents: dict[str, UUID]


async def seed(db: Database) -> DemoKeys:
    """Make the demo tenant, whole or not at all. Raises Conflict when it is there."""
    tenant_id = new_id()
    async with db.operator(tenant_id) as tx:
        await tenants.create(tx, SLUG, "Peterei Estate Agents", "America/New_York", tenant_id)
        keys = {"": make_key(tenant_id)}
        await api_keys.create(tx, key_hash=hash_key(keys[""]), name="demo", member_id=None, scopes=frozenset(Scope))
        for email, definition in AGENTS.items():
            name = email.partition("@")[0]
            member_id = await tenants.add_member(tx, email, Role.EDITOR, name.capitalize())
            keys[email] = make_key(tenant_id)
            await api_keys.create(
                tx, key_hash=hash_key(keys[email]), name="demo", member_id=member_id, scopes=frozenset(Scope)
            )
            await agent_versions.create_published(tx, definition, member_id, agent_id(tenant_id, email), by=OPERATOR)
        agent_ids = [agent_id(tenant_id, email) for email in AGENTS]
        await sites.create(tx, SITE, make_site_key(tenant_id), (), agent_ids)
        await audit.record(tx, actor=OPERATOR, action="tenant.seeded", target=f"tenant:{tenant_id}")
    return DemoKeys(keys.pop(""), keys, {email: agent_id(tenant_id, email) for email in AGENTS})


async def call_page(db: Database, url: str) -> str | None:
    """Where to call Mark's agent from a browser, by the demo's site, which from now on is this server on this machine;
    None where the demo tenant or its site is not there any more."""
    async with db.operator() as tx:
        tenant = await tenants.find(tx, SLUG)
    if tenant is None:
        return None
    async with db.tenant(tenant.id) as tx:
        site = next((site for site in await sites.list_all(tx) if site.name == SITE), None)
        if site is None:
            return None
        # Browsers give their microphone to pages of this machine, or to https alone.
        here = URL(url).with_host("127.0.0.1")
        origins = [str(here), str(here.with_host("localhost"))]
        if origins != list(site.origins):
            await sites.change(tx, site.id, site.name, origins, site.agent_ids)
        query = {"site": site.public_key, "agent": str(agent_id(tenant.id, MARK))}
    return str(here.with_path("/call").with_query(query))
