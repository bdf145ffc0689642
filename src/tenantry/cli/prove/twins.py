"""The same ids in two tenants: the attacker's tenant gets a row of its own under every id of the victim's."""

from tenantry.cli.prove import streams
from tenantry.cli.prove.cases import CASES
from tenantry.cli.prove.http import Request, Wire
from tenantry.cli.prove.world import World
from tenantry.engine.turn import Engine
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.isolation.twins import copy_rows

BORDER = "same ids"


async def attack(wire: Wire, engine: Engine, world: World) -> list[Crossing]:
    """Make the twins, then read, change and delete them as their own tenant."""
    db = engine.db
    words = {party.word: f"twin{party.word}" for party in world.a.parties}
    found = await copy_rows(db, world.a.tenant_id, world.b.tenant_id, words)
    before = await fingerprints(db, world.a.tenant_id)
    for route, case in CASES.items():
        request = case.request(world.victim)
        if "{" in route and request.method == "GET":
            found.append(await _read(wire, world, route, request, sealed=case.sealed))
    found += await streams.attack_twins(wire, engine, world)
    contact = await wire.send(world.b.owner_key, Request("DELETE", f"/api/v1/contacts/{world.victim.contact_id}"))
    after = await fingerprints(db, world.a.tenant_id)
    found.append(
        Crossing(
            BORDER,
            "another tenant's owner",
            "DELETE /api/v1/contacts/{contact_id}, its own twin",
            "200, the victim's as they were",
            f"{contact.status}, the victim's {'as they were' if before == after else 'changed'}",
            held=contact.status == 200 and before == after,
        )
    )
    path = f"/api/v1/agents/{world.victim.agent_id}"
    deleted = await wire.send(world.b.owner_key, Request("DELETE", path))
    after = await fingerprints(db, world.a.tenant_id)
    changed = sorted(name for name in before if before[name] != after.get(name))
    still = await wire.send(world.victim.key, Request("GET", path))
    found.append(
        Crossing(
            BORDER,
            "another tenant's owner",
            "DELETE /api/v1/agents/{agent_id}, its own twin",
            "204, the victim's as they were",
            f"{deleted.status}, the victim's {f'changed: {changed}' if changed else 'as they were'}",
            held=deleted.status == 204 and not changed and still.status == 200 and world.victim.word in still.text,
        )
    )
    return found


async def _read(wire: Wire, world: World, route: str, request: Request, *, sealed: bool) -> Crossing:
    answer = await wire.send(world.b.owner_key, request)
    word = world.victim.word
    # The twin's own word ends with the victim's.
    leaked = word in answer.text.replace(f"twin{word}", "") or str(world.a.tenant_id) in answer.text
    # What is sealed is bound to its tenant: the copy is there, and does not open.
    expected = 500 if sealed else 200
    return Crossing(
        BORDER,
        "another tenant's owner",
        f"{route}, its own twin",
        f"{expected}, the twin",
        f"{answer.status}, the {'other tenant' if leaked else 'twin'}",
        held=answer.status == expected and not leaked,
    )
