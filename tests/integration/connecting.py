"""Connections to a token server of the test, for the tests of tokens."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from tenantry.credentials.connection_store import ConnectionCredentials, ConnectionStore
from tenantry.credentials.connections import ConnectionKeeper, ConnectionKey, OAuthSecret
from tenantry.credentials.oauth import Grant, OAuth
from tenantry.credentials.token_refresh import RefreshTimes
from tenantry.credentials.vault import Vault
from tenantry.domain.connection import Connection
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.repositories import connections
from tenantry.storage.tenancy import Database
from tests.token_server import TokenServer

LOOPBACK = NetworkPolicy((ip_network("127.0.0.0/8"),))
TIMES = RefreshTimes(early_s=300, least_s=0, pause_s=30, lease_s=1.0)
DEADLINE_S = 0.5


@dataclass(frozen=True)
class Signed:
    """An owner with a connection to the token server, as one process has it."""

    db: Database
    key: ConnectionKey
    store: ConnectionStore
    keeper: ConnectionKeeper
    outbound: OutboundHttp

    @property
    def credentials(self) -> ConnectionCredentials:
        return self.store.of(self.key.tenant_id, self.key.owner_member_id, self.key.provider)

    async def known(self) -> Connection:
        async with self.db.tenant(self.key.tenant_id) as tx:
            found = await connections.find(tx, self.key.owner_member_id, self.key.provider)
        assert found is not None
        return found

    async def set(self, assignment: str, *args: Any) -> None:
        """Bring the connection into a state, by the columns of its row."""
        async with self.db.tenant(self.key.tenant_id) as tx:
            await tx.execute(f"UPDATE connections SET {assignment} WHERE tenant_id = $1", tx.tenant_id, *args)

    async def close(self) -> None:
        await self.store.close()
        await self.outbound.close()


def in_process(
    db: Database, vault: Vault, key: ConnectionKey, server: TokenServer, times: RefreshTimes = TIMES
) -> Signed:
    """The owner's connection, there or not, as another process has it."""
    outbound, keeper = OutboundHttp(LOOPBACK), ConnectionKeeper(vault)
    oauth = OAuth(server.settings(), outbound, deadline_s=DEADLINE_S)
    return Signed(db, key, ConnectionStore(db, keeper, oauth, times), keeper, outbound)


async def sign_in(signed: Signed, server: TokenServer, expires_in_s: float = 3600) -> None:
    """Connect the owner anew."""
    grant = Grant("access-first", server.give(), ("Calendars.ReadWrite",), timedelta(seconds=expires_in_s), None)
    assert grant.refresh_token
    secret = OAuthSecret(grant.access_token, grant.refresh_token)
    async with signed.db.tenant(signed.key.tenant_id) as tx:
        await signed.keeper.keep(tx, signed.key, secret, account="ada@example.com", grant=grant)
