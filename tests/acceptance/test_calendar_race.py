"""Racing attempts over three providers, with kills, lost answers, owners who do as they please, and keys that change.

TENANTRY_RACE_ATTEMPTS is how many; 10,000 are the whole proof.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tenantry.server.runtime import open_runtime
from tenantry.settings import load_settings
from tests.acceptance import commands
from tests.acceptance.race_calendars import raced_calendars
from tests.acceptance.racing import Race, make_owners, processes
from tests.conftest import copied_home, new_home

ATTEMPTS = int(os.environ.get("TENANTRY_RACE_ATTEMPTS", "10000"))
LOST = ATTEMPTS // 20
KILLS = min(20, ATTEMPTS // 500)


@pytest.fixture(scope="module")
async def race(empty_installation: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Race]:
    """The race when it is over, the installation and the providers still there."""
    folder = tmp_path_factory.mktemp("race")
    with new_home() as made:
        home = copied_home(empty_installation, made)
        async with raced_calendars() as calendars:
            env = commands.environment(home) | calendars.environment()
            async with open_runtime(load_settings(env)) as runtime, processes(folder, env) as procs:
                tenant_id, owners, agents = await make_owners(runtime, calendars)
                race = Race(runtime, calendars, tenant_id, owners, agents, procs, home, env)
                await race.run(ATTEMPTS)
                print(await race.summary())
                yield race


async def test_the_race_was_a_hard_one(race: Race) -> None:
    tolls = await race.toll()
    assert len(race.told) == ATTEMPTS
    assert race.kills >= KILLS
    assert sum(toll.lost for toll in tolls.values()) >= LOST
    assert all(toll.lost for toll in tolls.values())
    assert tolls["microsoft"].refreshes > 1
    assert tolls["google"].refreshes > 1
    assert [violation for calendar in race.calendars.all for violation in await calendar.violations()] == []


async def test_nobody_was_told_what_was_not_true(race: Race) -> None:
    assert [each["lie"] for each in race.told if each["lie"]] == []


async def test_everything_converges_to_remote_is_local(race: Race) -> None:
    assert await race.unsettled() == []
    assert [line for owner in race.owners for line in await race.differences(owner)] == []


async def test_nothing_overlaps(race: Race) -> None:
    assert [line for owner in race.owners for line in await race.overlaps(owner)] == []
