"""Tenants' rules of routing, kept for as long as they are in use."""

import time
from uuid import UUID

from cachetools import TTLCache

from tenantry.domain.routing import RuleSet
from tenantry.domain.tenant import Tenant
from tenantry.storage.repositories import routing
from tenantry.storage.tenancy import TenantTx

_MOST = 500
_SECONDS = 60.0


class RuleSets:
    """The rules that a process used in the last minute, of 500 tenants at most. They are kept under the tenant's
    settings stamp, which every change of them raises and which is read with every request: the next message sees a
    change on every node."""

    def __init__(self) -> None:
        self._kept: TTLCache[tuple[UUID, int], RuleSet, float] = TTLCache(_MOST, _SECONDS, time.monotonic)

    async def of(self, tx: TenantTx, tenant: Tenant) -> RuleSet:
        """The tenant's rules."""
        key = (tenant.id, tenant.settings_stamp)
        rules = self._kept.get(key)
        if rules is None:
            rules = self._kept[key] = (await routing.get(tx)).rules
        return rules
