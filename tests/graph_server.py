"""A strict server of Microsoft Graph and its sign-in on loopback; by itself: `python -m tests.graph_server PORT`.

By itself it is told what to do at `POST /control/{what}` with a JSON object, see `_Control`. The client that it knows
is of `tests.graph_login`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

from aiohttp import web

from tests.graph_mailbox import GraphEvent
from tests.graph_service import GraphServer, Handler

_SUBSCRIPTION = "/v1.0/subscriptions/{subscription}"
_EVENT = "/v1.0/me/calendars/{calendar}/events/{event}"


class _Control:
    """What a test of another process does; every method takes and gives what JSON has. A mailbox goes by its
    address."""

    def __init__(self, server: GraphServer) -> None:
        self._server = server

    def mailbox(self, address: str, zone: str = "W. Europe Standard Time", personal: bool = False) -> dict[str, str]:
        """Make an account, in which the browser is signed in from now on; `calendar` is its default one."""
        self._server.login.signed_in = address
        return {"calendar": self._server.add_mailbox(address, zone=zone, personal=personal).default}

    def plant(self, mailbox: str, start: str = "", end: str = "", day: str = "", **others: Any) -> str:
        """Make an event, from `start` to `end` or a whole `day`, and give its id."""
        if day:
            return self._server.mailboxes[mailbox].plant(day=date.fromisoformat(day), **others).id
        return self._server.mailboxes[mailbox].plant(_at(start), _at(end), **others).id

    def move(self, mailbox: str, event: str, start: str, end: str) -> None:
        self._server.mailboxes[mailbox].move(event, _at(start), _at(end))

    def delete(self, mailbox: str, event: str) -> None:
        self._server.mailboxes[mailbox].delete(event)

    def fail(self, status: int, code: str = "", retry_after: str | None = None, times: int = 1) -> None:
        self._server.fail(status, code, retry_after=retry_after, times=times)

    def hang_after_commit(self, times: int = 1) -> None:
        self._server.hang_after_commit(times)

    def cut_every(self, changes: int) -> None:
        """Of so many changes one is made, and then the connection breaks."""
        self._server.cut_every = changes

    def lifetime(self, seconds: int) -> None:
        """How long access tokens work that are given out from now on."""
        self._server.login.seconds = seconds

    def forget_sync(self) -> None:
        self._server.rounds.clear()

    def expire(self, mailbox: str) -> None:
        self._server.login.expire(mailbox)

    def revoke(self, mailbox: str, code: str = "AADSTS50173") -> None:
        self._server.login.revoke(mailbox, code)

    def state(self) -> dict[str, Any]:
        """What every mailbox holds, what was asked for wrongly, how many tokens were renewed and changes cut."""
        held = {
            address: [_told(event) for event in mailbox.events.values()]
            for address, mailbox in self._server.mailboxes.items()
        }
        return {
            "events": held,
            "violations": self._server.violations,
            "refreshes": self._server.login.refreshes,
            "cuts": self._server.cuts,
        }

    def secrets(self) -> list[str]:
        """All tokens, codes and verifiers there ever were."""
        return self._server.login.secrets


def _at(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at


def _told(event: GraphEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "calendar": event.calendar,
        "subject": event.subject,
        "start": event.start.isoformat(),
        "end": event.end.isoformat(),
        "key": event.transaction_id,
        "attendees": [each["emailAddress"]["address"] for each in event.attendees],
    }


@web.middleware
async def _compressed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """As Graph answers to whoever does not say that it must not."""
    answer = await handler(request)
    if isinstance(answer, web.Response) and answer.body:
        answer.enable_compression()
    return answer


def _app(server: GraphServer) -> web.Application:
    app = web.Application(middlewares=[_compressed, server.checked])

    def graph(method: str, path: str, handler: Any, scope: str = "Calendars.ReadWrite") -> None:
        app.router.add_route(method, path, server.graph(scope, handler))

    graph("GET", "/v1.0/me", server.me, "User.Read")
    graph("GET", "/v1.0/me/calendars", server.list_calendars)
    graph("GET", "/v1.0/me/calendars/{calendar}/calendarView", server.calendar_view)
    graph("GET", "/v1.0/me/calendars/{calendar}/calendarView/delta", server.delta)
    graph("GET", "/v1.0/me/calendars/{calendar}/events", server.search)
    graph("POST", "/v1.0/me/calendars/{calendar}/events", server.create)
    graph("GET", _EVENT, server.read)
    graph("PATCH", _EVENT, server.change)
    graph("DELETE", _EVENT, server.delete)
    graph("POST", f"{_EVENT}/cancel", server.cancel)
    graph("POST", "/v1.0/subscriptions", server.subscriptions.create)
    graph("PATCH", _SUBSCRIPTION, server.subscriptions.prolong)
    graph("DELETE", _SUBSCRIPTION, server.subscriptions.delete)
    app.router.add_get("/{tenant}/oauth2/v2.0/authorize", server.login.authorize)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", server.login.token)

    control = _Control(server)

    async def controlled(request: web.Request) -> web.Response:
        what = request.match_info["what"]
        arguments = await request.json() if request.can_read_body else {}
        return web.json_response(_Control.__dict__[what](control, **arguments))

    app.router.add_post("/control/{what}", controlled)
    return app


@asynccontextmanager
async def graph_server(port: int = 0) -> AsyncIterator[GraphServer]:
    """The server on a free port of loopback, unless one is given, with a mailbox of whoever is signed in."""
    server = GraphServer()
    server.add_mailbox(server.login.signed_in)
    runner = web.AppRunner(_app(server), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with server.subscriptions.calling():
            yield server
    finally:
        server.over.set()
        await runner.cleanup()


async def _serve(port: int) -> None:
    async with graph_server(port) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
