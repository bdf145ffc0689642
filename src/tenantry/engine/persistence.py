"""Writing what must not be lost while the database is away for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from tenantry.domain.errors import DatabaseUnavailable
from tenantry.storage.tenancy import Database, TenantTx

Result = TypeVar("Result")

# A server that was killed is back within a second or two; whoever waits for an answer waits that long too.
_PAUSES_S = (0.1, 0.3, 0.6, 1.0, 2.0, 4.0)


async def persist(db: Database, tenant_id: UUID, act: Callable[[TenantTx], Awaitable[Result]]) -> Result:
    """Do `act` in a transaction of the tenant, again while the database is away. It must be one that may be repeated
    when nobody knows whether it was committed. Raises DatabaseUnavailable after 8 s."""
    for pause in _PAUSES_S:
        try:
            async with db.tenant(tenant_id) as tx:
                return await act(tx)
        except DatabaseUnavailable:
            await asyncio.sleep(pause)
    async with db.tenant(tenant_id) as tx:
        return await act(tx)
