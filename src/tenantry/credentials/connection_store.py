"""The credentials of all owners, as requests to their providers use them."""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import structlog

from tenantry.credentials.connections import ConnectionKeeper, ConnectionKey
from tenantry.credentials.oauth import OAuth
from tenantry.credentials.token_refresh import RefreshTimes, TokenRefresh
from tenantry.domain.connection import Access, Health, ProviderName
from tenantry.domain.errors import CalendarUnavailable, ConnectionBroken, SealedValueUnreadable
from tenantry.storage.repositories import connections
from tenantry.storage.repositories.connections import StoredConnection
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

_CALDAV_REFUSED = "The server does not accept the user name or password any more; connect again."


class ConnectionCredentials:
    """The credential of one owner for one provider (`calendars.base.Credentials`); made for each use."""

    def __init__(self, db: Database, keeper: ConnectionKeeper, refresh: TokenRefresh, key: ConnectionKey) -> None:
        self._db = db
        self._keeper = keeper
        self._refresh = refresh
        self._key = key
        self._given: StoredConnection | None = None

    async def access(self) -> Access:
        """What works now. Raises ConnectionBroken, and CalendarUnavailable when it cannot be renewed, or opened, for
        now."""
        return self._access(await self._refresh.current(self._key))

    async def renew(self, refused: Access) -> Access:
        """Another than the one that the provider refused. Raises ConnectionBroken when there is none, and
        CalendarUnavailable."""
        if self._key.provider != "caldav":
            return self._access(await self._refresh.current(self._key, refused=refused.version))
        stored = await self._refresh.read(self._key)
        if stored.version == refused.version:
            await self.broken(_CALDAV_REFUSED)
            raise ConnectionBroken(_CALDAV_REFUSED)
        return self._access(stored)

    async def broken(self, reason: str, *, revoked: bool = False) -> None:
        """Keep that the provider does not accept what was last given out; nothing when there is a newer one."""
        if self._given is not None:
            health = Health.REVOKED if revoked else Health.NEEDS_SIGN_IN
            async with self._db.tenant(self._key.tenant_id) as tx:
                await connections.set_broken(tx, self._given.id, self._given.version, health, reason)

    async def server(self) -> str:
        """The address of the CalDAV server. Raises ConnectionBroken and CalendarUnavailable."""
        stored = await self._refresh.read(self._key)
        with _readable(stored):
            return self._keeper.open_basic(self._key, stored).url

    def _access(self, stored: StoredConnection) -> Access:
        self._given = stored
        with _readable(stored):
            if self._key.provider == "caldav":
                secret = self._keeper.open_basic(self._key, stored)
            else:
                secret = self._keeper.open_tokens(self._key, stored.id, stored.sealed)
        return Access(secret.authorization(), stored.version)


@contextmanager
def _readable(stored: StoredConnection) -> Generator[None]:
    """That a key of the vault is missing is not the owner's fault: it passes when the operator restores it."""
    try:
        yield
    except SealedValueUnreadable as error:
        log.error("sealed value unreadable", connection_id=str(stored.id))
        raise CalendarUnavailable("The connection cannot be opened for now; the operator has to look.") from error


class ConnectionStore:
    """All connections of the installation, by their owner and provider."""

    def __init__(self, db: Database, keeper: ConnectionKeeper, oauth: OAuth, times: RefreshTimes | None = None) -> None:
        self._db = db
        self._keeper = keeper
        self._refresh = TokenRefresh(db, keeper, oauth, times or RefreshTimes())

    def of(self, tenant_id: UUID, owner_member_id: UUID | None, provider: ProviderName) -> ConnectionCredentials:
        """The credential of a member or, with no owner, of the tenant; there need not be one."""
        key = ConnectionKey(tenant_id, owner_member_id, provider)
        return ConnectionCredentials(self._db, self._keeper, self._refresh, key)

    async def close(self) -> None:
        """End the renewals that are running."""
        await self._refresh.close()
