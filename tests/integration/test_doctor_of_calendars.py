"""`tenantry doctor` on connections."""

from dataclasses import replace

import pytest

from tenantry.cli import checks
from tenantry.cli.checks import Check, check
from tenantry.credentials.connections import BasicSecret, ConnectionKeeper, ConnectionKey
from tenantry.server.runtime import Runtime
from tenantry.settings import HttpSettings
from tenantry.storage.repositories import connections
from tests.conftest import TenantForTest


async def looked_at(runtime: Runtime) -> dict[str, Check]:
    settings = replace(runtime.settings, http=HttpSettings("127.0.0.1", 0))
    return {each.name: each async for each in check(settings)}


async def test_tells_which_tenants_have_to_sign_in_again(
    runtime: Runtime, tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests of the session leave connections of theirs.
    monkeypatch.setattr(checks, "_SHOWN", 1000)
    keeper = ConnectionKeeper(runtime.resources.vault)
    secret = BasicSecret("https://dav.example.org/", "ada", "a password")
    async with runtime.db.tenant(tenant.id) as tx:
        for owner in (None, tenant.members["mark"]):
            await keeper.keep(tx, ConnectionKey(tenant.id, owner, "caldav"), secret, account="ada")
    assert tenant.slug not in (await looked_at(runtime))["connections"].found
    async with runtime.db.tenant(tenant.id) as tx:
        (mine,) = await connections.list_page(tx, sees_only=None, before=None, limit=1)
        await tx.execute("UPDATE connections SET health = 'revoked', reason = 'gone' WHERE id = $1", mine.id)
    told = (await looked_at(runtime))["connections"]
    assert f"{tenant.slug} has 1 ok, 1 revoked" in told.found
    assert (told.good, told.needed) == (False, False)
