"""Access tokens that are renewed before they end, by one process at a time.

A lease in the database says who asks the provider for new tokens. It lasts longer than the request may take; whoever
takes it reads the connection again first, and what comes back counts only when the version is still the one that was
read. While a token still works nobody waits.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from tenantry.credentials.connections import ConnectionKeeper, ConnectionKey, OAuthSecret
from tenantry.credentials.oauth import GrantRefused, OAuth, OAuthName
from tenantry.domain.errors import (
    CalendarUnavailable,
    ConnectionBroken,
    DatabaseUnavailable,
    ProviderNotSetUp,
    SealedValueUnreadable,
)
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import connections
from tenantry.storage.repositories.connections import Margins, StoredConnection, Tokens
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

_FIRST_LOOK_S = 0.05
_LONGEST_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class RefreshTimes:
    """Seconds. A token is renewed `early_s` before its end and counts as ended `least_s` before; `pause_s` is between
    two tries that fail while it still works; `lease_s` is longer than a request to the provider may take."""

    early_s: float = 300
    least_s: float = 10
    pause_s: float = 30
    lease_s: float = 30

    def margins(self) -> Margins:
        """What the database needs of them."""
        return Margins(
            early=timedelta(seconds=self.early_s),
            least=timedelta(seconds=self.least_s),
            pause=timedelta(seconds=self.pause_s),
        )


class TokenRefresh:
    """The connections of all owners, with tokens that work. What many ask for at once in this process is asked once."""

    def __init__(self, db: Database, keeper: ConnectionKeeper, oauth: OAuth, times: RefreshTimes) -> None:
        """Raises ValueError when the lease may end before the request that it is for."""
        if times.lease_s <= oauth.deadline_s:
            raise ValueError("the lease must be longer than the deadline of a request")
        self._db = db
        self._keeper = keeper
        self._oauth = oauth
        self._times = times
        self._margins = times.margins()
        self._early: dict[ConnectionKey, asyncio.Task[None]] = {}
        self._waits: dict[tuple[ConnectionKey, int | None], asyncio.Task[StoredConnection]] = {}

    async def close(self) -> None:
        """End what is running; a lease that is held ends by itself."""
        tasks: list[asyncio.Task[Any]] = [*self._early.values(), *self._waits.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def current(self, key: ConnectionKey, *, refused: int | None = None) -> StoredConnection:
        """The connection with a token that works, and of another version than the one that the provider refused.

        Raises ConnectionBroken, and CalendarUnavailable when there is none for now.
        """
        stored = await self.read(key)
        if _works(stored, refused):
            if stored.due and not stored.leased:
                self._renew_early(key, stored)
            return stored
        wait = self._waits.get((key, refused))
        if wait is None:
            wait = self._waits[key, refused] = asyncio.create_task(self._wait(key, refused, stored.read_at))
            wait.add_done_callback(lambda _: self._waits.pop((key, refused), None))
        # Who gives up must not take the token away from the others.
        return await asyncio.shield(wait)

    async def read(self, key: ConnectionKey) -> StoredConnection:
        """The connection as it is. Raises ConnectionBroken when there is none, or its owner has to sign in again."""
        async with self._db.tenant(key.tenant_id) as tx:
            stored = await connections.read(tx, key.owner_member_id, key.provider, self._margins)
        if stored is None:
            raise ConnectionBroken(f"There is no connection to {key.provider}; its owner has to connect it.")
        if stored.broken:
            raise ConnectionBroken(stored.reason or None)
        return stored

    async def _wait(self, key: ConnectionKey, refused: int | None, began: datetime) -> StoredConnection:
        """Renew the token, or wait for who is at it."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._times.lease_s + self._oauth.deadline_s
        look_s = _FIRST_LOOK_S
        while True:
            stored = await self.read(key)
            if _works(stored, refused):
                return stored
            if stored.failed_at is not None and stored.failed_at > began:
                # Who waited would but fail as well; the next request tries anew.
                raise CalendarUnavailable(stored.reason, retry_after=1)
            if not stored.leased and await self._renew(key, stored):
                continue
            if loop.time() > ends:
                raise CalendarUnavailable("The sign-in of the provider takes too long; try again.", retry_after=1)
            await asyncio.sleep(look_s)
            look_s = min(2 * look_s, _LONGEST_LOOK_S)

    def _renew_early(self, key: ConnectionKey, stored: StoredConnection) -> None:
        if key not in self._early:
            task = self._early[key] = asyncio.create_task(self._try_renewing(key, stored))
            task.add_done_callback(lambda _: self._early.pop(key, None))

    async def _try_renewing(self, key: ConnectionKey, stored: StoredConnection) -> None:
        try:
            await self._renew(key, stored)
        except (CalendarUnavailable, DatabaseUnavailable) as error:
            log.warning("token not renewed", connection_id=str(stored.id), reason=error.detail)

    async def _renew(self, key: ConnectionKey, stored: StoredConnection) -> bool:
        """Have the tokens of this version renewed; False when somebody else is at it. Whether it worked, or the
        provider does not accept the sign-in any more, the connection says then. Raises CalendarUnavailable for what may
        pass."""
        holder = new_id()
        async with self._db.tenant(key.tenant_id) as tx:
            lease = timedelta(seconds=self._times.lease_s)
            if not await connections.take_lease(tx, stored.id, stored.version, holder, lease):
                return False
        try:
            tokens = await self._ask(key, stored)
        except GrantRefused as error:
            async with self._db.tenant(key.tenant_id) as tx:
                broken = await connections.set_broken(tx, stored.id, stored.version, error.health, error.reason)
            if broken:
                log.warning("connection broken", connection_id=str(stored.id), health=str(error.health))
            return True
        except CalendarUnavailable as error:
            async with self._db.tenant(key.tenant_id) as tx:
                await connections.give_lease_back(tx, stored.id, holder, error.detail)
            raise
        async with self._db.tenant(key.tenant_id) as tx:
            await connections.renewed(tx, stored.id, stored.version, tokens)
        return True

    async def _ask(self, key: ConnectionKey, stored: StoredConnection) -> Tokens:
        try:
            before = self._keeper.open_tokens(key, stored.id, stored.sealed)
            # CalDAV has no tokens, thus none that end.
            grant = await self._oauth.refresh(cast(OAuthName, key.provider), before.refresh_token)
        except (SealedValueUnreadable, ProviderNotSetUp) as error:
            log.error("token cannot be renewed", connection_id=str(stored.id), reason=error.code)
            raise CalendarUnavailable(error.detail) from error
        # A provider that gives no other refresh token goes on with the one it gave.
        secret = OAuthSecret(grant.access_token, grant.refresh_token or before.refresh_token)
        sealed = self._keeper.seal(key, stored.id, secret)
        return Tokens(sealed, grant.scopes, stored.read_at, grant.expires_in, grant.refresh_expires_in)


def _works(stored: StoredConnection, refused: int | None) -> bool:
    return stored.usable and stored.version != refused
