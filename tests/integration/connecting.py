"""Connections to a token server of the test, for the tests of tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import uvicorn

from tenantry.credentials.connection_store import ConnectionCredentials, ConnectionStore
from tenantry.credentials.connections import ConnectionKeeper, ConnectionKey, GivenCredentials, OAuthSecret
from tenantry.credentials.consents import Connecting
from tenantry.credentials.oauth import Grant, OAuth
from tenantry.credentials.token_refresh import RefreshTimes
from tenantry.credentials.vault import Vault
from tenantry.domain.connection import Connection, ProviderName
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.server.app import create_app
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind
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
    db: Database,
    vault: Vault,
    key: ConnectionKey,
    server: TokenServer,
    times: RefreshTimes = TIMES,
    deadline_s: float = DEADLINE_S,
) -> Signed:
    """The owner's connection, there or not, as another process has it."""
    outbound, keeper = OutboundHttp(LOOPBACK), ConnectionKeeper(vault)
    oauth = OAuth(server.settings(), outbound, deadline_s=deadline_s)
    return Signed(db, key, ConnectionStore(db, keeper, oauth, times), keeper, outbound)


async def sign_in(signed: Signed, server: TokenServer, expires_in_s: float = 3600) -> None:
    """Connect the owner anew."""
    grant = Grant("access-first", server.give(), ("Calendars.ReadWrite",), timedelta(seconds=expires_in_s), None)
    assert grant.refresh_token
    secret = OAuthSecret(grant.access_token, grant.refresh_token)
    async with signed.db.tenant(signed.key.tenant_id) as tx:
        await signed.keeper.keep(tx, signed.key, secret, account="ada@example.com", grant=grant)


@asynccontextmanager
async def serving_with(runtime: Runtime, server: TokenServer, **settings: Any) -> AsyncIterator[str]:
    """The same installation over real HTTP, registered at the token server, with these settings besides."""
    calendars = server.settings()
    vault, outbound = runtime.resources.vault, OutboundHttp(LOOPBACK)
    keeper, oauth = ConnectionKeeper(vault), OAuth(calendars, outbound, deadline_s=DEADLINE_S)
    resources = replace(
        runtime.resources,
        connections=ConnectionStore(runtime.db, keeper, oauth, TIMES),
        connecting=Connecting(vault, keeper, oauth, account_of),
    )
    beside = replace(runtime, resources=resources, settings=replace(runtime.settings, calendars=calendars, **settings))
    bound = bind("127.0.0.1", 0)
    http = uvicorn.Server(uvicorn.Config(create_app(beside), log_config=None, access_log=False, lifespan="off"))
    # What is running in the engine is the session's.
    http.capture_signals = nullcontext  # pyright: ignore[reportAttributeAccessIssue]
    task = asyncio.create_task(http.serve(sockets=[bound]))
    try:
        while not http.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        http.should_exit = True
        await task
        await outbound.close()


async def account_of(provider: ProviderName, credentials: GivenCredentials, server: str) -> str:
    """What a provider says of a credential; the server `broken` takes none."""
    access = await credentials.access()
    if server.endswith("/broken"):
        await credentials.renew(access)
    return f"ada@{provider}.example"
