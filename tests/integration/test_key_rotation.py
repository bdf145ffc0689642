"""Another key for all that is sealed, while processes go on keeping and reading it."""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from tenantry.cli.keys import retire, rotate
from tenantry.credentials.connections import ConnectionKeeper, ConnectionKey, OAuthSecret
from tenantry.credentials.key_ring import KeyRing, load_key_ring
from tenantry.credentials.master_key import load_master_key
from tenantry.credentials.provider_keys import ProviderKeys
from tenantry.credentials.rotation import reseal
from tenantry.credentials.secret_store import SecretStore
from tenantry.credentials.vault import Vault
from tenantry.domain.errors import Conflict, InvalidInput
from tenantry.domain.ids import new_id
from tenantry.domain.provider import ProviderSettings
from tenantry.settings import Settings
from tenantry.storage.opening import open_database
from tenantry.storage.repositories import providers, sealed_values, tenants
from tenantry.storage.tenancy import Database

NEW = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
async def database(installed: Path) -> AsyncIterator[Database]:
    """The database of an installation of the test's own."""
    master = load_master_key(installed, None)
    async with open_database(installed, Settings(home=installed).database, master.password) as opened:
        yield opened.db


@pytest.fixture
async def tenant_id(database: Database, vault: Vault) -> UUID:
    """A tenant with something sealed of every kind but what is asked for and soon over."""
    made = new_id()
    async with database.operator(made) as tx:
        await tenants.create(tx, "acme", "Acme", "UTC", made)
    async with database.tenant(made) as tx:
        await SecretStore(database, vault).put(tx, None, "still", "as it was")
        await ProviderKeys(vault).create(tx, ProviderSettings("own", "https://models.invalid/v1"), "sk-provider")
        key = ConnectionKey(made, None, "microsoft")
        await ConnectionKeeper(vault).keep(tx, key, OAuthSecret("access", "refresh"), account="")
    return made


@pytest.fixture
def vault(installed: Path) -> Vault:
    """The vault of a server that runs before anything changes."""
    return Vault(load_key_ring(Settings(home=installed), load_master_key(installed, None)))


async def sealed_otherwise(database: Database, tenant_id: UUID, vault: Vault) -> list[str]:
    """The tables in which something is sealed under another key than the vault's current one."""
    async with database.tenant(tenant_id) as tx:
        return [
            column.table
            for column in sealed_values.COLUMNS
            if await sealed_values.list_other(tx, column, vault.header(), after=None, limit=1)
        ]


async def test_keys_change_while_values_are_kept_and_read(
    installed: Path, database: Database, tenant_id: UUID, vault: Vault
) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.sealing_worker", str(installed), str(tenant_id)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "src:."},
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert await worker.stdout.readline() == b"ready\n"
    before = vault.header()
    settings = Settings(home=installed)
    await rotate(settings)
    assert vault.header() != before
    assert await sealed_otherwise(database, tenant_id, vault) == []
    with pytest.raises(Conflict, match="again in"):
        await retire(settings)
    past = time.time() - 61
    os.utime(installed / "vault.keys", (past, past))
    await retire(settings)
    worker.stdin.close()
    done = json.loads(await worker.stdout.read())
    await worker.wait()
    assert done["errors"] == []
    assert done["rounds"] > 10
    # Without the master key: it opens nothing any more, but still names contacts and opens the database.
    fresh = Vault(load_key_ring(Settings(home=installed), load_master_key(installed, None)))
    assert await sealed_otherwise(database, tenant_id, fresh) == []
    assert (installed / "vault.keys").read_text().count("\n") == 1
    async with database.tenant(tenant_id) as tx:
        (provider,) = await providers.list_all(tx)
    assert ProviderKeys(fresh).key_of(provider) == "sk-provider"


async def test_keys_of_the_environment_change_node_by_node(
    installed: Path, database: Database, tenant_id: UUID, vault: Vault
) -> None:
    master = load_master_key(installed, None)
    with pytest.raises(InvalidInput, match="TENANTRY_VAULT_KEYS"):
        await rotate(Settings(home=installed, master_key=(installed / "master.key").read_text()))
    old_node, new_node = (
        Vault(load_key_ring(Settings(home=installed, vault_keys=keys), master))
        for keys in (f"master,{NEW}", f"{NEW},master")
    )
    done = await reseal(database, new_node)
    assert (done.values, done.unreadable) == (3, 0)
    last = Vault(load_key_ring(Settings(home=installed, vault_keys=NEW), master))
    for node in (old_node, new_node, last):
        assert await SecretStore(database, node).of(tenant_id, None).reveal("still") == "as it was"
    assert await SecretStore(database, vault).of(tenant_id, None).reveal("still") is None
    assert (await reseal(database, new_node)).values == 0
    # What no key opens stays as it is, and is told.
    assert (await reseal(database, Vault(KeyRing([master])))).unreadable == 3


async def test_every_column_of_sealed_values_is_known(database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as tx:
        rows = await tx.rows(
            "SELECT attrelid::regclass::text AS name, attname::text AS attribute "
            "FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
            "WHERE c.relkind = 'r' AND atttypid = 'bytea'::regtype AND attname LIKE 'sealed%' AND NOT attisdropped"
        )
    known = {(column.table, column.column) for column in sealed_values.COLUMNS}
    assert {(row["name"], row["attribute"]) for row in rows} == known
