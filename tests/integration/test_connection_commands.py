"""`tenantry connection`: a consent that comes back to the command itself."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tenantry.cli.agents.session import KEY, Where
from tenantry.cli.connections import connect
from tenantry.client import ApiError, TenantryClient
from tenantry.domain.errors import InvalidInput
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind
from tests.conftest import TenantForTest
from tests.integration.connecting import serving_with
from tests.token_server import token_server


async def test_a_consent_in_the_browser_of_this_machine_connects_a_member(
    runtime: Runtime, tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(KEY, tenant.key)
    async with (
        token_server() as provider,
        serving_with(runtime, provider) as url,
        TenantryClient.open(url, tenant.key) as client,
        aiohttp.ClientSession() as browser,
    ):
        running = asyncio.create_task(connect(Where(None, url, None), f"mark@{tenant.slug}.example", "google"))
        printed = ""
        while (asked := re.search(r"http://\S+/authorize\?\S+", printed)) is None:
            assert not running.done() or running.result() is None
            await asyncio.sleep(0.01)
            printed += capsys.readouterr().out
        redirect_uri = parse_qs(urlsplit(asked[0]).query)["redirect_uri"][0]
        # Something else that finds the port first does not end it.
        async with browser.get(redirect_uri) as answer:
            assert answer.status == 200
        async with browser.get(redirect_uri, params=provider.consent(asked[0])) as answer:
            assert "closed" in await answer.text()
        await running
        assert "google is connected" in capsys.readouterr().out
        (connection,) = [each async for each in client.connections.list()]
        assert (connection.owner_member_id, connection.account) == (tenant.members["mark"], "ada@google.example")
        gone = await client.connections.disconnect("google", owner_member_id=tenant.members["mark"])
        assert gone.revoked
        made = await client.connections.connect_caldav("https://dav.example/", "ada", "a password")
        assert (made.provider, made.owner_member_id) == ("caldav", None)
        with pytest.raises(ApiError, match="connection"):
            await client.connections.disconnect("microsoft")


async def test_a_port_that_is_in_use_is_told(tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, tenant.key)
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"port {port}; give another"):
            await connect(Where(None, "http://127.0.0.1:9", None), None, "google", port)
