"""Archiving and deleting what was not used for as long as a tenant has set, in small steps that may be cut off."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from tenantry.domain.lifecycle import Retention, TenantRetention
from tenantry.lifecycle.erasure import erase
from tenantry.storage.repositories import agents, audit, erasure, lifecycle, retention
from tenantry.storage.tenancy import Database, TenantTx

log = structlog.get_logger()

EVERY_S = 3600.0
_FIRST_AFTER_S = 60.0
_LOOK_AT = 1000
# A contact goes with all its rows: few at once, so that none of them is held for long.
_DELETE = 50
_BY = "system:retention"


@dataclass(frozen=True, slots=True)
class Swept:
    """How many contacts and agents of a tenant were archived and deleted, or in a dry run would be."""

    contacts_archived: int = 0
    contacts_deleted: int = 0
    agents_archived: int = 0
    agents_deleted: int = 0


async def sweep_for_ever(db: Database) -> None:
    """Sweep every hour until cancelled. Several processes may: no two clean a tenant at the same time, and what one has
    done the next does not find."""
    await asyncio.sleep(_FIRST_AFTER_S)
    while True:
        try:
            for tenant_id, swept in (await sweep(db)).items():
                if swept != Swept():
                    log.info("swept what was not in use", tenant_id=str(tenant_id), counts=swept)
        except Exception:
            # It must outlive a database that is away and rows that cannot be removed.
            log.warning("sweep failed, tried again in an hour", exc_info=True)
        await asyncio.sleep(EVERY_S)


async def sweep(
    db: Database, only: UUID | None = None, *, dry_run: bool = False, now: datetime | None = None
) -> dict[UUID, Swept]:
    """Archive and delete what is due by `now`, for every tenant that has set a time, or for one; by tenant. A tenant
    that another process is cleaning is left to that one."""
    async with db.operator() as tx:
        kept_for = await retention.of_tenants(tx, only)
    at = now or datetime.now(UTC)
    one = _due if dry_run else _sweep_tenant
    return {tenant_id: await one(db, tenant_id, of, at) for tenant_id, of in kept_for.items()}


async def _due(db: Database, tenant_id: UUID, kept_for: TenantRetention, now: datetime) -> Swept:
    async with db.tenant(tenant_id) as tx:
        contacts = await _counts(tx, kept_for.contacts, now, lifecycle.count_unused_contacts)
        agents_ = await _counts(tx, kept_for.agents, now, lifecycle.count_unused_agents)
    return Swept(*contacts, *agents_)


async def _counts(tx: TenantTx, of: Retention, now: datetime, count: Callable[..., Awaitable[int]]) -> tuple[int, int]:
    """How many would be archived, and how many deleted: also those that would be archived just before."""
    archive, delete = _before(now, of.archive_after_days), _before(now, of.delete_after_days)
    archived = await count(tx, archive, archived=False) if archive else 0
    return archived, await count(tx, delete, archived=None) if delete else 0


async def _sweep_tenant(db: Database, tenant_id: UUID, kept_for: TenantRetention, now: datetime) -> Swept:
    swept = Swept()
    if (since := _before(now, kept_for.contacts.archive_after_days)) is not None:
        swept = replace(swept, contacts_archived=await _all(db, tenant_id, _archive_contacts, since))
    if (since := _before(now, kept_for.contacts.delete_after_days)) is not None:
        swept = replace(swept, contacts_deleted=await _all(db, tenant_id, _delete_contacts, since))
    if (since := _before(now, kept_for.agents.archive_after_days)) is not None:
        swept = replace(swept, agents_archived=await _all(db, tenant_id, _archive_agents, since))
    if (since := _before(now, kept_for.agents.delete_after_days)) is not None:
        swept = replace(swept, agents_deleted=await _all(db, tenant_id, _delete_agents, since))
    return swept


def _before(now: datetime, days: int | None) -> datetime | None:
    return now - timedelta(days=days) if days is not None else None


# One step: how many were done, and whether there may be more.
_Step = Callable[[TenantTx, datetime], Awaitable[tuple[int, bool]]]


async def _all(db: Database, tenant_id: UUID, step: _Step, since: datetime) -> int:
    """Do the step, each time in a transaction of its own, until nothing is left; how many were done."""
    done, more = 0, True
    while more:
        async with db.tenant(tenant_id) as tx:
            if not await lifecycle.hold_cleaning(tx):
                break
            count, more = await step(tx, since)
            done += count
    return done


async def _archive_contacts(tx: TenantTx, since: datetime) -> tuple[int, bool]:
    looked_at, archived = await lifecycle.archive_contacts(tx, since, _LOOK_AT)
    await _record(tx, "contacts.archived", archived)
    return archived, looked_at == _LOOK_AT


async def _archive_agents(tx: TenantTx, since: datetime) -> tuple[int, bool]:
    looked_at, archived = await lifecycle.archive_agents(tx, since, _LOOK_AT)
    await _record(tx, "agents.archived", archived)
    return archived, looked_at == _LOOK_AT


async def _record(tx: TenantTx, action: str, count: int) -> None:
    if count:
        await audit.record(tx, actor=_BY, action=action, target=f"tenant:{tx.tenant_id}", details={"count": count})


async def _delete_contacts(tx: TenantTx, since: datetime) -> tuple[int, bool]:
    found = await lifecycle.contacts_to_delete(tx, since, _DELETE)
    steps = await erasure.removals(tx) if found else ()
    deleted = 0
    for contact_id in found:
        await erasure.lock(tx, contact_id)
        if await lifecycle.still_unused(tx, contact_id, since):
            deleted += await erase(tx, contact_id, _BY, steps) is not None
    return deleted, len(found) == _DELETE


async def _delete_agents(tx: TenantTx, since: datetime) -> tuple[int, bool]:
    found = await lifecycle.agents_to_delete(tx, since, _DELETE)
    for agent_id in found:
        await agents.delete(tx, agent_id)
        await audit.record(tx, actor=_BY, action="agent.deleted", target=f"agent:{agent_id}")
    return len(found), len(found) == _DELETE
