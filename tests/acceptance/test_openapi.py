"""The API as its own description says: every route, with requests made of it, under the keys of two tenants."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from uuid import UUID

import aiohttp
import pytest
import structlog.testing

from tenantry.cli.prove import calls, connections
from tenantry.cli.prove.case import ALLOWED
from tenantry.cli.prove.cases import CASES
from tenantry.cli.prove.http import Wire
from tenantry.cli.prove.seeding import settle
from tenantry.cli.prove.world import Estate, Party, World, make_world, new_run_id
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.storage.isolation.tables import fingerprints
from tests.acceptance.made_requests import Run, Sender, send
from tests.conftest import without_jobs

# Schemathesis draws some of its choices from the `random` module, which Hypothesis would rather it did not.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

# How many times more requests are made, for a longer search by hand.
TIMES = int(os.environ.get("TENANTRY_FUZZ", "1"))
SEED = int(os.environ.get("TENANTRY_FUZZ_SEED", "4"))


@pytest.fixture(scope="module")
async def url(runtime: Runtime) -> AsyncGenerator[str]:
    """The installation over real HTTP, with providers of calendars that are nowhere and take every password."""
    async with serving(without_jobs(connections.registered(runtime)), bind("127.0.0.1", 0)) as address:
        yield address


@pytest.fixture(scope="module")
async def world(runtime: Runtime, url: str) -> AsyncGenerator[World]:
    """Two tenants in which everybody has something of every kind."""
    estate = Estate([], [])
    try:
        made = await make_world(runtime.db, estate, new_run_id())
        async with aiohttp.ClientSession(url) as session:
            spoken = await settle(Wire(session), made)
        yield await calls.call(runtime.db, runtime.resources.vault, spoken)
    finally:
        await estate.remove(runtime.db)


def things(*parties: Party) -> Mapping[str, Sequence[UUID]]:
    """What the parties own, by the names that parameters have for it."""
    members = [party.member_id for party in parties if party.member_id]
    return {
        "agent": [party.agent_id for party in parties],
        "contact": [party.contact_id for party in parties],
        "conversation": [party.conversation_id for party in parties],
        "turn": [party.turn_id for party in parties],
        "provider": [party.provider_id for party in parties],
        "call": [party.call_id for party in parties],
        "site": [party.site_id for party in parties],
        "member": members,
        "cursor": [party.agent_id for party in parties],
    }


async def made(url: str, sender: Sender, phases: Mapping[str, int]) -> Run:
    """The run of these phases, in which nothing may be wrong."""
    many = {name: most * TIMES for name, most in phases.items()}
    with structlog.testing.capture_logs() as logs:
        run = await asyncio.to_thread(send, url, sender, many, seed=SEED)
    bugs = [entry for entry in logs if "exc_info" in entry]
    assert (run.faults, run.errors, bugs) == ({}, [], [])
    return run


async def test_another_tenant_gets_what_is_described_and_nothing_of_ours(
    runtime: Runtime, url: str, world: World
) -> None:
    ours, theirs = world.a.parties, world.b.parties
    marks = frozenset[str]().union(*(party.marks for party in ours))
    stranger = Sender("another tenant's owner", world.b.owner_key, things(*theirs), things(*ours), marks)
    before = await fingerprints(runtime.db, world.a.tenant_id)
    run = await made(url, stranger, {"examples": 1, "fuzzing": 8, "stateful": 15})
    assert await fingerprints(runtime.db, world.a.tenant_id) == before
    assert set(run.sent) == await described(url)
    # It is no proof to be refused everywhere: most routes do something for the one who asks, and most are aimed at us.
    assert len([route for route, count in run.done.items() if count]) > len(run.sent) * 0.7
    assert len([route for route, count in run.aimed.items() if count]) > len(run.sent) * 0.4


async def test_a_colleague_gets_nothing_of_a_members(url: str, world: World) -> None:
    shared = frozenset(route for route, case in CASES.items() if case.member == ALLOWED)
    own = things(world.neighbour, world.a.own)
    colleague = Sender("a colleague", world.neighbour.key, own, things(world.victim), world.victim.marks, shared)
    run = await made(url, colleague, {"examples": 1, "fuzzing": 4, "stateful": 6})
    assert len([route for route, count in run.aimed.items() if count]) > len(run.sent) * 0.3


async def described(url: str) -> set[str]:
    """`METHOD /path` of every operation in the API's description."""
    async with aiohttp.ClientSession(url) as session, session.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
