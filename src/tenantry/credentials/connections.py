"""What members signed in to, sealed on the way in and opened for requests to their provider alone."""

import base64
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from tenantry.credentials.oauth import Grant
from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.connection import Access, Connection, ProviderName
from tenantry.domain.errors import ConnectionBroken, NotFound
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import connections
from tenantry.storage.repositories.connections import StoredConnection, Tokens
from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class ConnectionKey:
    """The one way to name a connection: whose it is (no member: the tenant's), and of which provider."""

    tenant_id: UUID
    owner_member_id: UUID | None
    provider: ProviderName

    def binding(self, connection_id: UUID) -> Binding:
        """Where its credential can be opened."""
        return Binding(self.tenant_id, self.owner_member_id, "connection", connection_id)


@dataclass(frozen=True, slots=True)
class OAuthSecret:
    """The tokens of a connection."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    def authorization(self) -> str:
        """The value of the header (RFC 6750)."""
        return f"Bearer {self.access_token}"


@dataclass(frozen=True, slots=True)
class BasicSecret:
    """A CalDAV server and who signs in there."""

    url: str
    username: str
    password: str = field(repr=False)

    def authorization(self) -> str:
        """The value of the header (RFC 7617)."""
        return f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


class GivenCredentials:
    """A credential that is tried before it is kept; nothing renews it."""

    def __init__(self, secret: OAuthSecret | BasicSecret) -> None:
        self._access = Access(secret.authorization(), 0)

    async def access(self) -> Access:
        """The credential as it was given."""
        return self._access

    async def renew(self, refused: Access) -> Access:
        """Raises ConnectionBroken, as there is no other."""
        raise ConnectionBroken("The provider does not accept what was given; check it and connect again.")

    async def broken(self, reason: str, *, revoked: bool = False) -> None:
        """Nothing, as nothing is kept yet."""


class ConnectionKeeper:
    """Writes connections, and opens their credentials."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def keep(
        self,
        tx: TenantTx,
        key: ConnectionKey,
        secret: OAuthSecret | BasicSecret,
        *,
        account: str,
        grant: Grant | None = None,
    ) -> Connection:
        """Keep a credential in the place of the owner's one for the provider; `grant` is what it came with. Raises
        InvalidInput when the owner is no member of the tenant."""
        there = await connections.lock_id(tx, key.owner_member_id, key.provider)
        connection_id = there or new_id()
        tokens = Tokens(
            self.seal(key, connection_id, secret),
            scopes=grant.scopes if grant else None,
            expires_in=grant.expires_in if grant else None,
            refresh_expires_in=grant.refresh_expires_in if grant else None,
        )
        return await connections.keep(
            tx, connection_id, key.owner_member_id, key.provider, account=account, tokens=tokens
        )

    async def remove(self, tx: TenantTx, key: ConnectionKey) -> tuple[UUID, bytes]:
        """Remove the owner's connection to the provider; its id, and what `open_tokens` opens. Raises NotFound."""
        connection_id = await connections.lock_id(tx, key.owner_member_id, key.provider)
        sealed = await connections.delete(tx, connection_id) if connection_id else None
        if connection_id is None or sealed is None:
            raise NotFound(f"There is no connection to {key.provider}; GET /api/v1/connections lists those there are.")
        return connection_id, sealed

    def seal(self, key: ConnectionKey, connection_id: UUID, secret: OAuthSecret | BasicSecret) -> bytes:
        """The credential as it is kept."""
        return self._vault.seal(key.binding(connection_id), msgspec.json.encode(secret))

    def open_tokens(self, key: ConnectionKey, connection_id: UUID, sealed: bytes) -> OAuthSecret:
        """The tokens of a connection by OAuth. Raises SealedValueUnreadable."""
        return msgspec.json.decode(self._vault.open(key.binding(connection_id), sealed), type=OAuthSecret)

    def open_basic(self, key: ConnectionKey, stored: StoredConnection) -> BasicSecret:
        """The credential of a CalDAV connection. Raises SealedValueUnreadable."""
        return msgspec.json.decode(self._vault.open(key.binding(stored.id), stored.sealed), type=BasicSecret)
