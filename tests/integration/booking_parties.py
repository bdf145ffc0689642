"""Who takes part in a booking: an agent of an owner, a contact, their conversation."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tenantry.calendars.appointment_book import AppointmentBook, Effect
from tenantry.calendars.remote import NoProviders, RemoteSides
from tenantry.credentials.booking_references import BookingReferences
from tenantry.credentials.master_key import ContactHasher, MasterKey
from tenantry.domain.agent import Agent, AgentDefinition, AppointmentRules, Function, Variable, VariableType
from tenantry.domain.booking import Interval
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.repositories import agent_versions, contacts, conversations
from tenantry.storage.repositories.bookings import NewBooking
from tenantry.storage.repositories.conversations import NewConversation
from tenantry.storage.tenancy import Database
from tenantry.tools.base import ToolContext
from tenantry.tools.registry import call_tool

REFERENCES = BookingReferences(ContactHasher(MasterKey(bytes(32))))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday, 07:00 in New York
HOUR = timedelta(hours=1)

DEFINITION = AgentDefinition(
    name="Property Seller Agent",
    time_zone="America/New_York",
    appointments=AppointmentRules(length_minutes=60, horizon_days=60),
    variables=(
        Variable("property_address", VariableType.ADDRESS),
        Variable("asking_price", VariableType.MONEY, required=False),
        Variable("seen_by", VariableType.CHOICE, required=False, choices=("mail", "sign")),
        Variable("secret", VariableType.TEXT, required=False),
    ),
    functions=(
        Function("check_availability"),
        Function("set_appointment", variables=("property_address", "asking_price", "seen_by")),
        Function("reschedule_appointment"),
        Function("cancel_appointment"),
        Function("get_valuation", variables=("property_address",)),
    ),
)


NO_SIDES = RemoteSides(NoProviders())


@dataclass(frozen=True)
class Party:
    """A contact in conversation with an agent."""

    db: Database
    agent: Agent
    contact_id: UUID
    conversation_id: UUID
    sides: RemoteSides = NO_SIDES
    time_zone: str | None = None

    @property
    def tenant_id(self) -> UUID:
        return self.agent.tenant_id

    def context(self, turn_id: UUID | None = None, step: int = 0, now: datetime = NOW) -> ToolContext:
        return ToolContext(
            db=self.db,
            outbound=OutboundHttp(NetworkPolicy()),
            calendars=self.sides,
            agent=self.agent,
            conversation_id=self.conversation_id,
            owner_member_id=self.agent.owner_member_id,
            contact_id=self.contact_id,
            turn_id=turn_id or new_id(),
            step=step,
            now=now,
            actor="key:test",
            references=REFERENCES,
            contact_time_zone=self.time_zone,
        )

    async def call(self, name: str, turn_id: UUID | None = None, **arguments: Any) -> ToolResult:
        """What a model's call comes to; a turn of its own unless one is given."""
        return await call_tool(self.context(turn_id), ToolCallRequest("call-1", name, arguments))

    async def calendar(self) -> AppointmentBook:
        return await AppointmentBook.of_owner(self.db, self.sides, self.tenant_id, self.agent.owner_member_id)

    def new_booking(self, calendar: AppointmentBook, start: datetime, **more: Any) -> NewBooking:
        """An hour from `start`, as an effect of its own unless `effect_key` is given."""
        fields: dict[str, Any] = {
            "effect_key": f"{new_id()}:0",
            "calendar_id": calendar.id,
            "agent_id": self.agent.id,
            "contact_id": self.contact_id,
            "conversation_id": self.conversation_id,
            "slot": Interval(start, start + HOUR),
            "buffer": timedelta(0),
            "time_zone": "UTC",
            "title": "Viewing",
            "details": {},
        }
        return NewBooking(**{**fields, **more})

    async def another_contact(self) -> "Party":
        """Somebody else in conversation with the same agent."""
        return await in_conversation(self.db, self.agent)


def effect() -> Effect:
    """A change that nothing else is."""
    turn_id = new_id()
    return Effect(f"{turn_id}:0", turn_id, "key:test")


async def make_party(
    db: Database, tenant_id: UUID, owner_member_id: UUID | None = None, definition: AgentDefinition = DEFINITION
) -> Party:
    """A new agent of the owner with a contact."""
    async with db.tenant(tenant_id) as tx:
        record = await agent_versions.create_published(tx, definition, owner_member_id, by="key:test")
    return await in_conversation(db, record.draft())


async def in_conversation(db: Database, agent: Agent) -> Party:
    """A new contact in conversation with the agent."""
    async with db.tenant(agent.tenant_id) as tx:
        contact_id = (await contacts.find_or_create(tx, [("external", new_id().bytes * 2)])).id
        new = NewConversation(agent.id, agent.owner_member_id, contact_id, "test", external_id=None, topic=None)
        conversation = await conversations.create(tx, new)
    assert conversation is not None
    return Party(db, agent, contact_id, conversation.id)


async def statuses(party: Party) -> dict[str, int]:
    """How many bookings of the tenant are in each status."""
    async with party.db.tenant(party.tenant_id) as tx:
        rows = await tx.rows("SELECT status, count(*) AS n FROM bookings GROUP BY status")
    return {row["status"]: row["n"] for row in rows}
