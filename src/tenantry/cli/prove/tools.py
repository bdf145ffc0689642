"""What a model that was talked round could ask of the tools."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tenantry.calendars.remote import NoProviders, RemoteSides
from tenantry.cli.prove.world import BLOCK, Party, World
from tenantry.credentials.booking_references import BookingReferences
from tenantry.domain.agent import Function, Header, HttpCall, McpCall
from tenantry.domain.errors import NotFound
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.seeding import claim_step, count_audited
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.repositories import agents, conversations
from tenantry.storage.tenancy import Database
from tenantry.tools.base import NoSecrets, Secrets, ToolContext
from tenantry.tools.registry import call_tool

BORDER = "tool arguments"
_STEP = 91
# The metadata service of clouds, which knows the machine's own credentials.
_PRIVATE = "http://169.254.169.254/latest/meta-data/"
_STOPPED = "address_not_allowed"

SecretsOf = Callable[[UUID, UUID | None], Secrets]


@dataclass(frozen=True, slots=True)
class _Acting:
    """An agent at work in one conversation, whose model may ask for any tool with any arguments."""

    db: Database
    context: ToolContext
    user_id: str

    async def tool(self, name: str, **arguments: object) -> ToolResult:
        """Claim and call the tool as a turn does; `user_id` is the right one unless given."""
        async with self.db.tenant(self.context.tenant_id) as tx:
            await claim_step(tx, self.context.turn_id, self.context.step, name)
        return await call_tool(self.context, ToolCallRequest("call", name, {"user_id": self.user_id, **arguments}))

    async def reason(self, name: str) -> str:
        """Why the tool did not do what it was asked, or else its status."""
        output = (await self.tool(name)).output
        return str(output.get("reason", output["status"]))

    def with_function(self, function: Function) -> "_Acting":
        """The same agent with one more function."""
        definition = self.context.agent.definition
        changed = replace(definition, functions=(*definition.functions, function))
        return replace(self, context=replace(self.context, agent=replace(self.context.agent, definition=changed)))


@dataclass(frozen=True, slots=True)
class _Means:
    """What every tool of the installation works with."""

    db: Database
    outbound: OutboundHttp
    references: BookingReferences


async def _acting_as(means: _Means, party: Party, secrets_of: SecretsOf | None = None) -> _Acting:
    """The party's agent in the party's conversation."""
    async with means.db.tenant(party.tenant_id) as tx:
        record = await agents.get(tx, party.agent_id, sees_only=None)
        conversation = await conversations.get(tx, party.conversation_id, sees_only=None)
    if record is None or conversation is None:
        raise NotFound
    context = ToolContext(
        db=means.db,
        outbound=means.outbound,
        calendars=RemoteSides(NoProviders()),
        references=means.references,
        agent=record.draft(),
        conversation_id=conversation.id,
        owner_member_id=conversation.owner_member_id,
        contact_id=conversation.contact_id,
        turn_id=party.turn_id,
        step=_STEP,
        now=datetime.now(UTC),
        actor=f"conversation:{conversation.id}",
        secrets=secrets_of(party.tenant_id, party.member_id) if secrets_of else NoSecrets(),
    )
    return _Acting(means.db, context, str(conversation.owner_member_id or conversation.tenant_id))


async def attack(
    db: Database, world: World, references: BookingReferences, secrets_of: SecretsOf | None = None
) -> list[Crossing]:
    """Try every tool with a forged user, another's booking, and arguments that nobody asked for.

    With `secrets_of`, which gives the secrets of a tenant's member or of the tenant itself, also with the name of
    another's secret; every party must have one under its `secret_name`.
    """
    outbound = OutboundHttp(NetworkPolicy())
    try:
        return await _attack(_Means(db, outbound, references), world, secrets_of)
    finally:
        await outbound.close()


async def _attack(means: _Means, world: World, secrets_of: SecretsOf | None) -> list[Crossing]:
    db = means.db
    # A time that could be booked: what is refused here is refused for the forgery.
    start = {"start": (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT12:00")}
    found: list[Crossing] = []
    for intruder in (world.neighbour, world.b.first, world.b.own):
        acting = await _acting_as(means, intruder)
        for tool, arguments in _calls(intruder, start):
            for forged in (world.victim.member_id, world.a.tenant_id):
                found.append(await _user_id(db, acting, world.victim, intruder, tool, arguments, str(forged)))
            for extra in ("owner", "owner_member_id", "calendar_id", "tenant_id", "contact_id", "agent_id"):
                found.append(await _extra(db, acting, world.victim, intruder, tool, arguments, extra))
        found += await _bookings(db, acting, world.victim, intruder, start)
        found += await _references(db, acting, world.victim, intruder, start)
        found.append(await _memory(db, acting, world.victim, intruder))
        found += [await _hand_off(acting, victim, intruder) for victim in (world.victim, world.a.own)]
        found += await _services(db, acting, world.victim, intruder)
        if secrets_of is not None:
            found += await _secrets(await _acting_as(means, intruder, secrets_of), world.victim, intruder)
    own = await _acting_as(means, world.victim)
    other = await _acting_as(means, world.neighbour)
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
    yield "end_conversation", {}
    yield "hand_off", {"purpose": intruder.purpose}


async def _user_id(
    db: Database,
    acting: _Acting,
    victim: Party,
    intruder: Party,
    tool: str,
    arguments: dict[str, Any],
    forged: str,
    called: str = "",
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
        f"{called or tool}, user_id is {kind}",
        intruder,
        "refused and audited",
        result,
        ("" if told else ", not audited") + await _difference(db, victim, intruder, before),
        wanted=frozenset({"refused"}),
        sound=told,
    )


async def _extra(
    db: Database,
    acting: _Acting,
    victim: Party,
    intruder: Party,
    tool: str,
    arguments: dict[str, Any],
    extra: str,
    called: str = "",
) -> Crossing:
    before = await _state(db, victim, intruder)
    result = await acting.tool(tool, **arguments, **{extra: str(victim.member_id)})
    changed = await _difference(db, victim, intruder, before)
    wanted = frozenset({"invalid", "refused"})
    return _verdict(f"{called or tool} with an argument {extra}", intruder, "invalid", result, changed, wanted=wanted)


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


async def _references(
    db: Database, acting: _Acting, victim: Party, intruder: Party, start: dict[str, str]
) -> list[Crossing]:
    """The code of the victim's booking, which opens nothing but its own owner's calendar."""
    found: list[Crossing] = []
    reference = acting.context.references.of(victim.tenant_id, victim.booking_id)
    for tool, arguments in (("cancel_appointment", {}), ("reschedule_appointment", start)):
        before = await _state(db, victim, intruder)
        result = await acting.tool(tool, booking_reference=reference, **arguments)
        changed = await _difference(db, victim, intruder, before)
        what = f"{tool}, booking_reference is the victim's"
        found.append(_verdict(what, intruder, "not_found", result, changed, wanted=frozenset({"not_found"})))
    return found


async def _services(db: Database, acting: _Acting, victim: Party, intruder: Party) -> list[Crossing]:
    """Calls to services in the victim's name, and to where none may go."""
    found: list[Crossing] = []
    for kind, function in _private_calls():
        calling = acting.with_function(function)
        for forged in (victim.member_id, victim.tenant_id):
            found.append(await _user_id(db, calling, victim, intruder, function.name, {}, str(forged), kind))
        for extra in ("tenant", "conversation_id", "url", "idempotency_key"):
            found.append(await _extra(db, calling, victim, intruder, function.name, {}, extra, kind))
        got = await calling.reason(function.name)
        found.append(_reached(f"{kind}, to a private address", intruder, _STOPPED, got))
    return found


async def _secrets(acting: _Acting, victim: Party, intruder: Party) -> list[Crossing]:
    """Calls with the victim's secret and, to see that it would be found, with the own one. Whatever finds its secret
    is stopped at its address."""
    found: list[Crossing] = []
    for party, whose, expected in ((victim, "the victim's", "missing_secret"), (intruder, "its own", _STOPPED)):
        sealed = (Header("Authorization", "Bearer {secret}", secret=party.secret_name),)
        for kind, function in _private_calls(sealed):
            got = await acting.with_function(function).reason(function.name)
            found.append(_reached(f"{kind}, with {whose} secret", intruder, expected, got))
    return found


def _private_calls(headers: tuple[Header, ...] = ()) -> Iterator[tuple[str, Function]]:
    yield "an HTTP function", Function("ask_service", http=HttpCall(_PRIVATE, "GET", headers, timeout_s=1))
    yield "an MCP function", Function("ask_service", mcp=McpCall(_PRIVATE, headers=headers, timeout_s=5))


def _reached(what: str, intruder: Party, expected: str, got: str) -> Crossing:
    return Crossing(BORDER, f"agent of {intruder.name}, {intruder.slug}", what, expected, got, held=got == expected)


async def _memory(db: Database, acting: _Acting, victim: Party, intruder: Party) -> Crossing:
    """Words that only the victim's blocks hold, so that replacing them would need to reach one of those."""
    before = await _state(db, victim, intruder)
    result = await acting.tool("memory_replace", label=BLOCK, old=victim.word, new="forged")
    changed = await _difference(db, victim, intruder, before)
    of = "another contact's" if intruder is victim else "the victim's"
    wanted = frozenset({"not_found", "refused", "invalid"})
    return _verdict(f"memory_replace of {of}", intruder, "not_found", result, changed, wanted=wanted)


async def _hand_off(acting: _Acting, victim: Party, intruder: Party) -> Crossing:
    """Hand over by the purpose that leads to the victim's agent, and in another tenant to one of its own; what the
    tenant owns is for its members too."""
    output = (result := await acting.tool("hand_off", purpose=victim.purpose)).output
    neighbour = victim.tenant_id == intruder.tenant_id
    wanted = frozenset({"ok" if victim.member_id is None else "not_found"} if neighbour else {"ok", "refused"})
    leaked = any(mark in str(output) for mark in victim.marks) and not (neighbour and victim.member_id is None)
    whose = "a member's" if victim.member_id else "the tenant's"
    what = f"hand_off to {whose} agent"
    noted = ", to the victim's" if leaked else ""
    return _verdict(what, intruder, " or ".join(sorted(wanted)), result, noted, wanted=wanted, sound=not leaked)


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
