"""The server that stands for Google is as strict as Google: what its tests rest on."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.google_server import GoogleServer, google_server
from tests.google_server.oauth import CLIENT_ID, CLIENT_SECRET

_VERIFIER = "v" * 43
_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(_VERIFIER.encode()).digest()).decode().rstrip("=")
_BACK = "http://127.0.0.1/back"
_CONSENT = {
    "client_id": CLIENT_ID,
    "redirect_uri": _BACK,
    "response_type": "code",
    "scope": "https://www.googleapis.com/auth/calendar.events https://www.googleapis.com/auth/calendar.readonly",
    "state": "s1",
    "access_type": "offline",
    "code_challenge": _CHALLENGE,
    "code_challenge_method": "S256",
    "login_hint": "anna@gmail.example",
}
_CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.fixture
async def server() -> AsyncIterator[GoogleServer]:
    async with google_server(strict=False) as started:
        yield started


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _consented(server: GoogleServer, browser: aiohttp.ClientSession, **changed: str) -> dict[str, str]:
    url = server.client().authorize_url
    async with browser.get(url, params={**_CONSENT, **changed}, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        target = URL(response.headers["Location"])
    assert str(target.with_query(None)) == _BACK
    return dict(target.query)


async def _token(server: GoogleServer, browser: aiohttp.ClientSession, **form: str) -> tuple[int, dict[str, Any]]:
    async with browser.post(server.client().token_url, data={**_CLIENT, **form}) as response:
        return response.status, await response.json()


async def _redeem(server: GoogleServer, browser: aiohttp.ClientSession, **changed: str) -> tuple[int, dict[str, Any]]:
    code = (await _consented(server, browser, **changed))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": _BACK, "code_verifier": _VERIFIER}
    answer = await _token(server, browser, **form)
    assert (await _token(server, browser, **form))[1]["error"] == "invalid_grant"  # a code is used once
    return answer


async def test_consent_token_refresh_and_revocation(server: GoogleServer, browser: aiohttp.ClientSession) -> None:
    status, first = await _redeem(server, browser)
    assert (status, first["expires_in"], first["token_type"]) == (200, 3599, "Bearer")
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    status, second = await _token(server, browser, **refresh)
    assert status == 200
    assert "refresh_token" not in second
    list_url = f"{server.client().api_url}/users/me/calendarList"
    for token in (first, second):
        async with browser.get(list_url, headers={"Authorization": f"Bearer {token['access_token']}"}) as response:
            assert [one["id"] for one in (await response.json())["items"]] == ["anna@gmail.example"]
    async with browser.post(server.client().revoke_url or "", data={"token": first["refresh_token"]}) as response:
        assert response.status == 200
    assert (await _token(server, browser, **refresh))[1]["error"] == "invalid_grant"
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    async with browser.get(list_url, headers=headers) as response:
        assert response.status == 401
    assert server.violations == []


async def test_a_second_consent_gives_no_refresh_token_unless_asked_for(
    server: GoogleServer, browser: aiohttp.ClientSession
) -> None:
    assert "refresh_token" in (await _redeem(server, browser))[1]
    assert "refresh_token" not in (await _redeem(server, browser))[1]
    assert "refresh_token" in (await _redeem(server, browser, prompt="consent"))[1]


async def test_a_consent_can_be_denied_or_given_in_part(server: GoogleServer, browser: aiohttp.ClientSession) -> None:
    server.oauth.withheld = {"https://www.googleapis.com/auth/calendar.readonly"}
    _, token = await _redeem(server, browser)
    assert token["scope"] == "https://www.googleapis.com/auth/calendar.events"
    server.oauth.denies = True
    assert await _consented(server, browser) == {"error": "access_denied", "state": "s1"}


async def test_another_verifier_or_client_is_refused(server: GoogleServer, browser: aiohttp.ClientSession) -> None:
    code = (await _consented(server, browser))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": _BACK}
    assert (await _token(server, browser, **form, code_verifier="w" * 43))[1]["error"] == "invalid_grant"
    assert (await _token(server, browser, **form, client_secret="x"))[1]["error"] == "invalid_client"


@pytest.mark.parametrize("missing", ["state", "scope", "code_challenge", "redirect_uri", "response_type"])
async def test_a_consent_that_lacks_something_is_a_violation(
    server: GoogleServer, browser: aiohttp.ClientSession, missing: str
) -> None:
    query = {name: value for name, value in _CONSENT.items() if name != missing}
    async with browser.get(server.client().authorize_url, params=query, allow_redirects=False) as response:
        assert response.status == 400
    assert len(server.violations) == 1


_TIMES = {side: {"dateTime": f"2027-05-01T{hour}:00:00Z"} for side, hour in (("start", "09"), ("end", "10"))}
_WINDOW = {"timeMin": "2027-01-01T00:00:00Z", "timeMax": "2027-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/calendars/primary/events", {"orderby": "startTime"}, None),
        ("GET", "/calendars/primary/events", {"syncToken": "t", "timeMin": _WINDOW["timeMin"]}, None),
        ("GET", "/calendars/primary/events", {"timeMin": "2027-01-01T00:00:00"}, None),
        ("GET", "/calendars/primary/events", {"timeMin": _WINDOW["timeMax"], "timeMax": _WINDOW["timeMin"]}, None),
        ("GET", "/calendars/primary/events", {"fields": "items(id"}, None),
        ("POST", "/calendars/primary/events", {}, {**_TIMES, "id": "with-dashes"}),
        ("POST", "/calendars/primary/events", {}, {**_TIMES, "subject": "Graph's word"}),
        ("POST", "/calendars/primary/events", {}, {"start": _TIMES["start"]}),
        ("POST", "/calendars/primary/events", {"sendUpdates": "true"}, _TIMES),
        ("POST", "/calendars/primary/events", {}, {**_TIMES, "attendees": [{"email": "nobody"}]}),
        ("POST", "/freeBusy", {}, {**_WINDOW, "timeMax": "2027-06-01T00:00:00Z", "items": [{"id": "primary"}]}),
        ("POST", "/freeBusy", {}, _WINDOW),
        ("POST", "/calendars/primary/events", {}, {**_TIMES, "end": {**_TIMES["end"], "timeZone": "CET/Berlin"}}),
        ("PUT", "/calendars/primary/events/aaaaa", {}, _TIMES),
        ("GET", "/me/events", {}, None),
    ],
)
async def test_a_request_that_google_does_not_know_is_a_violation(
    server: GoogleServer,
    browser: aiohttp.ClientSession,
    method: str,
    path: str,
    query: dict[str, str],
    body: dict[str, Any] | None,
) -> None:
    grant = server.sign_in("anna@gmail.example", "https://www.googleapis.com/auth/calendar")
    headers = {"Authorization": f"Bearer {server.oauth.issue(grant)}"}
    url = f"{server.client().api_url}{path}"
    async with browser.request(method, url, params=query, json=body, headers=headers) as response:
        assert response.status in {400, 404}
    assert len(server.violations) == 1
