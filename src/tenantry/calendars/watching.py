"""Having providers tell of changes in calendars, so that they need not be waited for.

The poll goes on beside it, and looks after the subscription each time: it is made once something is booked in the
calendar, renewed long before it ends, and ended when nothing is booked any more. What a process that is killed leaves
at the provider ends there by itself, and its calls are of an unknown ticket until then.
"""

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from tenantry.auth.tenant_secrets import hash_secret, make_secret
from tenantry.calendars.base import Watchable, WebHook
from tenantry.calendars.remote import RemoteSides
from tenantry.domain.calendar import RemoteCalendar, Watch
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tenantry.storage.repositories import calendar_watches, remote_calendars
from tenantry.storage.repositories.calendar_watches import KeptWatch
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

PATH = "/calendar/webhooks"
# Short, as nothing but a renewal tells that a provider has lost one.
LASTS = timedelta(days=1)
# Longer than all requests of one renewal together may take.
_AGAIN_AFTER = timedelta(minutes=10)
_END_S = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TROUBLES = (CalendarUnavailable, CalendarRefused, ConnectionBroken)


@dataclass(frozen=True, slots=True)
class Watching:
    """Looks after the subscriptions of all tenants. `public_url` is where providers reach this installation."""

    db: Database
    sides: RemoteSides
    public_url: str

    async def keep(self, calendar: RemoteCalendar) -> None:
        """Have the calendar's provider tell of changes in it, where it can. What goes wrong is tried again later: the
        poll stands in meanwhile."""
        try:
            provider = await self.sides.provider(calendar)
            if isinstance(provider, Watchable):
                await self._keep(calendar, provider)
        except _TROUBLES as error:
            log.warning("calendar not watched", code=error.code, **_named(calendar))

    async def _keep(self, calendar: RemoteCalendar, provider: Watchable) -> None:
        async with self.db.tenant(calendar.tenant_id) as tx:
            kept = await calendar_watches.claim(tx, calendar.id, _AGAIN_AFTER)
        if kept is None or await self._renewed(calendar, provider, kept):
            return
        ticket, secret = make_secret(calendar.tenant_id), secrets.token_urlsafe(32)
        # Before the provider is asked, which calls back while it is.
        async with self.db.tenant(calendar.tenant_id) as tx:
            await calendar_watches.begin(tx, calendar.id, hash_secret(ticket), hash_secret(secret))
        hook = WebHook(f"{self.public_url}{PATH}/{calendar.provider}/{ticket}", secret)
        watch = await provider.watch(calendar.remote_id, hook, _until())
        async with self.db.tenant(calendar.tenant_id) as tx:
            still = await calendar_watches.keep(tx, calendar.id, hash_secret(ticket), watch)
        for over in (kept.watch, None if still else watch):
            if over is not None:
                await self._unwatch(calendar, over)

    async def _renewed(self, calendar: RemoteCalendar, provider: Watchable, kept: KeptWatch) -> bool:
        renewed = await provider.renew(kept.watch, _until()) if kept.watch else None
        if renewed is None:
            return False
        async with self.db.tenant(calendar.tenant_id) as tx:
            await calendar_watches.keep(tx, calendar.id, kept.ticket_hash, renewed)
        return True

    async def end(self, calendar: RemoteCalendar) -> None:
        """Have the provider tell nothing of the calendar any more; where it cannot be told so, nobody listens."""
        async with self.db.tenant(calendar.tenant_id) as tx:
            watch = await calendar_watches.drop(tx, calendar.id)
        if watch is not None:
            await self._unwatch(calendar, watch)

    async def end_all(self, tenant_id: UUID, connection_id: UUID) -> None:
        """As `end`, for all calendars of a connection that is about to be removed."""
        async with self.db.tenant(tenant_id) as tx:
            found = await remote_calendars.of_connection(tx, connection_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await asyncio.gather(*(self.end(calendar) for calendar in found))

    async def _unwatch(self, calendar: RemoteCalendar, watch: Watch) -> None:
        try:
            provider = await self.sides.provider(calendar)
            if isinstance(provider, Watchable):
                await provider.unwatch(watch)
        except _TROUBLES as error:
            log.warning("watch left to end by itself", code=error.code, **_named(calendar))


def watching_at(public_url: str | None, db: Database, sides: RemoteSides) -> Watching | None:
    """What looks after subscriptions; None where providers would not call: they take https alone, and http is for this
    machine itself."""
    parts = urlsplit(public_url or "")
    near = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return Watching(db, sides, public_url) if public_url and (near or parts.scheme == "https") else None


def _until() -> datetime:
    return datetime.now(UTC) + LASTS


def _named(calendar: RemoteCalendar) -> dict[str, str]:
    return {"tenant_id": str(calendar.tenant_id), "remote_calendar_id": str(calendar.id)}
