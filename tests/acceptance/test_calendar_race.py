"""Racing attempts over three providers, with kills, lost answers, owners who do as they please, and keys that change;
then a search for secrets in all that it left.

TENANTRY_RACE_ATTEMPTS is how many: 1,000 among the other tests, 10,000 by `make race`.
"""

import base64
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tenantry.credentials.key_ring import load_key_ring
from tenantry.credentials.master_key import MasterKey, load_master_key
from tenantry.credentials.vault import Vault
from tenantry.server.runtime import open_runtime
from tenantry.settings import load_settings
from tenantry.storage.repositories import connections, sealed_values
from tests.acceptance import commands
from tests.acceptance.leaks import dumped, leaked, unzipped
from tests.acceptance.race_calendars import raced_calendars
from tests.acceptance.race_talk import talk
from tests.acceptance.racing import Race, make_owners, processes
from tests.conftest import copied_home, new_home

ATTEMPTS = int(os.environ.get("TENANTRY_RACE_ATTEMPTS", "1000"))
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
                race.secrets = await secrets_of(race)
                print(await race.summary())
                yield race


async def secrets_of(race: Race) -> list[bytes]:
    """All that must be kept secret: what gives access to the providers, and every key."""
    given = [secret.encode() for calendar in race.calendars.all for secret in await calendar.secrets()]
    lines = (race.home / "vault.keys").read_text().replace("master", (race.home / "master.key").read_text()).split()
    keys = [base64.b64decode(line) for line in lines]
    derived = [MasterKey(key).derive("vault") for key in keys]
    passwords = [MasterKey(keys[-1]).password(role).encode() for role in ("postgres", "owner", "app", "operator")]
    return [*given, *keys, *derived, *passwords]


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


async def test_keys_changed_while_bookings_went_on(race: Race) -> None:
    assert [code for code, _ in race.rotations] == [0, 0]
    keys = race.home / "vault.keys"
    assert len(keys.read_text().split()) == 3
    # Nobody works any more who could keep what is sealed under a key before.
    past = time.time() - 61
    os.utime(keys, (past, past))
    code, printed = await commands.run(race.home, "key", "retire", more=race.env)
    assert code == 0, printed
    fresh = Vault(load_key_ring(race.runtime.settings, load_master_key(race.home, None)))
    async with race.runtime.db.tenant(race.tenant_id) as tx:
        for column in sealed_values.COLUMNS:
            assert not await sealed_values.list_other(tx, column, fresh.header(), after=None, limit=1)
        connected = await connections.list_page(tx, sees_only=None, before=None, limit=10)
    assert [connection.health for connection in connected] == ["ok"] * 3
    for connection in connected:
        assert await race.runtime.resources.choosing.offered(connection)


async def test_no_secret_is_in_what_is_left(race: Race) -> None:
    said = await talk(race)
    places = await dumped(race.home)
    places |= {path.name: path.read_bytes() for path in [*race.procs.folder.iterdir(), *race.home.rglob("*.log")]}
    places |= dict(unzipped(said.export))
    places |= {"prompts": said.prompts, "answers": said.answers}
    assert {
        "table bookings",
        "table pgqueuer_log",
        "table turns",
        "work-2.log",
        "export bookings.jsonl",
    } <= places.keys()
    assert all(places[name] for name in ("table audit_log", "table turns", "prompts", "answers", "work-2.log"))
    assert len(race.secrets) > 20
    assert leaked(race.secrets, places) == []


def _as_password(secret: bytes) -> bytes:
    return base64.b64encode(b"user:" + secret)


@pytest.mark.parametrize("spelled", [bytes, lambda secret: secret.hex().encode(), _as_password, base64.b64encode])
def test_a_secret_would_be_found(spelled: Callable[[bytes], bytes]) -> None:
    secret = b"ya29.not/a-real+token"
    places = {"clean": b"nothing" * 1000, "log": b'{"event": "' + spelled(secret) + b'"}'}
    assert leaked([b"something else", secret], places) == ["secret 1 (b'ya29'…) in log"]
