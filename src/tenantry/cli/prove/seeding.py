"""What each party of the proof says and books, over HTTP as any caller would."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from tenantry.cli.prove.http import Answer, Request, Wire
from tenantry.cli.prove.routing_cases import rules_of
from tenantry.cli.prove.world import BLOCK, Party, Side, World, provider_of
from tenantry.domain.errors import TenantryError

_MOST_TURNS = 12


async def settle(wire: Wire, world: World) -> World:
    """The world after every party has spoken and booked. Raises TenantryError when one of them could not."""
    return replace(world, a=await _side(wire, world.a), b=await _side(wire, world.b))


async def _side(wire: Wire, side: Side) -> Side:
    rules = {"revision": 0, "rules": rules_of(side.parties)}
    answer = await wire.send(side.own.key, Request("PUT", "/api/v1/routing", body=rules))
    if answer.status != 200:
        raise TenantryError(f"The proof cannot set rules of its own: {answer.text}")
    first, second, own = [
        await _subscribed(
            wire,
            await _known(wire, side, await _shared(wire, side, await _sealed(wire, side, await _party(wire, party)))),
        )
        for party in side.parties
    ]
    return replace(side, first=first, second=second, own=own)


async def _party(wire: Wire, party: Party) -> Party:
    """Talk to the party's agent until it has booked."""
    says = f"Hello, I would like to make an appointment about {party.word}"
    for _ in range(_MOST_TURNS):
        answer = await wire.reply(
            party.key,
            message=says,
            agentId=str(party.agent_id),
            leadId=party.lead_id,
            leadEmail=party.email,
            conversationId=party.reference,
            topic=party.word,
        )
        if answer.status != 200:
            raise TenantryError(f"The proof cannot speak to an agent of its own: {answer.text}")
        booked = next((call for call in answer.field("toolCalls") if call["output"].get("status") == "booked"), None)
        if booked is not None:
            await _remember(wire, party)
            spoken = replace(
                party,
                conversation_id=UUID(answer.field("conversationId")),
                turn_id=UUID(answer.field("turnId")),
                booking_id=UUID(booked["output"]["booking_id"]),
            )
            return await _met(wire, spoken)
        says = _next(answer, party)
    raise TenantryError(
        f"The proof could not book an appointment of its own in {_MOST_TURNS} turns; it ended at: {says}"
    )


async def _sealed(wire: Wire, side: Side, party: Party) -> Party:
    """Keep what must not be seen: the keys of two providers, and a secret."""
    ids: list[UUID] = []
    for name in (party.word, f"spare-{party.word}"):
        body = provider_of(name, party.secret_value)
        ids.append(await _made(wire, side.own.key, Request("POST", "/api/v1/providers", body=body)))
    path = f"/api/v1/secrets/{party.secret_name}"
    secret_id = await _made(wire, party.key, Request("PUT", path, body={"value": party.secret_value}))
    return replace(party, provider_id=ids[0], spare_provider_id=ids[1], secret_id=secret_id)


async def _known(wire: Wire, side: Side, party: Party) -> Party:
    """The party with its spare contact, of whom nobody has spoken."""
    find = Request("POST", "/api/v1/contacts/find", body={"leadId": party.spare_lead_id})
    return replace(party, spare_contact_id=await _made(wire, side.own.key, find))


async def _subscribed(wire: Wire, party: Party) -> Party:
    """The party with a feed of its calendar."""
    answer = await _sent(wire, party.key, Request("POST", "/api/v1/calendar/feed"))
    return replace(party, feed_secret=answer.field("url").rpartition("/")[2].removesuffix(".ics"))


async def _shared(wire: Wire, side: Side, party: Party) -> Party:
    """Clone the party's agent and share the clone; what is the tenant's is a template too."""
    path = f"/api/v1/agents/{party.agent_id}/clones"
    clone = f"/api/v1/agents/{(clone_id := await _made(wire, party.key, Request('POST', path, body={})))}"
    await _sent(wire, party.key, Request("PUT", f"{clone}/shares/{party.colleague_id}", body={"permission": "use"}))
    if party.member_id is None:
        await _sent(wire, side.own.key, Request("PUT", f"{clone}/template", body={"is_template": True}))
    return replace(party, clone_id=clone_id)


async def _made(wire: Wire, key: str, request: Request) -> UUID:
    return UUID((await _sent(wire, key, request)).field("id"))


async def _sent(wire: Wire, key: str, request: Request) -> Answer:
    answer = await wire.send(key, request)
    if answer.status not in (200, 201):
        raise TenantryError(f"The proof could not {request.method} {request.path}: {answer.text}")
    return answer


async def _remember(wire: Wire, party: Party) -> None:
    """Give the party's agent something to keep in mind, of its own and of its contacts."""
    for contact in (None, party.lead_id, party.spare_lead_id):
        body = {"value": f"Remembers {party.word}", "contact": contact}
        answer = await wire.send(
            party.key, Request("PUT", f"/api/v1/agents/{party.agent_id}/blocks/{BLOCK}", body=body)
        )
        if answer.status != 200:
            raise TenantryError(f"The proof cannot give an agent of its own a memory: {answer.text}")


async def _met(wire: Wire, party: Party) -> Party:
    """The party with its contact, who gets instances of two of its agents that differ from them."""
    told = await wire.send(party.key, Request("GET", f"/api/v1/conversations/{party.conversation_id}"))
    if told.status != 200:
        raise TenantryError(f"The proof cannot see a conversation of its own: {told.text}")
    contact_id = told.field("contact_id")
    body = {"changes": {"tonality": f"Speaks of {party.word}"}}
    for agent_id in (party.personal_agent_id, party.spare_agent_id):
        path = f"/api/v1/agents/{agent_id}/personal/{contact_id}"
        changed = await wire.send(party.key, Request("PUT", path, body=body))
        if changed.status != 200:
            raise TenantryError(f"The proof cannot change an instance of an agent of its own: {changed.text}")
    return replace(party, contact_id=UUID(contact_id))


def _next(answer: Answer, party: Party) -> str:
    offered: list[Any] = answer.field("quickReplies")
    if any(str(choice).lower().startswith("yes") for choice in offered):
        return "Yes, that is right"
    return f"It is about {party.word}" if answer.field("missing") else "Tomorrow at 10 am"
