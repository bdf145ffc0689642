"""A client of the real server, and servers of PostgreSQL that nothing is in yet."""

from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tenantry.domain.ids import new_id
from tenantry.engine import recovery
from tenantry.engine.turn import Engine
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.embedded import EmbeddedServer
from tests.conftest import copied_home, new_home
from tests.integration.caldav_member import Member
from tests.integration.whole_database import superuser
from tests.radicale_server import RadicaleServer, radicale_server

Answer = tuple[int, Any]
Call = Callable[..., Awaitable[Answer]]
Analyze = Callable[..., Awaitable[None]]
SUPERUSER_PASSWORD = "it's a secret"


@pytest.fixture(scope="session")
async def initialised() -> AsyncIterator[Path]:
    """A home whose embedded server has been started once; only to be copied."""
    with new_home() as made:
        server = EmbeddedServer(made, SUPERUSER_PASSWORD)
        try:
            await server.start()
        finally:
            await server.stop()
        yield made


@pytest.fixture
def made_home(home: Path, initialised: Path) -> Path:
    """The test's own home whose embedded server has been started once, with `SUPERUSER_PASSWORD`."""
    return copied_home(initialised, home)


@pytest.fixture
async def call(url: str) -> AsyncIterator[Call]:
    """Calls the server: `await call(key, "GET", "/path", json=…)` gives the status and the decoded body."""
    async with aiohttp.ClientSession(url) as session:

        async def call_(key: str | None, method: str, path: str, **arguments: Any) -> Answer:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            async with session.request(method, path, headers=headers, **arguments) as response:
                body = await response.json(content_type=None) if response.status != 204 else None
                if response.status >= 400:
                    assert response.content_type == "application/problem+json"
                    assert body["status"] == response.status
                    assert body["code"]
                    assert isinstance(body["retryable"], bool)
                return response.status, body

        yield call_


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of this process takes up abandoned turns by itself: the test says who does, and when."""

    async def take_up(_: Engine, *, sole: bool) -> int:
        return 0

    monkeypatch.setattr(recovery, "take_up", take_up)


@pytest.fixture
def analyze(session_home: Path) -> Analyze:
    """Does what autovacuum does within a minute of many new rows: `await analyze("contacts", "conversations")`."""

    async def analyze_(*tables: str) -> None:
        connection = await superuser(session_home)
        try:
            await connection.execute(f"ANALYZE {', '.join(tables)}")
        finally:
            await connection.close()

    return analyze_


@pytest.fixture(scope="session")
async def radicale() -> AsyncIterator[RadicaleServer]:
    """A real CalDAV server."""
    async with radicale_server() as server:
        yield server


@pytest.fixture
async def member(radicale: RadicaleServer) -> AsyncIterator[Member]:
    """A fresh account with one calendar on it."""
    user = f"m-{new_id().hex}"
    radicale.add_user(user)
    radicale.faults.clear()
    radicale.requests.clear()
    # A user's place is made when they sign in for the first time.
    await radicale.ask(user, "PROPFIND", f"/{user}/")
    http = OutboundHttp(NetworkPolicy((ip_network("127.0.0.0/8"),)))
    yield Member(radicale, http, user, await radicale.make_calendar(user, "work"))
    await http.close()
