"""The routes of the server: OAuth, the Calendar API, and the control of what happens there otherwise."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from tenantry.settings import OAuthClient
from tests.google_server.api import CalendarApi
from tests.google_server.calendars import GoogleCalendar
from tests.google_server.oauth import CLIENT_ID, CLIENT_SECRET, GoogleOAuth, Grant, OAuthError

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """What happens to the next `times` requests of an area (`api` or `token`). With a status they are answered with it
    and with the body or, without one, an error of the reason. Else every `every`th of those that change something is
    carried out and never answered."""

    status: int | None = None
    reason: str = "backendError"
    retry_after: int | None = None
    area: str = "api"
    times: int = 1
    every: int = 1
    body: dict[str, Any] | None = None


@dataclass
class GoogleServer:
    """The server; `violations` are the requests that Google's documentation does not have."""

    url: str = ""
    oauth: GoogleOAuth = field(default_factory=GoogleOAuth)
    accounts: dict[str, dict[str, GoogleCalendar]] = field(default_factory=dict[str, dict[str, GoogleCalendar]])
    faults: deque[Fault] = field(default_factory=deque[Fault])
    violations: list[str] = field(default_factory=list[str])
    over: asyncio.Event = field(default_factory=asyncio.Event)
    passed: int = 0

    def __post_init__(self) -> None:
        self.api = CalendarApi(self.oauth, self.accounts, self.violations)

    def client(self) -> OAuthClient:
        """What an installation is set up with."""
        url = self.url
        return OAuthClient(
            CLIENT_ID, CLIENT_SECRET, f"{url}/o/oauth2/v2/auth", f"{url}/token", f"{url}/revoke", f"{url}/calendar/v3"
        )

    def account(self, email: str) -> dict[str, GoogleCalendar]:
        """The account's calendars by id, the main one among them; made unless it exists."""
        return self.accounts.setdefault(email, {email: GoogleCalendar(email, email, primary=True)})

    def sign_in(self, email: str, *scopes: str) -> Grant:
        """A grant of the account, as if it had consented."""
        self.account(email)
        return Grant(email, frozenset(scopes))

    @web.middleware
    async def _faulty(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        area = "token" if request.path == "/token" else "api" if request.path.startswith("/calendar/") else None
        fault = next((one for one in self.faults if one.area == area), None)
        if fault is None or (fault.status is None and not _changes(request)):
            return await handler(request)
        if fault.status is not None:
            self._used(fault)
            return _scripted(fault)
        answer = await handler(request)
        self.passed += 1
        if answer.status < 300 and self.passed % fault.every == 0:
            self._used(fault)
            await self.over.wait()
        return answer

    def _used(self, fault: Fault) -> None:
        fault.times -= 1
        if fault.times == 0:
            self.faults.remove(fault)

    async def _auth(self, request: web.Request) -> web.StreamResponse:
        """The consent page: whoever the browser is signed in as consents at once."""
        query = dict(request.query)
        account = request.cookies.get("account") or query.get("login_hint") or "owner@gmail.example"
        try:
            target = self.oauth.consent(query, account)
        except OAuthError as error:
            self.violations.append(f"auth: {error.error}: {error.description}")
            return web.Response(status=error.status, text=f"{error.error}: {error.description}")
        self.account(account)
        return web.Response(status=302, headers={"Location": target})

    async def _token(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/x-www-form-urlencoded":
            self.violations.append(f"token: a body of {request.content_type}")
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            return web.json_response(self.oauth.token(form))
        except OAuthError as error:
            told = {"error": error.error, "error_description": error.description}
            return web.json_response(told, status=error.status)

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        try:
            self.oauth.revoke(str(form.get("token", "")))
        except OAuthError as error:
            return web.json_response({"error": error.error}, status=error.status)
        return web.json_response({})

    async def _control_faults(self, request: web.Request) -> web.StreamResponse:
        """POST a Fault."""
        self.faults.append(Fault(**await request.json()))
        return web.Response(status=204)

    async def _control_oauth(self, request: web.Request) -> web.StreamResponse:
        """POST any of `lifetime_s`, `withheld`, `denies`, and `revoke`: an account whose grants end."""
        for name, value in (await request.json()).items():
            if name == "revoke":
                for grant in self.oauth.refresh.values():
                    grant.revoked = grant.revoked or grant.account == value
            else:
                setattr(self.oauth, name, set(value) if name == "withheld" else value)
        return web.Response(status=204)

    async def _control_put(self, request: web.Request) -> web.StreamResponse:
        """PUT an event resource as its owner would make, change or (`status: cancelled`) delete it."""
        calendar = self.account(request.match_info["account"])[request.match_info["calendar"]]
        event = await request.json()
        return web.json_response(calendar.put({**calendar.events.get(event.get("id", ""), {}), **event}))

    async def _control_secrets(self, _: web.Request) -> web.StreamResponse:
        """GET all tokens, codes and verifiers there ever were."""
        return web.json_response(self.oauth.secrets)

    async def _control_state(self, _: web.Request) -> web.StreamResponse:
        """GET all that the server holds."""
        return web.json_response(
            {
                "violations": self.violations,
                "faults": [asdict(one) for one in self.faults],
                "refreshes": {grant.account: grant.refreshes for grant in self.oauth.refresh.values()},
                "events": {
                    email: {one.id: list(one.events.values()) for one in calendars.values()}
                    for email, calendars in self.accounts.items()
                },
            }
        )

    def app(self) -> web.Application:
        """The server's routes."""
        app = web.Application(middlewares=[_compressed, self._faulty])
        app.router.add_get("/o/oauth2/v2/auth", self._auth)
        app.router.add_post("/token", self._token)
        app.router.add_post("/revoke", self._revoke)
        self.api.add_routes(app.router, "/calendar/v3")
        app.router.add_post("/control/faults", self._control_faults)
        app.router.add_post("/control/oauth", self._control_oauth)
        app.router.add_put("/control/events/{account}/{calendar}", self._control_put)
        app.router.add_get("/control/state", self._control_state)
        app.router.add_get("/control/secrets", self._control_secrets)
        return app


@web.middleware
async def _compressed(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """As Google answers to whoever does not say that it must not."""
    answer = await handler(request)
    if isinstance(answer, web.Response) and answer.body:
        answer.enable_compression()
    return answer


def _changes(request: web.Request) -> bool:
    return request.method in {"POST", "PATCH", "DELETE"} and not request.path.endswith("/freeBusy")


def _scripted(fault: Fault) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    told = {"code": fault.status, "message": "Asked for", "errors": [{"domain": "global", "reason": fault.reason}]}
    text = json.dumps({"error": told} if fault.body is None else fault.body)
    return web.Response(status=fault.status or 500, headers=headers, text=text, content_type="application/json")


@asynccontextmanager
async def google_server(port: int = 0, *, strict: bool = True) -> AsyncIterator[GoogleServer]:
    """A server until the block ends, when (`strict`) it must have been sent nothing that Google would not know."""
    server = GoogleServer()
    runner = web.AppRunner(server.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with server.api.channels.calling():
            yield server
        assert not strict or server.violations == []
    finally:
        server.over.set()
        await runner.cleanup()
