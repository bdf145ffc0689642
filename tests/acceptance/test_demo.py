"""`tenantry demo` passes on what is right, and fails when the agents' owners are swapped."""

from pathlib import Path

from tenantry.cli.demo.seed import JON, MARK, SLUG, agent_id
from tenantry.credentials.master_key import load_master_key
from tenantry.settings import DatabaseSettings
from tenantry.storage.opening import open_database
from tenantry.storage.repositories import tenants
from tests.acceptance.commands import run


async def test_each_booking_is_in_the_right_calendar_and_swapped_owners_are_noticed(home: Path) -> None:
    code, printed = await run(home, "demo")
    assert code == 0, printed
    assert "nowhere else" in printed
    for text in ("Ada", "Grace", MARK, JON, "123 Main Street, Springfield", "9 Oak Avenue, Shelbyville"):
        assert text in printed
    code, printed = await run(home, "demo")
    assert code == 0, f"the second run meets the first one's appointments: {printed}"
    await _swap_owners(home)
    code, printed = await run(home, "demo")
    assert code == 1, printed
    assert "wrong:" in printed


async def _swap_owners(home: Path) -> None:
    master = load_master_key(home, None)
    async with open_database(home, DatabaseSettings(), master.password) as opened:
        async with opened.db.operator() as tx:
            tenant = await tenants.find(tx, SLUG)
        assert tenant is not None
        async with opened.db.tenant(tenant.id) as tx:
            members = {member.email: member.id for member in await tenants.list_members(tx)}
            for agents_of, owner in ((MARK, JON), (JON, MARK)):
                changed = await tx.execute(
                    "UPDATE agents SET owner_member_id = $2 WHERE id = $1",
                    agent_id(tenant.id, agents_of),
                    members[owner],
                )
                assert changed == 1
