"""Connecting accounts: consents that only who asked can finish, health that is shown, ends that are told."""

import base64
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import structlog.testing

from tenantry.credentials.consents import cookie_name
from tenantry.domain.errors import ConnectionBroken
from tenantry.domain.tenant import Role
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import api_keys, leaving
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.connecting import serving_with
from tests.integration.whole_database import tables_with
from tests.token_server import CLIENT_SECRET, TokenServer, token_server

PATH = "/api/v1/connections"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[TokenServer]:
    async with token_server() as made:
        yield made


@pytest.fixture(scope="module")
async def here(runtime: Runtime, server: TokenServer) -> AsyncIterator[str]:
    async with serving_with(runtime, server) as url:
        yield url


class Browser:
    """Somebody with a key and a browser of their own."""

    def __init__(self, session: aiohttp.ClientSession, key: str | None) -> None:
        self._session, self._key = session, key
        self.cookies: dict[str, str] = {}
        self.set_cookie = ""

    async def call(self, method: str, path: str, **arguments: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        async with self._session.request(method, path, headers=headers, **arguments) as response:
            self.set_cookie = response.headers.get("Set-Cookie", "")
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(self.set_cookie).items()}
            return response.status, await response.json(content_type=None)

    async def ask(self, provider: str = "google", body: dict[str, Any] | None = None, **params: str) -> str:
        """Begin a consent; where the browser is to go."""
        status, asked = await self.call("POST", f"{PATH}/{provider}/authorization", json=body or {}, params=params)
        assert status == 200, asked
        return asked["authorization_url"]

    async def come_back(self, back: dict[str, str], headers: dict[str, str] | None = None) -> tuple[int, str]:
        """As the provider sends the browser back."""
        async with self._session.get(
            "/oauth/callback", params=back, cookies=self.cookies, headers=headers or {}
        ) as response:
            self.headers = response.headers
            return response.status, await response.text()

    async def connections(self) -> list[dict[str, Any]]:
        status, page = await self.call("GET", PATH)
        assert status == 200
        return page["items"]


@pytest.fixture
async def session(here: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(here, cookie_jar=aiohttp.DummyCookieJar()) as made:
        yield made


@pytest.fixture
def mark(session: aiohttp.ClientSession, tenant: TenantForTest) -> Browser:
    return Browser(session, tenant.keys["mark"])


@pytest.fixture
def jon(session: aiohttp.ClientSession, tenant: TenantForTest) -> Browser:
    return Browser(session, tenant.keys["jon"])


@pytest.mark.parametrize("provider", ["google", "microsoft"])
async def test_a_member_connects_and_disconnects(
    provider: str,
    mark: Browser,
    jon: Browser,
    server: TokenServer,
    tenant: TenantForTest,
    runtime: Runtime,
    session_home: Path,
) -> None:
    with structlog.testing.capture_logs() as logs:
        url = await mark.ask(provider)
        for attribute in ("HttpOnly", "SameSite=lax", "Path=/oauth/callback", "Max-Age=600"):
            assert attribute in mark.set_cookie
        back = server.consent(url)
        status, text = await mark.come_back(back, HTML)
        assert (status, "Connected" in text) == (200, True), text
        assert mark.headers["Cache-Control"] == "no-store"
        assert mark.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in mark.headers["Content-Security-Policy"]
        (connection,) = await mark.connections()
        shown = {name: connection[name] for name in ("owner_member_id", "provider", "account", "health", "reason")}
        assert shown == {
            "owner_member_id": str(tenant.members["mark"]),
            "provider": provider,
            "account": f"ada@{provider}.example",
            "health": "ok",
            "reason": "",
        }
        assert await jon.connections() == []
        for secret in (*server.issued, CLIENT_SECRET, *mark.cookies.values(), back["state"]):
            assert secret not in str(connection) + text + str(logs)
            assert await tables_with(session_home, secret) == {}
            assert await tables_with(session_home, secret.encode().hex()) == {}
        before = len(server.revoked)
        status, gone = await mark.call("DELETE", f"{PATH}/{provider}")
    assert status == 200
    assert gone["revoked"] is (provider == "google")
    assert len(server.revoked) - before == (provider == "google")
    assert ("myapps.microsoft.com" in gone["detail"]) == (provider == "microsoft")
    assert await mark.connections() == []
    assert (await mark.call("DELETE", f"{PATH}/{provider}"))[0] == 404
    async with runtime.db.tenant(tenant.id) as tx:
        rows = await tx.rows("SELECT action, actor FROM audit_log WHERE tenant_id = $1 ORDER BY id", tenant.id)
    assert [row["action"] for row in rows] == ["connection.asked", "connection.connected", "connection.removed"]
    assert {row["actor"] for row in rows} == {f"member:{tenant.members['mark']}"}


async def test_it_is_removed_here_whatever_the_provider_says(mark: Browser, server: TokenServer) -> None:
    # What is no valid token any more has ended.
    for answer, revoked in (((503, {}), False), ((400, {"error": "invalid_token"}), True)):
        await mark.come_back(server.consent(await mark.ask()))
        server.answers.append(answer)
        status, gone = await mark.call("DELETE", f"{PATH}/google")
        assert (status, gone["revoked"]) == (200, revoked)
        assert ("myaccount.google.com" in gone["detail"]) is not revoked
        assert await mark.connections() == []


async def test_a_forwarded_link_connects_nobody_and_who_asked_can_still_finish(
    mark: Browser, jon: Browser, session: aiohttp.ClientSession, server: TokenServer
) -> None:
    url = await mark.ask()
    # Jon opens Mark's link and consents; his browser has a session of its own, or none at all.
    await jon.ask()
    back = server.consent(url)
    for other in (jon, Browser(session, None)):
        status, text = await other.come_back(back)
        assert (status, "consent_invalid" in text) == (400, True)
    # The name of the cookie can be guessed, what is in it cannot.
    forger = Browser(session, None)
    forger.cookies = dict.fromkeys(mark.cookies, next(iter(jon.cookies.values())))
    assert (await forger.come_back(back))[0] == 400
    assert await mark.connections() == await jon.connections() == []
    assert (await mark.come_back(back))[0] == 200
    assert len(await mark.connections()) == 1


async def test_a_state_is_used_once(mark: Browser, server: TokenServer) -> None:
    back = server.consent(await mark.ask())
    assert (await mark.come_back(back))[0] == 200
    status, text = await mark.come_back(back)
    assert (status, "consent_invalid" in text) == (400, True)
    assert server.faults == []


@pytest.mark.parametrize("state", ["", "x", "A" * 56, "é" * 56, "=" * 56, "\x00" * 56, "A" * 5000])
async def test_a_state_that_nobody_asked_for_is_refused(mark: Browser, state: str) -> None:
    await mark.ask()
    status, _ = await mark.come_back({"state": state, "code": "a-code"})
    assert status in (400, 422)
    status, text = await mark.come_back({"state": state, "code": "<script>"}, HTML)
    assert status in (400, 422)
    assert "<script>" not in text


async def test_a_state_under_another_tenants_id_is_refused(
    mark: Browser, server: TokenServer, make_tenant: MakeTenant
) -> None:
    other = await make_tenant()
    back = server.consent(await mark.ask())
    raw = base64.urlsafe_b64decode(back["state"])
    back["state"] = base64.urlsafe_b64encode(other.id.bytes + raw[16:]).decode()
    mark.cookies = {cookie_name(back["state"]): next(iter(mark.cookies.values()))}
    assert (await mark.come_back(back))[0] == 400


async def test_a_consent_lasts_ten_minutes(
    mark: Browser, server: TokenServer, runtime: Runtime, tenant: TenantForTest
) -> None:
    back = server.consent(await mark.ask())
    async with runtime.db.tenant(tenant.id) as tx:
        left = await tx.value("SELECT expires_at - now() FROM consents WHERE tenant_id = $1", tenant.id)
        await tx.execute("UPDATE consents SET expires_at = now() WHERE tenant_id = $1", tenant.id)
    assert 590 < left.total_seconds() <= 600
    assert (await mark.come_back(back))[0] == 400
    # What has ended is removed with the next one that begins.
    await mark.ask()
    async with runtime.db.tenant(tenant.id) as tx:
        assert await tx.value("SELECT count(*) FROM consents WHERE tenant_id = $1", tenant.id) == 1


async def test_a_consent_that_was_not_given_connects_nothing(mark: Browser, server: TokenServer) -> None:
    state = parse_qs(urlsplit(await mark.ask()).query)["state"][0]
    status, text = await mark.come_back({"state": state, "error": "access_denied"}, HTML)
    assert (status, "Not connected" in text) == (400, True)
    assert await mark.connections() == []


@pytest.mark.parametrize("what", ["key", "member", "role"])
async def test_who_may_not_connect_any_more_cannot_finish(
    what: str, mark: Browser, server: TokenServer, runtime: Runtime, tenant: TenantForTest
) -> None:
    back, asked = server.consent(await mark.ask()), server.requests
    async with runtime.db.operator(tenant.id) as tx:
        if what == "key":
            await api_keys.revoke_all(tx, tenant.members["mark"])
        elif what == "member":
            await leaving.leave(tx, tenant.members["mark"], None, by="operator:test")
        else:
            role = "UPDATE members SET role = $2 WHERE tenant_id = $1 AND id = $3"
            await tx.execute(role, tenant.id, Role.VIEWER, tenant.members["mark"])
    status, text = await mark.come_back(back)
    assert (status, "forbidden" in text) == (403, True)
    # The code was not even exchanged.
    assert server.requests == asked


async def test_a_member_who_leaves_takes_the_connections_along(
    mark: Browser, server: TokenServer, runtime: Runtime, tenant: TenantForTest, session: aiohttp.ClientSession
) -> None:
    await mark.come_back(server.consent(await mark.ask()))
    async with runtime.db.operator(tenant.id) as tx:
        left = await leaving.leave(tx, tenant.members["mark"], None, by="operator:test")
    assert left.connections == ["google"]
    assert await Browser(session, tenant.key).connections() == []


async def test_a_consent_with_less_than_is_needed_is_refused(mark: Browser, server: TokenServer) -> None:
    server.scope = "https://www.googleapis.com/auth/calendar.readonly"
    try:
        status, text = await mark.come_back(server.consent(await mark.ask()))
    finally:
        server.scope = None
    assert (status, "leaves out calendars" in text) == (400, True)
    assert await mark.connections() == []


async def test_a_provider_that_is_away_is_told_as_that(mark: Browser, server: TokenServer) -> None:
    back = server.consent(await mark.ask())
    server.answers.append((503, {}))
    status, text = await mark.come_back(back)
    assert (status, "calendar_unavailable" in text) == (503, True)


async def test_connecting_again_replaces_and_two_consents_may_be_open(mark: Browser, server: TokenServer) -> None:
    first, second = server.consent(await mark.ask()), server.consent(await mark.ask())
    for back in (second, first):
        assert (await mark.come_back(back))[0] == 200
    assert len(await mark.connections()) == 1


async def test_whose_connection_it_is(
    session: aiohttp.ClientSession, mark: Browser, server: TokenServer, tenant: TenantForTest, make_tenant: MakeTenant
) -> None:
    jon_id, other = str(tenant.members["jon"]), await make_tenant()
    body = {"url": "https://dav.example/", "username": "u", "password": "p"}
    for key, status in (
        (tenant.keys["mark"], 403),
        (tenant.keys["vera"], 403),
        (other.keys["mark"], 403),
        (other.keys["olga"], 422),
        (other.key, 422),
    ):
        browser = Browser(session, key)
        params = {"owner_member_id": jon_id}
        asked = await browser.call("POST", f"{PATH}/google/authorization", json={}, params=params)
        put = await browser.call("PUT", f"{PATH}/caldav", json=body, params=params)
        gone = await browser.call("DELETE", f"{PATH}/caldav", params=params)
        assert (asked[0], put[0], gone[0]) == (status, status, 404 if status == 422 else status)
    olga, whole = Browser(session, tenant.keys["olga"]), Browser(session, tenant.key)
    for browser, params, owner in (
        (olga, {}, str(tenant.members["olga"])),
        (olga, {"owner_member_id": jon_id}, jon_id),
        (whole, {}, None),
    ):
        await browser.come_back(server.consent(await browser.ask(**params)))
        assert (await browser.connections())[0]["owner_member_id"] == owner
    assert [each["owner_member_id"] for each in await mark.connections()] == [None]
    vera = Browser(session, tenant.keys["vera"])
    assert (await vera.call("POST", f"{PATH}/google/authorization", json={}))[0] == 403
    assert len(await vera.connections()) == 1


async def test_where_the_browser_may_come_back_to(
    mark: Browser, here: str, runtime: Runtime, server: TokenServer, tenant: TenantForTest
) -> None:
    def redirect_of(url: str) -> str:
        return parse_qs(urlsplit(url).query)["redirect_uri"][0]

    assert redirect_of(await mark.ask()) == f"{here}/oauth/callback"
    for good in ("http://127.0.0.1:5000/", "http://[::1]:5000/back", "http://localhost:5000/"):
        assert redirect_of(await mark.ask(body={"redirect_uri": good})) == good
    for bad in (
        "https://evil.example/oauth/callback",
        "http://evil.example:80/",
        "https://127.0.0.1:5000/",
        "http://127.0.0.1/",
        "http://127.0.0.1:5000@evil.example:80/",
        "http://user@127.0.0.1:5000/",
        "http://127.0.0.1:5000/?x=1",
        "http://127.0.0.1:99999/",
        "javascript:alert(1)",
        "",
    ):
        status, error = await mark.call("POST", f"{PATH}/google/authorization", json={"redirect_uri": bad})
        assert (status, error["errors"][0]["field"]) == (422, "redirect_uri"), bad
    async with (
        serving_with(runtime, server, public_url="https://tenantry.example") as url,
        aiohttp.ClientSession(url) as session,
    ):
        public = Browser(session, tenant.keys["mark"])
        assert redirect_of(await public.ask()) == "https://tenantry.example/oauth/callback"
        assert "Secure" in public.set_cookie


async def test_an_installation_without_a_registration_says_so(url: str, tenant: TenantForTest) -> None:
    async with aiohttp.ClientSession(url) as session:
        status, error = await Browser(session, tenant.key).call("POST", f"{PATH}/google/authorization", json={})
    assert (status, error["code"]) == (409, "provider_not_set_up")
    assert "GOOGLE_CLIENT_ID" in error["detail"]


async def test_caldav_is_tried_first_and_its_password_never_shown(
    mark: Browser, runtime: Runtime, tenant: TenantForTest, session_home: Path
) -> None:
    body = {"url": "https://dav.example/ada/", "username": "ada", "password": "pass word-3141"}
    status, made = await mark.call("PUT", f"{PATH}/caldav", json=body)
    assert (status, made["account"], made["expires_at"]) == (200, "ada@caldav.example", None)
    assert "3141" not in str(made)
    assert await tables_with(session_home, "word-3141") == {}
    credentials = runtime.resources.connections.of(tenant.id, tenant.members["mark"], "caldav")
    access = await credentials.access()
    assert access.authorization == "Basic YWRhOnBhc3Mgd29yZC0zMTQx"
    assert await credentials.server() == body["url"]
    status, error = await mark.call("PUT", f"{PATH}/caldav", json={**body, "url": "https://dav.example/broken"})
    assert (status, error["code"]) == (409, "connection_broken")
    # Another password was given meanwhile: what was refused is not the newest.
    await mark.call("PUT", f"{PATH}/caldav", json=body)
    renewed = await credentials.renew(access)
    assert renewed.version == 2
    with pytest.raises(ConnectionBroken):
        await credentials.renew(renewed)
    (connection,) = await mark.connections()
    assert connection["health"] == "needs_sign_in"
    status, gone = await mark.call("DELETE", f"{PATH}/caldav")
    assert (status, gone["revoked"]) == (200, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "dav.example"),
        ("url", "ftp://dav.example/"),
        ("url", "https://ada:x@dav.example/"),
        ("url", "https://dav.example/?a=b"),
        ("url", "https://dav.example:99999/"),
        ("username", "a:b"),
        ("username", "a\nb"),
        ("password", "a\r\nb"),
        ("password", ""),
        ("more", "x"),
    ],
)
async def test_what_is_wrong_with_a_caldav_server_is_named(mark: Browser, field: str, value: str) -> None:
    body = {"url": "https://dav.example/", "username": "ada", "password": "p", field: value}
    status, error = await mark.call("PUT", f"{PATH}/caldav", json=body)
    assert (status, [fault["field"] for fault in error["errors"]]) == (422, [field])
