"""The call page: what is served of it, and to whom it may connect and in whose frames it may be."""

from pathlib import Path

import aiohttp
import pytest

from tenantry.auth.site_keys import make_site_key
from tenantry.channels.livekit_voice.browser import page
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import sites
from tests.conftest import TenantForTest
from tests.integration.call_parties import TOKEN
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page as `make web` builds it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "call.html").write_text("<!doctype html><title>Call</title>")
    (tmp_path / "assets" / "call-1a2b.js").write_text("export {};")
    monkeypatch.setattr(page, "_FOLDER", tmp_path)
    return tmp_path


async def get(url: str) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text(), dict(response.headers)


def rules(headers: dict[str, str]) -> dict[str, list[str]]:
    """The content security policy."""
    parts = [rule.split() for rule in headers["Content-Security-Policy"].split(";")]
    return {part[0]: part[1:] for part in parts}


async def test_the_page_runs_its_own_scripts_alone_and_is_in_no_foreign_frame(url: str, built: Path) -> None:
    status, text, headers = await get(f"{url}/call?site=unknown")
    assert (status, text) == (200, (built / "call.html").read_text())
    policy = rules(headers)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["frame-ancestors"] == ["'self'"]
    assert policy["connect-src"] == ["'self'", url.replace("http", "ws"), url.replace("http", "wss")]


async def test_a_site_may_have_it_in_a_frame_and_it_may_open_calls_for_the_site(
    url: str, built: Path, runtime: Runtime, tenant: TenantForTest, call: Call
) -> None:
    key = make_site_key(tenant.id)
    agent_id = await make_agent(call, tenant.key)
    async with runtime.db.tenant(tenant.id) as tx:
        await sites.create(tx, "shop", key, ["https://shop.example"], [])
    _, _, headers = await get(f"{url}/call?site={key}")
    assert rules(headers)["frame-ancestors"] == ["'self'", "https://shop.example"]
    async with runtime.db.tenant(tenant.id) as tx:
        await sites.change(tx, (await sites.list_all(tx))[0].id, "shop", ["https://shop.example"], [agent_id])
    asked = {"X-Tenantry-Site": key, "Origin": url}
    async with aiohttp.ClientSession() as session:
        for origin, status in ((url, 200), ("https://evil.example", 403), ("null", 403)):
            headers = {**asked, "Origin": origin}
            async with session.post(f"{url}{TOKEN}", json={"agentId": agent_id}, headers=headers) as response:
                assert response.status == status, origin


async def test_its_files_are_kept_for_ever_and_nothing_else_is_served(url: str, built: Path) -> None:
    status, text, headers = await get(f"{url}/call/assets/call-1a2b.js")
    assert (status, text) == (200, "export {};")
    assert "javascript" in headers["Content-Type"]
    assert "immutable" in headers["Cache-Control"]
    for name in ("gone.js", "..%2Fcall.html", "%2E%2E/call.html"):
        status, _, _ = await get(f"{url}/call/assets/{name}")
        assert status == 404


async def test_a_page_that_is_not_built_says_so(url: str, built: Path) -> None:
    (built / "call.html").unlink()
    status, text, _ = await get(f"{url}/call")
    assert status == 503
    assert "make web" in text
