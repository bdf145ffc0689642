"""`tenantry calls` and `tenantry site`: on a running server, and for the operator over all tenants."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from typer.testing import CliRunner
from yarl import URL

from tenantry.cli.agents.session import KEY
from tenantry.cli.demo.seed import MARK, SITE, agent_id, call_page, seed
from tenantry.cli.local import local_server
from tenantry.cli.main import app
from tenantry.client import TenantryClient
from tenantry.domain.call import EndReason
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Tenant
from tenantry.server.runtime import Runtime
from tenantry.settings import Settings
from tenantry.storage.repositories import sites, tenants
from tests.acceptance.commands import run
from tests.conftest import TenantForTest
from tests.integration.call_parties import opened, speaking_for, ticket_of, worker
from tests.integration.conftest import Call
from tests.integration.test_calls_api import talked
from tests.integration.test_reply_api import make_agent

Tenantry = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def tenantry(url: str, tenant: TenantForTest) -> Tenantry:
    """Runs a command with the tenant's key: exit code and what it printed on a wide terminal."""

    async def invoke(*words: object) -> tuple[int, str]:
        arguments, environment = [*map(str, words), "--url", url], {KEY: tenant.key, "COLUMNS": "300"}
        # A command has a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return invoke


async def test_calls_are_listed_shown_and_ended(
    tenantry: Tenantry, call: Call, url: str, runtime: Runtime, tenant: TenantForTest, session_home: Path
) -> None:
    assert await tenantry("calls") == (0, "There are no calls.\n")
    mine = await make_agent(call, tenant.keys["mark"], "Garden [Seller]")
    over, live = [await opened(call, tenant.keys["mark"], agentId=mine) for _ in range(2)]
    async with worker(url, session_home) as broker:
        for made in (over, live):
            claim = await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
            async with speaking_for(url, claim) as session:
                await talked(session, "garden")
                if made is over:
                    await session.end(EndReason.GOODBYE)
    code, printed = await tenantry("calls")
    first, second = [line for line in printed.splitlines() if "Garden [Seller]" in line]
    assert code == 0
    assert all(
        part in first for part in (live["callId"], f"mark@{tenant.slug}.example", "websocket", "active", "0:00:0")
    )
    assert all(part in second for part in (over["callId"], "ended", "goodbye"))
    code, printed = await tenantry("calls", "--live")
    assert (live["callId"] in printed, over["callId"] in printed) == (True, False)
    code, printed = await tenantry("calls", "show", over["callId"])
    assert code == 0
    assert "ended, goodbye" in printed
    assert "agent> Good morning! first_audio 100 ms" in printed
    assert "caller> Is there a garden?\nagent> Yes (interrupted; of " in printed
    assert "typically first_audio 200 ms, voice_to_voice 900 ms" in printed
    assert await tenantry("calls", "hang-up", live["callId"]) == (0, f"call {live['callId']} is asked to end\n")
    assert await tenantry("calls", "hang-up", over["callId"]) == (0, f"call {over['callId']} is over: goodbye\n")
    assert (await tenantry("calls", "show", "nonsense"))[0] == 2
    assert (await tenantry("calls", "show", new_id()))[0] == 1


async def test_sites_are_made_listed_and_removed(tenantry: Tenantry, call: Call, tenant: TenantForTest) -> None:
    mine = await make_agent(call, tenant.keys["mark"], "Seller")
    code, printed = await tenantry("site", "create", "Shop", "--origin", "https://shop.example", "--agent", "seller")
    assert (code, printed[:4]) == (0, "tns_")
    key = printed.strip()
    code, printed = await tenantry("site", "list")
    assert all(part in printed for part in ("Shop", "https://shop.example", mine, key))
    code, printed = await tenantry("site", "create", "Shop", "--origin", "http://shop.example")
    assert code == 1
    await tenantry("site", "create", "Shop", "--origin", "https://shop.example:8443")
    assert (await tenantry("site", "remove", "Shop"))[0] == 1
    _, listed = await call(tenant.key, "GET", "/api/v1/sites")
    assert (await tenantry("site", "remove", listed["items"][0]["id"]))[0] == 0
    assert await tenantry("site", "remove", "Shop") == (0, "site Shop is removed\n")
    assert (await tenantry("site", "remove", "Shop"))[0] == 1


async def test_the_demo_can_be_called_from_this_machine_and_the_operator_sees_it(installed: Path) -> None:
    async with local_server(Settings(home=installed)) as (runtime, url):
        assert await call_page(runtime.db, url) is None
        keys = await seed(runtime.db)
        page = URL(await call_page(runtime.db, url) or "")
        assert (str(page.origin()), page.path) == (url, "/call")
        assert await call_page(runtime.db, url.replace("127.0.0.1", "0.0.0.0")) == str(page)  # noqa: S104
        tenant = await demo_tenant(runtime)
        assert page.query["agent"] == str(agent_id(tenant.id, MARK))
        headers = {"X-Tenantry-Site": page.query["site"], "Origin": url.replace("127.0.0.1", "localhost")}
        body = {"agentId": page.query["agent"]}
        async with (
            aiohttp.ClientSession(url, headers=headers) as browser,
            browser.post("/api/livekit/token", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            call_id = (await answer.json())["callId"]
        async with TenantryClient.open(url, keys.members[MARK]) as mark:
            assert str((await mark.calls.get(UUID(call_id))).call.agent_id) == page.query["agent"]
        code, printed = await run(installed, "calls", more={"COLUMNS": "300"})
        assert code == 0
        [line] = [line for line in printed.splitlines() if call_id in line]
        assert re.search(rf"peterei.*Property Seller Agent.*{re.escape(MARK)}.*waiting.*not answered", line)
        # Who removes the site has none from then on.
        async with runtime.db.tenant(tenant.id) as tx:
            [site] = await sites.list_all(tx)
            assert site.name == SITE
            await sites.remove(tx, site.id)
        assert await call_page(runtime.db, url) is None


async def demo_tenant(runtime: Runtime) -> Tenant:
    async with runtime.db.operator() as tx:
        found = await tenants.find(tx, "peterei")
    assert found is not None
    return found
