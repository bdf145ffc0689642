"""Conversations that ask for the purpose that leads to another's agent."""

from tenantry.cli.prove.http import Request, Wire
from tenantry.cli.prove.world import World
from tenantry.storage.isolation.crossing import Crossing

BORDER = "routing"


async def attack(wire: Wire, world: World) -> list[Crossing]:
    """Begin conversations by the victim's purpose: who may not see its agent gets another, its owner gets it."""
    victim = world.victim
    keys = {
        "its owner": victim.key,
        "the tenant's key": world.a.own.key,
        "the other member": world.neighbour.key,
        "another tenant's member": world.b.first.key,
        "another tenant's key": world.b.own.key,
    }
    found: list[Crossing] = []
    for who, key in keys.items():
        request = Request("POST", "/api/agent/reply", body={"message": "Hello", "purpose": victim.purpose})
        answer = await wire.send(key, request)
        theirs = key in (victim.key, world.a.own.key)
        reached = answer.field("agentId") == str(victim.agent_id)
        leaked = [] if theirs else answer.holds_any(victim.marks, request)
        got = f"{answer.status}, {'the victim' if reached else 'another'}'s agent" + (", leaking" if leaked else "")
        expected = "200, the victim's agent" if theirs else "200, another's agent"
        what = "POST /api/agent/reply, purpose leads to a member's agent"
        found.append(Crossing(BORDER, who, what, expected, got, held=got == expected))
    return found
