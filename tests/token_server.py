"""A strict OAuth server on loopback: it checks each field that it is sent, and does what a test asks of it."""

import asyncio
import base64
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from tenantry.settings import CalendarSettings, OAuthClient

CLIENT_ID = "an-app"
CLIENT_SECRET = "the-secret-of-the-app"
_SCOPES = {
    "microsoft": "offline_access Calendars.ReadWrite User.Read",
    "google": "https://www.googleapis.com/auth/calendar.events https://www.googleapis.com/auth/calendar.readonly",
}
_EXTRA = {"microsoft": {"prompt": "select_account"}, "google": {"access_type": "offline", "prompt": "consent"}}
_CODE_FIELDS = {"grant_type", "client_id", "client_secret", "code", "code_verifier", "redirect_uri"}
_REFRESH_FIELDS = {"grant_type", "client_id", "client_secret", "refresh_token"}


class TokenServer:
    """`faults` is what was wrong with requests. `answers` come, in turn, in the place of the next tokens; while `open`
    is cleared nothing is answered. Refresh tokens that are `dead` are refused; each refresh gives another one."""

    def __init__(self) -> None:
        self.url = ""
        self.faults: list[str] = []
        self.answers: deque[tuple[int, dict[str, Any]]] = deque()
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.requests = 0
        self.refreshes = 0
        self.expires_in = 3600
        self.scope: str | None = None  # what is said to be granted, else what was asked for
        self.issued: set[str] = set()
        self.live: set[str] = set()
        self.revoked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def settings(self) -> CalendarSettings:
        """The settings of an installation that is registered here as at both providers."""
        microsoft, google = (
            OAuthClient(
                CLIENT_ID, CLIENT_SECRET, f"{self.url}/{name}/authorize", f"{self.url}/{name}/token", revoke, ""
            )
            for name, revoke in (("microsoft", None), ("google", f"{self.url}/google/revoke"))
        )
        return CalendarSettings(microsoft, google)

    def consent(self, authorization_url: str) -> dict[str, str]:
        """What the browser is sent back with after somebody consented at this address."""
        parts = urlsplit(authorization_url)
        name = parts.path.split("/")[1]
        query = {key: values[0] for key, values in parse_qs(parts.query, strict_parsing=True).items()}
        expected = {
            "client_id": CLIENT_ID,
            "response_type": "code",
            "scope": _SCOPES[name],
            "code_challenge_method": "S256",
            **_EXTRA[name],
        }
        self._check(expected, {key: query.get(key) for key in expected}, "authorization")
        if left := {"state", "redirect_uri", "code_challenge"} ^ (query.keys() - expected.keys()):
            self.faults.append(f"authorization: {left}")
        code = secrets.token_urlsafe(8)
        self._codes[code] = {**query, "provider": name}
        return {"state": query["state"], "code": code}

    def give(self) -> str:
        """A refresh token that is good."""
        token = f"refresh-{secrets.token_urlsafe(16)}"
        self.live.add(token)
        self.issued.add(token)
        return token

    async def handle_token(self, request: web.Request) -> web.Response:
        """RFC 6749, 4.1.3 and 6."""
        self.requests += 1
        form = await self._form(request)
        self.asked.set()
        await self.open.wait()
        self._check({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, form, "token")
        if self.answers:
            status, body = self.answers.popleft()
            return web.json_response(body, status=status)
        name = request.match_info["provider"]
        if form.get("grant_type") == "authorization_code":
            return self._exchange(name, form)
        return self._refresh(name, form)

    def _exchange(self, name: str, form: dict[str, str]) -> web.Response:
        self._fields(_CODE_FIELDS, form)
        asked = self._codes.pop(form["code"], None)
        if asked is None:
            return _refused("invalid_grant", "AADSTS54005: the code was redeemed already")
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        expected = {"provider": name, "redirect_uri": form["redirect_uri"], "code_challenge": challenge}
        self._check(expected, {key: asked[key] for key in expected}, "code")
        return self._tokens(name, refresh=True)

    def _refresh(self, name: str, form: dict[str, str]) -> web.Response:
        self._fields(_REFRESH_FIELDS | ({"scope"} if name == "microsoft" else set()), form)
        self._check({"grant_type": "refresh_token", "scope": form.get("scope") and _SCOPES[name]}, form, "refresh")
        if form["refresh_token"] not in self.live:
            return _refused("invalid_grant", "Token has been expired or revoked.")
        self.refreshes += 1
        return self._tokens(name, refresh=name == "microsoft")

    def _tokens(self, name: str, *, refresh: bool) -> web.Response:
        access = f"access-{secrets.token_urlsafe(16)}"
        self.issued.add(access)
        body: dict[str, Any] = {"token_type": "Bearer", "access_token": access, "expires_in": self.expires_in}
        # Google says all, Microsoft leaves out what is no right at its API.
        body["scope"] = self.scope or _SCOPES[name].removeprefix("offline_access ")
        if refresh:
            body["refresh_token"] = self.give()
        return web.json_response(body)

    async def handle_revoke(self, request: web.Request) -> web.Response:
        """RFC 7009, as Google has it."""
        form = await self._form(request)
        self._fields({"token"}, form)
        if self.answers:
            status, body = self.answers.popleft()
            return web.json_response(body, status=status)
        if form["token"] not in self.live:
            return _refused("invalid_token", "Token expired or revoked")
        self.live.discard(form["token"])
        self.revoked.append(form["token"])
        return web.Response()

    async def _form(self, request: web.Request) -> dict[str, str]:
        if request.content_type != "application/x-www-form-urlencoded" or request.query_string:
            self.faults.append(f"{request.content_type} with query {request.query_string!r}")
        pairs = parse_qs((await request.read()).decode("ascii"), keep_blank_values=True, strict_parsing=True)
        if repeated := [key for key, values in pairs.items() if len(values) > 1]:
            self.faults.append(f"repeated: {repeated}")
        return {key: values[0] for key, values in pairs.items()}

    def _fields(self, expected: set[str], form: dict[str, str]) -> None:
        if expected != form.keys():
            self.faults.append(f"fields {sorted(form)} in the place of {sorted(expected)}")

    def _check(self, expected: dict[str, Any], got: dict[str, Any], what: str) -> None:
        self.faults += [
            f"{what}: {key} is {got.get(key)!r}" for key, value in expected.items() if got.get(key) != value
        ]


def _refused(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=400)


@asynccontextmanager
async def token_server() -> AsyncIterator[TokenServer]:
    """A server until the block ends, when it must have been sent nothing wrong."""
    server = TokenServer()
    app = web.Application()
    app.router.add_post("/{provider:microsoft|google}/token", server.handle_token)
    app.router.add_post("/google/revoke", server.handle_revoke)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
        assert server.faults == []
    finally:
        server.open.set()
        await runner.cleanup()
