"""Sealing every value anew under the key that seals now, while everything goes on."""

from dataclasses import dataclass

import structlog

from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.errors import SealedValueUnreadable
from tenantry.storage.repositories import sealed_values, tenants
from tenantry.storage.repositories.sealed_values import COLUMNS, SealedColumn, SealedValue
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

_AT_ONCE = 100


@dataclass(slots=True)
class Resealed:
    """How many values were sealed anew, and how many cannot be opened with any key that is there."""

    values: int = 0
    unreadable: int = 0


async def reseal(db: Database, vault: Vault) -> Resealed:
    """Seal all values of all tenants under the key that seals now; what is changed meanwhile, is sealed under it
    already. Raises DatabaseUnavailable; it can be done again at any time."""
    done = Resealed()
    async with db.operator() as tx:
        there = [tenant.id for tenant in await tenants.list_all(tx)]
    for tenant_id in there:
        for column in COLUMNS:
            after = None
            while True:
                async with db.tenant(tenant_id) as tx:
                    batch = await sealed_values.list_other(tx, column, vault.header(), after=after, limit=_AT_ONCE)
                if not batch:
                    break
                for value in batch:
                    binding = Binding(tenant_id, value.member_id, column.kind, value.id)
                    await _reseal(db, vault, binding, column, value, done)
                after = batch[-1].id
    return done


async def _reseal(
    db: Database, vault: Vault, binding: Binding, column: SealedColumn, value: SealedValue, done: Resealed
) -> None:
    try:
        sealed = vault.seal(binding, vault.open(binding, value.sealed))
    except SealedValueUnreadable:
        log.error("sealed value unreadable", tenant_id=str(binding.tenant_id), table=column.table, id=str(value.id))
        done.unreadable += 1
        return
    # Each in a transaction of its own: nobody waits for more than one row.
    async with db.tenant(binding.tenant_id) as tx:
        done.values += await sealed_values.replace(tx, column, value, sealed)
