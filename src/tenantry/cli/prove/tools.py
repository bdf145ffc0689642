"""What a model that was talked round could ask of the tools."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tenantry.cli.prove.world import BLOCK, Party, World
from tenantry.domain.errors import NotFound
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.seeding import count_audited
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.repositories import agents, conversations, tool_calls
from tenantry.storage.tenancy import Database
from tenantry.tools.base import ToolContext
from tenantry.tools.outbound.addresses import NetworkPolicy
from tenantry.tools.outbound.client import OutboundHttp
from tenantry.tools.registry import call_tool

BORDER = "tool arguments"
_STEP = 91


@dataclass(frozen=True, slots=True)
class _Acting:
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


async def _acting_as(db: Database, party: Party) -> _Acting:
    """The party's agent in the party's conversation."""
    async with db.tenant(party.tenant_id) as tx:
        agent = await agents.get(tx, party.agent_id, sees_only=None)
        conversation = await conversations.get(tx, party.conversation_id, sees_only=None)
    if agent is None or conversation is None:
        raise NotFound
    context = ToolContext(
        db=db,
        outbound=OutboundHttp(NetworkPolicy()),
        agent=agent,
        conversation_id=conversation.id,
        owner_member_id=conversation.owner_member_id,
        contact_id=conversation.contact_id,
        turn_id=party.turn_id,
        step=_STEP,
        now=datetime.now(UTC),
        actor=f"conversation:{conversation.id}",
    )
    return _Acting(db, context, str(conversation.owner_member_id or conversation.tenant_id))


async def attack(db: Database, world: World) -> list[Crossing]:
    """Try every tool with a forged user, another's booking, and arguments that nobody asked for."""
    # A time that could be booked: what is refused here is refused for the forgery.
    start = {"start": (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT12:00")}
    found: list[Crossing] = []
    for intruder in (world.neighbour, world.b.first, world.b.own):
        acting = await _acting_as(db, intruder)
        for tool, arguments in _calls(intruder, start):
            for forged in (world.victim.member_id, world.a.tenant_id):
                found.append(await _user_id(db, acting, world.victim, intruder, tool, arguments, str(forged)))
            for extra in ("owner", "owner_member_id", "calendar_id", "tenant_id", "contact_id", "agent_id"):
                found.append(await _extra(db, acting, world.victim, intruder, tool, arguments, extra))
        found += await _bookings(db, acting, world.victim, intruder, start)
        found.append(await _memory(db, acting, world.victim, intruder))
    own = await _acting_as(db, world.victim)
    other = await _acting_as(db, world.neighbour)
    # The right owner with another contact, and another owner with the very contact.
    to_other = replace(own, context=replace(own.context, contact_id=other.context.contact_id))
    of_other = replace(other, context=replace(other.context, contact_id=own.context.contact_id))
    found += await _bookings(db, to_other, world.victim, world.victim, start)
    found.append(await _memory(db, to_other, world.victim, world.victim))
    found.append(await _memory(db, of_other, world.victim, world.neighbour))
    return [*found, *await _bookings(db, of_other, world.victim, world.neighbour, start)]


def _calls(intruder: Party, start: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    own = {"booking_id": str(intruder.booking_id)}
    yield "check_availability", {}
    yield "set_appointment", {**start, "matter": "forged"}
    yield "reschedule_appointment", {**own, **start}
    yield "cancel_appointment", own
    yield "memory_append", {"label": BLOCK, "text": "forged"}
    yield "memory_replace", {"label": BLOCK, "old": intruder.word, "new": "forged"}


async def _user_id(
    db: Database, acting: _Acting, victim: Party, intruder: Party, tool: str, arguments: dict[str, Any], forged: str
) -> Crossing:
    action = "tool.refused"
    before = await _state(db, victim, intruder)
    async with db.tenant(intruder.tenant_id) as tx:
        audited = await count_audited(tx, action)
    result = await acting.tool(tool, **arguments, user_id=forged)
    async with db.tenant(intruder.tenant_id) as tx:
        told = await count_audited(tx, action) > audited
    kind = "the victim's" if forged == str(victim.member_id) else "the victim's tenant's"
    return _verdict(
        f"{tool}, user_id is {kind}",
        intruder,
        "refused and audited",
        result,
        ("" if told else ", not audited") + await _difference(db, victim, intruder, before),
        wanted=frozenset({"refused"}),
        sound=told,
    )


async def _extra(
    db: Database, acting: _Acting, victim: Party, intruder: Party, tool: str, arguments: dict[str, Any], extra: str
) -> Crossing:
    before = await _state(db, victim, intruder)
    result = await acting.tool(tool, **arguments, **{extra: str(victim.member_id)})
    changed = await _difference(db, victim, intruder, before)
    wanted = frozenset({"invalid", "refused"})
    return _verdict(f"{tool} with an argument {extra}", intruder, "invalid", result, changed, wanted=wanted)


async def _bookings(
    db: Database, acting: _Acting, victim: Party, intruder: Party, start: dict[str, str]
) -> list[Crossing]:
    found: list[Crossing] = []
    for tool, arguments in (("cancel_appointment", {}), ("reschedule_appointment", start)):
        before = await _state(db, victim, intruder)
        result = await acting.tool(tool, booking_id=str(victim.booking_id), **arguments)
        changed = await _difference(db, victim, intruder, before)
        of = "another contact's" if intruder is victim else "the victim's"
        what = f"{tool}, booking_id is {of}"
        found.append(_verdict(what, intruder, "not_found", result, changed, wanted=frozenset({"not_found"})))
    return found


async def _memory(db: Database, acting: _Acting, victim: Party, intruder: Party) -> Crossing:
    """Words that only the victim's blocks hold, so that replacing them would need to reach one of those."""
    before = await _state(db, victim, intruder)
    result = await acting.tool("memory_replace", label=BLOCK, old=victim.word, new="forged")
    changed = await _difference(db, victim, intruder, before)
    of = "another contact's" if intruder is victim else "the victim's"
    wanted = frozenset({"not_found", "refused", "invalid"})
    return _verdict(f"memory_replace of {of}", intruder, "not_found", result, changed, wanted=wanted)


async def _state(db: Database, *parties: Party) -> list[str]:
    found = [await fingerprints(db, party.tenant_id) for party in parties]
    return [tables[name] for tables in found for name in ("bookings", "memory_blocks")]


async def _difference(db: Database, victim: Party, intruder: Party, before: list[str]) -> str:
    return "" if await _state(db, victim, intruder) == before else ", bookings or memory changed"


def _verdict(
    what: str,
    intruder: Party,
    expected: str,
    result: ToolResult,
    noted: str,
    *,
    wanted: frozenset[str],
    sound: bool = True,
) -> Crossing:
    held = result.status in wanted and sound and "changed" not in noted
    return Crossing(BORDER, f"agent of {intruder.name}, {intruder.slug}", what, expected, result.status + noted, held)
