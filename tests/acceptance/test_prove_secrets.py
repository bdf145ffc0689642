"""The proof of the tools tries another's secrets, and names the tools that would send one."""

from dataclasses import dataclass
from uuid import UUID

import aiohttp
import pytest

from tenantry.cli.prove import tools
from tenantry.cli.prove.http import Wire
from tenantry.cli.prove.seeding import settle
from tenantry.cli.prove.world import Estate, make_world, new_run_id
from tenantry.credentials.booking_references import BookingReferences
from tenantry.server.runtime import Runtime

Owner = tuple[UUID, UUID | None]


@dataclass
class Store:
    """The secrets of each owner by name; with `leaks`, everybody finds all of them."""

    known: dict[Owner, str]
    leaks: bool
    owner: Owner = (UUID(int=0), None)

    def of(self, tenant_id: UUID, member_id: UUID | None) -> "Store":
        return Store(self.known, self.leaks, (tenant_id, member_id))

    async def reveal(self, name: str) -> str | None:
        found = name in self.known.values() if self.leaks else self.known.get(self.owner) == name
        return "sk-0123456789" if found else None


@pytest.mark.parametrize("leaks", [False, True])
async def test_who_reads_anothers_secret_is_named(runtime: Runtime, url: str, leaks: bool) -> None:
    estate = Estate([], [])
    try:
        world = await make_world(runtime.db, estate, new_run_id())
        async with aiohttp.ClientSession(url) as session:
            world = await settle(Wire(session), world)
        parties = [*world.a.parties, *world.b.parties]
        store = Store({(party.tenant_id, party.member_id): party.secret_name for party in parties}, leaks)
        found = await tools.attack(runtime.db, world, BookingReferences(runtime.resources.hasher), store.of)
    finally:
        await estate.remove(runtime.db)
    tried = [crossing for crossing in found if crossing.what.endswith("the victim's secret")]
    assert {crossing.what.split(",")[0] for crossing in tried} == {"an HTTP function", "an MCP function"}
    assert all(crossing.held is not leaks for crossing in tried)
    assert [crossing for crossing in found if not crossing.held and crossing not in tried] == []
