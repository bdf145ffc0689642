"""The turns that this process works on, and how other processes know it."""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import structlog

from tenantry.domain.conversation import StopReason, Turn
from tenantry.domain.errors import DatabaseUnavailable
from tenantry.storage.repositories import turns
from tenantry.storage.repositories.tool_calls import LeaseLost
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

RENEW_S = turns.LEASE_S / 4


class Leases:
    """Keeps the leases of running and waiting turns alive; most turns end before they need it."""

    def __init__(self, db: Database, lease_id: UUID) -> None:
        self.id = lease_id
        self._db = db
        self._held: dict[tuple[UUID, UUID], float] = {}

    @contextmanager
    def hold(self, turn: Turn) -> Generator[None]:
        """While inside, the turn is being worked on here."""
        self._held[turn.tenant_id, turn.id] = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            del self._held[turn.tenant_id, turn.id]

    @contextmanager
    def renewing(self, tenant_id: UUID, turn_id: UUID) -> Generator[None]:
        """Inside, the turn's lease is renewed in the database; it counts from the begin."""
        began = asyncio.get_running_loop().time()
        yield
        self._renewed((tenant_id, turn_id), began)

    def check(self, turn: Turn) -> None:
        """Before an effect. Raises LeaseLost when the lease may have run out: while the process or its database stood
        still, another process may have taken the turn."""
        renewed_at = self._held.get((turn.tenant_id, turn.id))
        if renewed_at is None or asyncio.get_running_loop().time() - renewed_at >= turns.LEASE_S:
            raise LeaseLost

    def _renewed(self, turn: tuple[UUID, UUID], at: float) -> None:
        if turn in self._held:
            self._held[turn] = at

    def count(self) -> int:
        """How many turns are being worked on or waited for here."""
        return len(self._held)

    async def renew(self, older_than_s: float = RENEW_S) -> dict[tuple[UUID, UUID], StopReason]:
        """Renew every lease that was last renewed this long ago, one statement for each tenant; which of the turns,
        by tenant and id, are to end where they stand."""
        now = asyncio.get_running_loop().time()
        due: dict[UUID, list[UUID]] = defaultdict(list)
        for (tenant_id, turn_id), renewed_at in self._held.items():
            if now - renewed_at >= older_than_s:
                due[tenant_id].append(turn_id)
        stops: dict[tuple[UUID, UUID], StopReason] = {}
        for tenant_id, turn_ids in due.items():
            try:
                async with self._db.tenant(tenant_id) as tx:
                    renewed = await turns.renew(tx, turn_ids, self.id)
            except DatabaseUnavailable:
                log.warning("leases not renewed", tenant_id=str(tenant_id), turns=len(turn_ids))
                continue
            for turn_id, stop in renewed.items():
                self._renewed((tenant_id, turn_id), now)
                if stop is not None:
                    stops[tenant_id, turn_id] = stop
        return stops
