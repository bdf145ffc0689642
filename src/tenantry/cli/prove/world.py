"""Two throw-away tenants whose members own something of every kind, each marked with its owner's word."""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.credentials.consents import AskedConsent
from tenantry.domain.access import Scope
from tenantry.domain.agent import WEEKDAYS, AgentDefinition, Function, OpeningHours, Variable, VariableType
from tenantry.domain.connection import ProviderName
from tenantry.domain.ids import new_id
from tenantry.domain.limits import MOST_PER_MINUTE, Budget, LimitValues
from tenantry.domain.tenant import Role
from tenantry.storage.repositories import agent_versions, api_keys, audit, limits, tenants
from tenantry.storage.tenancy import Database, TenantTx

NOTHING_YET = UUID(int=0)
_NO_CONSENT = AskedConsent(NOTHING_YET, "", "", "", datetime.min.replace(tzinfo=UTC))
ACTOR = "operator:prove"
# What the audit log of the proof's own tenants says, from the transaction on that made them.
SEEDED = "tenant.seeded"
# The proof sends more messages a minute than anyone may by default.
_MANY = MOST_PER_MINUTE
# The label of the memory blocks that every party's agent has, of its own and of its contact.
BLOCK = "human"


@dataclass(frozen=True, slots=True)
class PlantedHook:
    """Where a provider calls about a calendar of a party, and the secret that it says there."""

    tenant_id: UUID
    provider: ProviderName
    ticket: str
    secret: str


@dataclass(frozen=True, slots=True)
class Party:
    """An owner of things, a member or (without `member_id`) the tenant itself, and what is theirs. `word` is in every
    text of theirs and in nobody else's; `budget`, their monthly tokens, is no other number; `colleague_id` is the
    tenant's owner, whom the clone is shared with. The ids from `conversation_id` on are there once it has spoken and
    booked; the providers are the tenant's, one for each party to try. `feed_secret` opens the feed of its calendar,
    `consent` is one that it asked for, `hooks` are where its calendars' providers call."""

    name: str
    tenant_id: UUID
    slug: str
    member_id: UUID | None
    key: str
    word: str
    agent_id: UUID
    spare_agent_id: UUID
    personal_agent_id: UUID
    budget: int
    colleague_id: UUID
    contact_id: UUID = NOTHING_YET
    conversation_id: UUID = NOTHING_YET
    turn_id: UUID = NOTHING_YET
    booking_id: UUID = NOTHING_YET
    provider_id: UUID = NOTHING_YET
    spare_provider_id: UUID = NOTHING_YET
    secret_id: UUID = NOTHING_YET
    spare_contact_id: UUID = NOTHING_YET
    clone_id: UUID = NOTHING_YET
    connection_id: UUID = NOTHING_YET
    spare_connection_id: UUID = NOTHING_YET
    consent: AskedConsent = _NO_CONSENT
    call_id: UUID = NOTHING_YET
    site_id: UUID = NOTHING_YET
    feed_secret: str = ""
    hooks: tuple[PlantedHook, ...] = ()

    @property
    def lead_id(self) -> str:
        """The caller's own id of the party's contact."""
        return f"lead-{self.word}"

    @property
    def spare_lead_id(self) -> str:
        """The caller's own id of a contact of the party that may be deleted."""
        return f"spare-{self.lead_id}"

    @property
    def reference(self) -> str:
        """The caller's own id of the party's conversation."""
        return f"talk-{self.word}"

    @property
    def purpose(self) -> str:
        """The purpose by which the party's tenant leads to its agent."""
        return f"to-{self.name}"

    @property
    def secret_name(self) -> str:
        """The name of the party's sealed secret."""
        return f"secret-{self.word}"

    @property
    def email(self) -> str:
        """The address of the party's contact."""
        return f"{self.word}@contact.example"

    @property
    def secret_value(self) -> str:
        """What the party's secret and its provider's key are."""
        return f"sk-{self.word}-value"

    @property
    def marks(self) -> frozenset[str]:
        """What nobody else's answer may hold: the word, the budget, and the ids of what is theirs."""
        ids = (
            self.agent_id,
            self.spare_agent_id,
            self.personal_agent_id,
            self.contact_id,
            self.conversation_id,
            self.turn_id,
            self.booking_id,
            self.provider_id,
            self.spare_provider_id,
            self.secret_id,
            self.spare_contact_id,
            self.clone_id,
            self.connection_id,
            self.spare_connection_id,
            self.call_id,
            self.site_id,
        )
        there = [str(identifier) for identifier in ids if identifier != NOTHING_YET]
        secret = [self.feed_secret] if self.feed_secret else []
        hooks = [secret for hook in self.hooks for secret in (hook.ticket, hook.secret)]
        return frozenset([self.word, str(self.budget), *there, *secret, *hooks])


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two tenants: two members who edit, its owner and a viewer, and the tenant's own key and things."""

    tenant_id: UUID
    slug: str
    first: Party
    second: Party
    own: Party
    owner_key: str
    viewer_key: str

    @property
    def parties(self) -> tuple[Party, Party, Party]:
        """All who own something here."""
        return (self.first, self.second, self.own)


@dataclass(frozen=True, slots=True)
class DeadKeys:
    """Keys of the first tenant that must not open anything, and the victim's keys that lack one scope each."""

    revoked: str
    removed_members: str
    without: dict[Scope, str]


@dataclass(frozen=True, slots=True)
class World:
    """Side `a` is attacked, first of all its `first` member; side `b` attacks."""

    a: Side
    b: Side
    dead: DeadKeys

    @property
    def victim(self) -> Party:
        """The member whose things are tried to be reached."""
        return self.a.first

    @property
    def neighbour(self) -> Party:
        """The other member of the victim's tenant."""
        return self.a.second


@dataclass(slots=True)
class Estate:
    """What was made so far, so that all of it can be removed whatever happens."""

    tenant_ids: list[UUID]
    emails: list[str]

    async def remove(self, db: Database) -> None:
        """Remove both tenants with all their rows, and their people."""
        for tenant_id in self.tenant_ids:
            async with db.operator(tenant_id) as tx:
                await tenants.delete(tx, tenant_id)
        async with db.operator() as tx:
            for email in self.emails:
                await tenants.delete_user(tx, email)


def new_run_id() -> str:
    """What the names of one proof's tenants end with."""
    return secrets.token_hex(5)


async def make_world(db: Database, estate: Estate, run_id: str) -> World:
    """Both tenants with members, keys and agents; nobody has spoken yet."""
    a = await _side(db, estate, f"prove-a-{run_id}")
    b = await _side(db, estate, f"prove-b-{run_id}")
    async with db.operator(a.tenant_id) as tx:
        revoked, revoked_id = await _key(tx, "revoked", None)
        await api_keys.revoke(tx, revoked_id)
        gone = await _member(tx, estate, a.slug, "gone", Role.OWNER)
        removed, _ = await _key(tx, "removed", gone)
        await tenants.remove_member(tx, gone)
        without = {
            scope: (await _key(tx, f"without {scope}", a.first.member_id, frozenset(Scope) - {scope}))[0]
            for scope in Scope
        }
    return World(a, b, DeadKeys(revoked, removed, without))


async def _side(db: Database, estate: Estate, slug: str) -> Side:
    tenant_id = new_id()
    estate.tenant_ids.append(tenant_id)
    async with db.operator(tenant_id) as tx:
        await tenants.create(tx, slug, f"Tenant {slug}", "UTC", tenant_id)
        owner = await _member(tx, estate, slug, "owner", Role.OWNER)
        first = await _party(tx, estate, slug, "first", owner)
        second = await _party(tx, estate, slug, "second", owner)
        own = await _party(tx, estate, slug, None, owner)
        await limits.grant(tx, LimitValues(_MANY, _MANY, _MANY, monthly_tokens=own.budget))
        await tenants.set_active_agent(tx, own.agent_id)
        owner_key, _ = await _key(tx, "owner", owner)
        viewer_key, _ = await _key(tx, "viewer", await _member(tx, estate, slug, "viewer", Role.VIEWER))
        await audit.record(tx, actor=ACTOR, action=SEEDED, target=f"tenant:{tenant_id}")
    return Side(tenant_id, slug, first, second, own, owner_key, viewer_key)


async def _party(tx: TenantTx, estate: Estate, slug: str, name: str | None, colleague_id: UUID) -> Party:
    member_id = await _member(tx, estate, slug, name, Role.EDITOR) if name else None
    word = f"word{secrets.token_hex(8)}"
    key, _ = await _key(tx, f"of {name or 'the tenant'}", member_id)
    definition = definition_of(word)
    agent = await agent_versions.create_published(tx, definition, member_id, by=ACTOR)
    own = replace(definition, pattern="personal")
    spare, personal = [
        await agent_versions.create_published(tx, replace(own, name=f"{name} {word}"), member_id, by=ACTOR)
        for name in ("Spare", "Personal")
    ]
    budget = 10**14 + secrets.randbelow(10**14)
    if member_id is not None:
        await limits.set_member_budget(tx, member_id, Budget(monthly_tokens=budget))
    made = (agent.id, spare.id, personal.id)
    return Party(name or "tenant", tx.tenant_id, slug, member_id, key, word, *made, budget, colleague_id)


async def _member(tx: TenantTx, estate: Estate, slug: str, name: str, role: Role) -> UUID:
    email = f"{name}@{slug}.example"
    estate.emails.append(email)
    return await tenants.add_member(tx, email, role, name)


async def _key(
    tx: TenantTx, name: str, member_id: UUID | None, scopes: frozenset[Scope] = frozenset(Scope)
) -> tuple[str, UUID]:
    key = make_key(tx.tenant_id)
    key_id = await api_keys.create(tx, key_hash=hash_key(key), name=name, member_id=member_id, scopes=scopes)
    return key, key_id


_PARTIES = ("first", "second", "tenant")
_FUNCTIONS = {
    "check_availability": (),
    "set_appointment": ("matter",),
    "reschedule_appointment": (),
    "cancel_appointment": (),
    "memory_append": (),
    "memory_replace": (),
    "end_conversation": (),
}


def definition_of(word: str) -> AgentDefinition:
    """An agent that is always open, with the word in all it says."""
    return AgentDefinition(
        name=f"Agent {word}",
        personality=f"Personality {word}",
        instructions=f"Instructions {word}",
        greeting=f"Greeting {word}",
        business_hours=(OpeningHours(days=WEEKDAYS, opens="00:00", closes="24:00"),),
        variables=(Variable(name="matter", type=VariableType.TEXT, question=f"What is it about, {word}?"),),
        functions=(
            *(Function(name=name, variables=variables) for name, variables in _FUNCTIONS.items()),
            Function(name="hand_off", purposes=tuple(f"to-{name}" for name in _PARTIES)),
        ),
    )


def provider_of(name: str, api_key: str) -> dict[str, object]:
    """A provider that serves no model, so that nothing is asked of it."""
    return {"name": name, "base_url": f"https://{name}.invalid/v1", "api_key": api_key}
