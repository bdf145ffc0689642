"""The export of each tenant, before anybody sends what is another's: it holds its own and nothing else."""

from tenantry.cli.prove.http import Request, Wire
from tenantry.cli.prove.world import World
from tenantry.storage.isolation.crossing import Crossing


async def attack(wire: Wire, world: World) -> list[Crossing]:
    """Export both tenants, and look for what is the other's."""
    found: list[Crossing] = []
    request = Request("GET", "/api/v1/export")
    for side, other in ((world.a, world.b), (world.b, world.a)):
        answer = await wire.send(side.own.key, request)
        marks = frozenset(mark for party in other.parties for mark in party.marks) | {str(other.tenant_id), other.slug}
        leaked = answer.holds_any(marks, request)
        whole = all(party.word in answer.text for party in side.parties)
        sealed = [party.secret_value for party in side.parties if party.secret_value in answer.text]
        got = f"{answer.status}, {'its own' if whole else 'not all of its own'}"
        if leaked or sealed:
            got += f", with {', '.join((leaked + sealed)[:3])}"
        held = answer.status == 200 and whole and not leaked and not sealed
        found.append(
            Crossing("export", "its own key", f"GET /api/v1/export of {side.slug}", "its own alone", got, held)
        )
    return found
