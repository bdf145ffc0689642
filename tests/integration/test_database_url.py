"""An existing PostgreSQL in place of the embedded one, and a database that goes away."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tenantry.cli.demo.seed import seed
from tenantry.domain.errors import ConfigurationError
from tenantry.server.runtime import open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import DatabaseSettings, Settings
from tenantry.storage.address import ServerAddress
from tenantry.storage.embedded import EmbeddedServer


@pytest.fixture
async def server(home: Path) -> AsyncIterator[tuple[EmbeddedServer, ServerAddress]]:
    """A PostgreSQL that somebody else runs, with an empty database `acme`."""
    running = EmbeddedServer(home.with_name("elsewhere"), "secret / of & somebody else")
    address = await running.start()
    connection = await address.connect()
    await connection.execute('CREATE DATABASE "acme"')
    await connection.close()
    yield running, address
    await running.stop()


def _settings(home: Path, address: ServerAddress) -> Settings:
    url = address.url().replace(f"/{address.database}?", "/acme?")
    return Settings(home=home, database=DatabaseSettings(url=url, acquire_timeout_s=1))


async def test_an_installation_on_somebody_elses_server(
    home: Path, server: tuple[EmbeddedServer, ServerAddress]
) -> None:
    for again in (False, True):
        async with open_runtime(_settings(home, server[1])) as runtime:
            assert not runtime.engine.sole
            if not again:
                keys = await seed(runtime.db)
            async with serving(runtime, bind("127.0.0.1", 0)) as url:
                headers = {"Authorization": f"Bearer {keys.tenant}"}
                async with (
                    aiohttp.ClientSession(url, headers=headers) as session,
                    session.post("/api/agent/reply", json={"message": "hello"}) as response,
                ):
                    assert response.status == 200
    assert not (home / "postgres").exists()


async def test_a_database_that_is_away_is_a_503_and_comes_back(
    home: Path, server: tuple[EmbeddedServer, ServerAddress]
) -> None:
    running, address = server
    async with open_runtime(_settings(home, address)) as runtime, serving(runtime, bind("127.0.0.1", 0)) as url:
        keys = await seed(runtime.db)
        headers = {"Authorization": f"Bearer {keys.tenant}"}
        async with aiohttp.ClientSession(url, headers=headers) as session:

            async def status(path: str) -> int:
                async with session.get(path) as response:
                    if response.status == 503:
                        body = await response.json(content_type="application/problem+json")
                        assert (body["code"], body["retryable"]) == ("database_unavailable", True)
                        assert int(response.headers["Retry-After"]) >= 1
                    return response.status

            assert await status("/readyz") == await status("/api/v1/agents") == 200
            await running.stop()
            assert await status("/readyz") == await status("/api/v1/agents") == 503
            assert await status("/healthz") == 200
            await running.start()
            assert await status("/readyz") == await status("/api/v1/agents") == 200


async def test_an_address_that_cannot_be_used_is_told_without_its_password(home: Path) -> None:
    settings = Settings(home=home, database=DatabaseSettings(url="mysql://root:hush@db/acme"))
    with pytest.raises(ConfigurationError) as told:
        async with open_runtime(settings):
            pass
    assert "hush" not in told.value.detail
