"""Requests of somebody with a good key that name what is another's: ids, conversations, keys of idempotency."""

import base64
import secrets
from datetime import UTC, datetime

from tenantry.cli.prove.http import Answer, Request, Wire
from tenantry.cli.prove.world import Party, World
from tenantry.storage.isolation.crossing import Crossing

BORDER = "forged ids"


async def attack(wire: Wire, world: World) -> list[Crossing]:
    """Try every id that a caller can name."""
    # First, while no other conversation has the victim's id as its external id.
    found = await _other_leads(wire, world)
    for intruder in (world.neighbour, world.b.first, world.b.own):
        found += await _filters(wire, world.victim, intruder)
        found += await _conversations(wire, world.victim, intruder)
        found.append(await _idempotency_key(wire, world.victim, intruder))
    for intruder in (world.b.first, world.b.own):
        found += await _clients(wire, world.victim, intruder)
    found += await _agents(wire, world)
    return [*found, *await _same_names(wire, world)]


def _who(victim: Party, intruder: Party) -> str:
    if intruder.tenant_id == victim.tenant_id:
        return "the other member"
    return "another tenant's member" if intruder.member_id else "another tenant's key"


def _leak(answer: Answer, victim: Party, request: Request) -> str:
    leaked = answer.holds_any(victim.marks, request)
    return f", with the victim's {', '.join(leaked[:3])}" if leaked else ""


async def _clients(wire: Wire, victim: Party, intruder: Party) -> list[Crossing]:
    found: list[Crossing] = []
    for client in (victim.slug, str(victim.tenant_id)):
        requests = (
            Request("POST", "/api/agent/reply", body={"message": "hello", "clientId": client}),
            Request("GET", "/api/agent/config/active", {"clientId": client}),
            Request("PUT", "/api/agent/config/active", {"clientId": client}, {"greeting": "mine"}),
            Request("GET", "/api/agent/health", {"clientId": client}),
        )
        for request in requests:
            answer = await wire.send(intruder.key, request)
            leak = _leak(answer, victim, request)
            named = "its slug" if client == victim.slug else "its id"
            found.append(
                Crossing(
                    BORDER,
                    _who(victim, intruder),
                    f"{request.method} {request.path}, clientId is {named}",
                    "403",
                    f"{answer.status}{leak}",
                    held=answer.status == 403 and not leak,
                )
            )
    return found


async def _agents(wire: Wire, world: World) -> list[Crossing]:
    found: list[Crossing] = []
    for intruder, victim in (
        (world.neighbour, world.victim),
        (world.b.first, world.victim),
        (world.b.own, world.victim),
        (world.b.own, world.a.own),
    ):
        body = {"message": "hello", "agentId": str(victim.agent_id)}
        request = Request("POST", "/api/agent/reply", body=body)
        found.append(await _expect(wire, intruder, victim, request, "agentId", {404}))
    for victim in (world.victim, world.a.own):
        request = Request("PUT", "/api/agent/config/active", body={"agentId": str(victim.agent_id)})
        found.append(await _expect(wire, world.b.own, victim, request, "agentId", {404}))
        rules = {"revision": 1, "rules": {"default": {"agent_id": str(victim.agent_id)}}}
        request = Request("PUT", "/api/v1/routing", body=rules)
        found.append(await _expect(wire, world.b.own, victim, request, "agent_id of a rule", {422}))
    for owner in (world.victim.member_id, world.neighbour.member_id):
        definition = {"name": "planted"}
        request = Request("POST", "/api/v1/agents", body={"definition": definition, "owner_member_id": str(owner)})
        found.append(await _expect(wire, world.b.own, world.victim, request, "owner_member_id", {422}))
    return found


async def _expect(
    wire: Wire, intruder: Party, victim: Party, request: Request, field: str, statuses: set[int]
) -> Crossing:
    answer = await wire.send(intruder.key, request)
    leak = _leak(answer, victim, request)
    whose = "a member's" if victim.member_id else "the tenant's"
    return Crossing(
        BORDER,
        _who(victim, intruder),
        f"{request.method} {request.path}, {field} is {whose}",
        " or ".join(map(str, sorted(statuses))),
        f"{answer.status}{leak}",
        held=answer.status in statuses and not leak,
    )


async def _conversations(wire: Wire, victim: Party, intruder: Party) -> list[Crossing]:
    found: list[Crossing] = []
    for reference, named in ((str(victim.conversation_id), "our id"), (victim.reference, "the caller's id")):
        for lead, of in ((None, "no lead"), (victim.lead_id, "its lead"), (intruder.lead_id, "another lead")):
            for agent in (None, str(intruder.agent_id)):
                what = f"POST /api/agent/reply, conversationId is {named}, {of}, {'own' if agent else 'active'} agent"
                found.append(
                    await _talk_into(wire, victim, intruder, what, conversationId=reference, leadId=lead, agentId=agent)
                )
    return found


async def _talk_into(wire: Wire, victim: Party, intruder: Party, what: str, **fields: str | None) -> Crossing:
    """Speaking into another's conversation must begin one's own, and leave the other's as it was."""
    before = await _state(wire, victim)
    body = {"message": "What do you know of me?", **{k: v for k, v in fields.items() if v is not None}}
    request = Request("POST", "/api/agent/reply", body=body)
    answer = await wire.send(intruder.key, request)
    same = answer.field("conversationId") == str(victim.conversation_id)
    changed = await _state(wire, victim) != before
    leak = _leak(answer, victim, request)
    got = "the victim's conversation" if same else f"{answer.status}, another conversation"
    return Crossing(
        BORDER,
        _who(victim, intruder),
        what,
        "another conversation or 404",
        got + leak + (", the victim's changed" if changed else ""),
        held=answer.status in (200, 404) and not same and not changed and not leak,
    )


async def _state(wire: Wire, victim: Party) -> str:
    path = f"/api/v1/conversations/{victim.conversation_id}"
    conversation = await wire.send(victim.key, Request("GET", path))
    events = await wire.send(victim.key, Request("GET", f"{path}/events", {"limit": "500"}))
    return conversation.text + events.text


async def _other_leads(wire: Wire, world: World) -> list[Crossing]:
    """A key that sees the conversation still reaches it only for its contact."""
    found: list[Crossing] = []
    victim = world.victim
    for key, who in ((victim.key, "its owner"), (world.a.own.key, "the tenant's key")):
        leads = ((world.neighbour.lead_id, "another's lead"), ("lead-of-nobody", "a new lead"), (None, "no lead"))
        for lead, named in leads:
            body = {"message": "What do you know of me?", "conversationId": str(victim.conversation_id)}
            request = Request("POST", "/api/agent/reply", body=body | ({"leadId": lead} if lead else {}))
            answer = await wire.send(key, request)
            same = answer.field("conversationId") == str(victim.conversation_id)
            found.append(
                Crossing(
                    BORDER,
                    f"{who}, {named}",
                    "POST /api/agent/reply, conversationId is another contact's",
                    "another conversation",
                    "the contact's conversation" if same else f"{answer.status}, another conversation",
                    held=answer.status == 200 and not same and victim.word not in str(answer.field("variables")),
                )
            )
    return found


async def _filters(wire: Wire, victim: Party, intruder: Party) -> list[Crossing]:
    found: list[Crossing] = []
    requests = (
        Request("GET", "/api/v1/conversations", {"agent_id": str(victim.agent_id)}),
        Request("GET", "/api/v1/conversations", {"cursor": str(victim.conversation_id)}),
        Request("GET", "/api/v1/agents", {"cursor": str(victim.agent_id)}),
        Request("GET", "/api/v1/calendar/events", {"cursor": _calendar_cursor(victim)}),
        Request("GET", "/api/v1/secrets", {"cursor": str(victim.secret_id)}),
        Request("GET", "/api/v1/usage", {"cursor": _usage_cursor(victim), "group_by": "turn"}),
    )
    for request in requests:
        answer = await wire.send(intruder.key, request)
        name = next(iter(request.query))
        leaked = answer.holds_any(victim.marks, request)
        listed = f'"agent_id":"{victim.agent_id}"' in answer.text
        found.append(
            Crossing(
                BORDER,
                _who(victim, intruder),
                f"{request.method} {request.path}, {name} is the victim's",
                "nothing of the victim's",
                f"{answer.status}, {'something' if leaked or listed else 'nothing'} of the victim's",
                held=answer.status in (200, 404) and not leaked and not listed,
            )
        )
    return found


def _calendar_cursor(victim: Party) -> str:
    """As the route makes them: the start of the page's last appointment, and its id."""
    return base64.urlsafe_b64encode(f"{datetime.now(UTC).isoformat()}|{victim.booking_id}".encode()).decode()


def _usage_cursor(victim: Party) -> str:
    """As the route makes them: the key of the page's last item."""
    return base64.urlsafe_b64encode(f"={victim.turn_id}".encode()).decode()


async def _idempotency_key(wire: Wire, victim: Party, intruder: Party) -> Crossing:
    """The very same request under the same key: each sender gets an answer of its own."""
    body = {
        "message": "hello",
        "idempotencyKey": f"once-{secrets.token_hex(8)}",
        "leadId": f"lead-{secrets.token_hex(8)}",
    }
    request = Request("POST", "/api/agent/reply", body=body)
    first = await wire.send(victim.key, request)
    again = await wire.send(victim.key, request)
    stolen = await wire.send(intruder.key, request)
    replayed = first.field("turnId") is not None and again.field("turnId") == first.field("turnId")
    same = stolen.field("turnId") == first.field("turnId")
    got = "the victim's turn" if same else f"{stolen.status}, a turn of its own"
    return Crossing(
        BORDER,
        _who(victim, intruder),
        "POST /api/agent/reply, idempotencyKey of the victim",
        "a turn of its own",
        got if replayed else "the victim's own replay was no replay",
        held=replayed and not same and stolen.status == 200,
    )


async def _same_names(wire: Wire, world: World) -> list[Crossing]:
    """One lead id and one conversation id, used by two members and by another tenant."""
    shared = {"leadId": "lead-7", "conversationId": "conversation-7"}
    parties = (world.victim, world.neighbour, world.b.first, world.b.own)
    answers: dict[str, list[Answer]] = {}
    for turn in range(2):
        for party in parties:
            body = {"message": f"This is {party.word}, turn {turn}", "agentId": str(party.agent_id), **shared}
            request = Request("POST", "/api/agent/reply", body=body)
            answers.setdefault(party.word, []).append(await wire.send(party.key, request))
    found: list[Crossing] = []
    for party in parties:
        own = [answer.field("conversationId") for answer in answers[party.word]]
        others = {a.field("conversationId") for word, given in answers.items() if word != party.word for a in given}
        crossed = [p.word for p in parties if p is not party and any(p.word in a.text for a in answers[party.word])]
        held = own[0] is not None and own[0] == own[1] and own[0] not in others and not crossed
        found.append(
            Crossing(
                "same ids",
                f"{party.name} of {party.slug}",
                "POST /api/agent/reply, leadId and conversationId that others use too",
                "one conversation of its own",
                "one of its own" if held else f"{len(set(own))} conversations, shared: {own[0] in others}, {crossed}",
                held,
            )
        )
    return found
