"""What a process does for calendars in the background."""

import asyncio
from collections.abc import Mapping
from functools import partial
from uuid import UUID

import structlog

from tenantry.calendars.choosing import ADOPT, Choosing
from tenantry.calendars.invitations import INVITE, Invitations
from tenantry.calendars.settle import Settler
from tenantry.calendars.settling import REMOVE, SETTLE
from tenantry.calendars.sync import Syncer
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken, MailRefused, MailUnavailable
from tenantry.storage import jobs
from tenantry.storage.jobs import Handler, Later
from tenantry.storage.repositories import outbox, remote_calendars
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

_LOOK_S = 1.0
_SWEEP_S = 60.0
_AT_ONCE = 8
_BATCH = 200


def calendar_jobs(settler: Settler, choosing: Choosing, invitations: Invitations) -> Mapping[str, Handler]:
    """The jobs of calendars by name."""
    return {
        SETTLE: settler.settle,
        REMOVE: settler.remove,
        ADOPT: choosing.adopt,
        INVITE: partial(_invite, invitations),
    }


async def _invite(invitations: Invitations, tenant_id: UUID, booking_id: UUID) -> None:
    try:
        await invitations.send(tenant_id, booking_id)
    except MailUnavailable as away:
        raise Later(away.code, away.retry_after) from away
    except MailRefused as refused:
        log.warning("invitation refused", tenant_id=str(tenant_id), booking_id=str(booking_id), code=refused.code)


async def watch_calendars(db: Database, syncer: Syncer) -> None:
    """Look for changes at providers until cancelled, several calendars at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)
    while True:
        try:
            async with db.operator() as tx:
                due = await remote_calendars.due(tx, _BATCH)
            await asyncio.gather(*(_sync(syncer, gate, tenant_id, calendar_id) for tenant_id, calendar_id in due))
        except Exception:
            # It must outlive a database that is away.
            log.warning("calendars not looked at, tried again soon", exc_info=True)
        await asyncio.sleep(_LOOK_S)


async def _sync(syncer: Syncer, gate: asyncio.Semaphore, tenant_id: UUID, calendar_id: UUID) -> None:
    async with gate:
        try:
            await syncer.sync(tenant_id, calendar_id)
        except (CalendarUnavailable, ConnectionBroken, CalendarRefused) as error:
            of = {"tenant_id": str(tenant_id), "remote_calendar_id": str(calendar_id)}
            log.warning("calendar not synced", code=error.code, **of)


async def sweep_unsettled(db: Database) -> None:
    """Give a job to every booking that has none and needs one, until cancelled: whatever became of its job."""
    while True:
        try:
            async with db.operator() as tx:
                left = await outbox.left_over(tx, SETTLE, _BATCH)
            for tenant_id, booking_id in left:
                async with db.tenant(tenant_id) as tx:
                    await jobs.enqueue(tx, SETTLE, booking_id)
            if left:
                log.warning("bookings had no job", bookings=len(left))
        except Exception:
            log.warning("unsettled bookings not looked for, tried again in a minute", exc_info=True)
        await asyncio.sleep(_SWEEP_S)
