"""The proof: a world of two tenants in the real database, attacked over real HTTP, and removed again."""

import aiohttp
import structlog

from tenantry.cli.prove import (
    call_pages,
    calls,
    connections,
    exports,
    feeds,
    forged,
    hooks,
    purposes,
    routes,
    sealed,
    streams,
    tools,
    twins,
    voice,
)
from tenantry.cli.prove.http import Wire
from tenantry.cli.prove.leftovers import remove_leftovers, running
from tenantry.cli.prove.report import Report
from tenantry.cli.prove.seeding import settle
from tenantry.cli.prove.world import Estate, World, make_world, new_run_id
from tenantry.credentials.booking_references import BookingReferences
from tenantry.server.app import create_app
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.storage.isolation import acts, catalogue
from tenantry.storage.isolation.crossing import Crossing, untried
from tenantry.storage.isolation.seeding import claim_unknown
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

_UNKNOWN_STEP = 92
_TIMEOUT = aiohttp.ClientTimeout(total=60)


async def prove(runtime: Runtime) -> Report:
    """Try to cross every border of the installation. Its own tenants are only looked at through the catalogue; those
    that are attacked are made for it and removed again, also when something fails, and by the next proof when this
    one is killed."""
    found: list[Crossing] = []
    estate = Estate([], [])
    run_id = new_run_id()
    try:
        async with running(runtime.db, run_id):
            if removed := await remove_leftovers(runtime.db):
                log.warning("removed what killed proofs had left", tenants=removed)
            await _attack(runtime, estate, run_id, found)
    # A broad net on purpose: a border that is broken may break the proof itself, and what was found by then counts.
    except Exception as error:
        found.append(untried("proof", "proof", f"it broke off: {type(error).__name__}: {error}"))
    finally:
        await estate.remove(runtime.db)
    return Report(tuple(found))


async def _attack(runtime: Runtime, estate: Estate, run_id: str, found: list[Crossing]) -> None:
    runtime = connections.registered(runtime)
    db, store = runtime.db, runtime.resources.connections
    found += await catalogue.examine(db)
    world = await make_world(db, estate, run_id)
    async with (
        serving(runtime, bind("127.0.0.1", 0)) as url,
        aiohttp.ClientSession(url, timeout=_TIMEOUT) as session,
    ):
        wire = Wire(session)
        world = await settle(wire, world)
        world = await connections.connect(runtime.resources, world)
        world = await calls.call(db, runtime.resources.vault, world)
        await _lose_track(db, world)
        # First of all: what an intruder sends becomes the intruder's own.
        found += await exports.attack(wire, world)
        found += await acts.attack(db, world.a.tenant_id, world.b.tenant_id)
        found += await tools.attack(
            db, world, BookingReferences(runtime.resources.hasher), runtime.resources.secrets.of
        )
        found += await sealed.attack(db, runtime.resources.vault, world)
        found += await connections.attack(wire, db, world, store)
        found += await purposes.attack(wire, world)
        # Before the routes, whose control makes another feed.
        found += await feeds.attack(wire, world)
        found += await call_pages.attack(wire, world)
        found += await hooks.attack(wire, db, world)
        found += await voice.attack(wire, db, world)
        # Routes before forgeries: who forges an id keeps it as the external id of a conversation of their own.
        found += await routes.attack(wire, db, world, create_app(runtime))
        found += await streams.attack(wire, runtime.engine, world)
        found += await forged.attack(wire, world)
        found += await twins.attack(wire, runtime.engine, world)
        found += await sealed.open_copies(db, runtime.resources.vault, world)
        found += await connections.open_copies(store, world)


async def _lose_track(db: Database, world: World) -> None:
    """Give every party a tool call of which nobody knows what came of it."""
    for party in (*world.a.parties, *world.b.parties):
        async with db.tenant(party.tenant_id) as tx:
            await claim_unknown(tx, party.turn_id, _UNKNOWN_STEP, party.word)
