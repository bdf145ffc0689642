"""The proof: a world of two tenants in the real database, attacked over real HTTP, and removed again."""

import aiohttp

from tenantry.cli.prove import forged, routes, sealed, tools, twins
from tenantry.cli.prove.http import Wire
from tenantry.cli.prove.report import Report
from tenantry.cli.prove.seeding import settle
from tenantry.cli.prove.world import Estate, make_world
from tenantry.server.app import create_app
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.storage.isolation import acts, catalogue
from tenantry.storage.isolation.crossing import Crossing, untried

_TIMEOUT = aiohttp.ClientTimeout(total=60)


async def prove(runtime: Runtime) -> Report:
    """Try to cross every border of the installation. Its own tenants are only looked at through the catalogue; those
    that are attacked are made for it and removed again, also when something fails."""
    found: list[Crossing] = []
    estate = Estate([], [])
    try:
        await _attack(runtime, estate, found)
    # A broad net on purpose: a border that is broken may break the proof itself, and what was found by then counts.
    except Exception as error:
        found.append(untried("proof", "proof", f"it broke off: {type(error).__name__}: {error}"))
    finally:
        await estate.remove(runtime.db)
    return Report(tuple(found))


async def _attack(runtime: Runtime, estate: Estate, found: list[Crossing]) -> None:
    db = runtime.db
    found += await catalogue.examine(db)
    world = await make_world(db, estate)
    async with (
        serving(runtime, bind("127.0.0.1", 0)) as url,
        aiohttp.ClientSession(url, timeout=_TIMEOUT) as session,
    ):
        wire = Wire(session)
        world = await settle(wire, world)
        found += await acts.attack(db, world.a.tenant_id, world.b.tenant_id)
        found += await tools.attack(db, world, runtime.resources.secrets.of)
        found += await sealed.attack(db, runtime.resources.vault, world)
        # Routes before forgeries: who forges an id keeps it as the external id of a conversation of their own.
        found += await routes.attack(wire, db, world, create_app(runtime))
        found += await forged.attack(wire, world)
        found += await twins.attack(wire, db, world)
        found += await sealed.open_copies(db, runtime.resources.vault, world)
