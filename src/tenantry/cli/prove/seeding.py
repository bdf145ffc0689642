"""What each party of the proof says and books, through the product's own front doors."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tenantry.cli.prove.http import Wire
from tenantry.cli.prove.world import Party, Side, World
from tenantry.domain.errors import NotFound, TenantryError
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.storage.repositories import agents, conversations, tool_calls
from tenantry.storage.tenancy import Database
from tenantry.tools.base import ToolContext
from tenantry.tools.registry import call_tool

_STEP = 90


async def settle(wire: Wire, db: Database, world: World) -> World:
    """The world after every party has spoken and has a booking."""
    return replace(world, a=await _side(wire, db, world.a), b=await _side(wire, db, world.b))


async def _side(wire: Wire, db: Database, side: Side) -> Side:
    first, second, own = [await _party(wire, db, party) for party in side.parties]
    return replace(side, first=first, second=second, own=own)


async def _party(wire: Wire, db: Database, party: Party) -> Party:
    answer = await wire.reply(
        party.key,
        message=f"Hello, this is {party.word}",
        agentId=str(party.agent_id),
        leadId=party.lead_id,
        leadEmail=party.email,
        conversationId=party.reference,
        topic=party.word,
    )
    if answer.status != 200:
        raise TenantryError(f"The proof cannot speak to an agent of its own: {answer.text}")
    spoken = replace(party, conversation_id=UUID(answer.field("conversationId")), turn_id=UUID(answer.field("turnId")))
    return replace(spoken, booking_id=await _book(db, spoken))


async def _book(db: Database, party: Party) -> UUID:
    start = (datetime.now(UTC) + timedelta(days=2)).replace(hour=10, minute=0, second=0, microsecond=0)
    arguments = {"start": start.strftime("%Y-%m-%dT%H:%M"), "matter": f"matter {party.word}"}
    call = await acting_as(db, party)
    result = await call.tool("set_appointment", **arguments)
    if result.status != "booked":
        raise TenantryError(f"The proof cannot book an appointment of its own: {dict(result.output)}")
    return UUID(str(result.output["booking_id"]))


@dataclass(frozen=True, slots=True)
class Acting:
    """An agent at work in one conversation, whose model may ask for any tool with any arguments."""

    db: Database
    context: ToolContext
    user_id: str

    async def tool(self, name: str, **arguments: object) -> ToolResult:
        """Claim and call the tool as a turn does; `user_id` is the right one unless given."""
        request = ToolCallRequest("call", name, {"user_id": self.user_id, **arguments})
        async with self.db.tenant(self.context.agent.tenant_id) as tx:
            await tool_calls.claim(tx, self.context.turn_id, self.context.step, request)
        result = await call_tool(self.context, request)
        async with self.db.tenant(self.context.agent.tenant_id) as tx:
            await tool_calls.finish(tx, self.context.turn_id, self.context.step, result.output)
        return result


async def acting_as(db: Database, party: Party, *, step: int = _STEP) -> Acting:
    """The party's agent in the party's conversation."""
    async with db.tenant(party.tenant_id) as tx:
        agent = await agents.get(tx, party.agent_id, sees_only=None)
        conversation = await conversations.get(tx, party.conversation_id, sees_only=None)
    if agent is None or conversation is None:
        raise NotFound
    context = ToolContext(
        db=db,
        agent=agent,
        conversation_id=conversation.id,
        owner_member_id=conversation.owner_member_id,
        contact_id=conversation.contact_id,
        turn_id=party.turn_id,
        step=step,
        now=datetime.now(UTC),
        actor=f"conversation:{conversation.id}",
    )
    return Acting(db, context, str(conversation.owner_member_id or conversation.tenant_id))
