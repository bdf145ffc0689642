"""The strict Microsoft Graph of tests: it keeps mailboxes, and refuses and remembers whatever Graph does not take."""

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.graph_login import Login
from tests.graph_mailbox import GraphEvent, Mailbox, master, resource, short
from tests.graph_requests import (
    CALENDAR_FIELDS,
    EVENT_FIELDS,
    MAILBOX,
    USER_FIELDS,
    GraphError,
    WrongRequest,
    body_of,
    changed,
    created,
    preferences,
    property_of,
    query_of,
    selected,
    top_of,
    window_of,
)
from tests.graph_subscriptions import Subscriptions

_CHANGES = frozenset({"POST", "PATCH", "DELETE"})
_AT_ONCE = 4
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Fault:
    """An error for the next request, or what happens to the next change after it was made: with `hang` it is never
    answered, with `cut` the connection breaks instead of an answer."""

    error: GraphError | None = None
    hang: bool = False
    cut: bool = False


@dataclass
class Round:
    """Where a delta goes on: what was told of a window, and what is not told yet."""

    calendar: str
    window: tuple[datetime, datetime]
    told: dict[str, int] = field(default_factory=dict[str, int])
    left: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass
class GraphServer:
    """What a test does to the server; `violations` are requests that Graph does not take.

    `page_size` is the most that it gives at once, `replays_answer` whether a replay of a transaction gets the event or
    a 409, `shows_series` whether a delta has the series of its occurrences, `elsewhere` an origin that its links lead
    to. Of `cut_every` changes one is made and cut, which `cuts` counts. While `held` is set, answers wait for it;
    `most_at_once` is how many requests of a mailbox were under way together.
    """

    login: Login = field(default_factory=lambda: Login("anna@contoso.example"))
    url: str = ""
    mailboxes: dict[str, Mailbox] = field(default_factory=dict[str, Mailbox])
    violations: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])
    faults: deque[Fault] = field(default_factory=deque[Fault])
    rounds: dict[str, Round] = field(default_factory=dict[str, Round])
    page_size: int = 100
    replays_answer: bool = False
    shows_series: bool = True
    elsewhere: str | None = None
    cut_every: int = 0
    changes: int = 0
    cuts: int = 0
    held: asyncio.Event | None = None
    under_way: Counter[str] = field(default_factory=Counter[str])
    most_at_once: int = 0
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def api_url(self) -> str:
        return f"{self.url}/v1.0"

    def add_mailbox(self, address: str, **others: Any) -> Mailbox:
        """An account."""
        return self.mailboxes.setdefault(address, Mailbox(address, **others))

    def fail(self, status: int, code: str = "", *, retry_after: str | None = None, times: int = 1) -> None:
        """The next requests are answered with the status, and nothing comes of them."""
        headers = {"Retry-After": retry_after} if retry_after is not None else {}
        if code == "insufficient_claims":
            headers["WWW-Authenticate"] = 'Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3M="'
        self.faults.extend([Fault(GraphError(status, code or f"Status{status}", headers))] * times)

    def hang_after_commit(self, times: int = 1) -> None:
        """The next changes are made and never answered."""
        self.faults.extend([Fault(hang=True)] * times)

    # ── the wire ──────────────────────────────────────────────────────────────────────────────────────────────────

    @web.middleware
    async def checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Errors as Graph tells them."""
        try:
            return await handler(request)
        except GraphError as error:
            told = {"error": {"code": error.code, "message": f"About {request.path_qs}: {error.code}."}}
            return web.json_response(told, status=error.status, headers=error.headers)
        except (WrongRequest, web.HTTPException, ArithmeticError, LookupError, TypeError, ValueError) as error:
            self.violations.append(f"{request.method} {request.path_qs}: {type(error).__name__} {error}")
            return web.json_response({"error": {"code": "BadRequest", "message": self.violations[-1]}}, status=400)

    def graph(self, scope: str, handler: Handler) -> Handler:
        """A route of Graph: faults, the credential and its scope, the headers, and how many at once."""

        async def answer(request: web.Request) -> web.StreamResponse:
            self.requests.append(f"{request.method} {request.path_qs}")
            fault = self._fault(request.method)
            if fault.error is not None:
                raise fault.error
            grant = self.login.granted(request.headers.get("Authorization", ""))
            if grant is None:
                raise GraphError(
                    401, "InvalidAuthenticationToken", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
                )
            if scope not in grant.scopes:
                raise GraphError(403, "ErrorAccessDenied")
            preferences(request)
            request[MAILBOX] = self.mailboxes[grant.address]
            self.under_way[grant.address] += 1
            self.most_at_once = max(self.most_at_once, self.under_way[grant.address])
            try:
                if self.under_way[grant.address] > _AT_ONCE:
                    raise GraphError(429, "ApplicationThrottled", {"Retry-After": "1"})
                if self.held is not None:
                    await self.held.wait()
                answered = await handler(request)
            finally:
                self.under_way[grant.address] -= 1
            if fault.hang:
                await self.over.wait()
            if fault.cut and request.transport is not None:
                self.cuts += 1
                request.transport.abort()
            return answered

        return answer

    def _fault(self, method: str) -> Fault:
        if self.faults and (not self.faults[0].hang or method in _CHANGES):
            return self.faults.popleft()
        self.changes += method in _CHANGES
        return Fault(cut=method in _CHANGES and bool(self.cut_every) and self.changes % self.cut_every == 0)

    def _calendar(self, request: web.Request) -> str:
        calendar = request.match_info["calendar"]
        if calendar not in request[MAILBOX].calendars:
            raise GraphError(404, "ErrorItemNotFound")
        return calendar

    def _event(self, request: web.Request) -> GraphEvent:
        calendar = self._calendar(request)
        event = request[MAILBOX].events.get(request.match_info["event"])
        if event is None or event.calendar != calendar:
            raise GraphError(404, "ErrorItemNotFound")
        return event

    def _page(self, request: web.Request, found: list[dict[str, Any]], fields: frozenset[str]) -> web.Response:
        """A page from `$skip` on, and the link to the next."""
        query = request.query
        begin, size = int(query.get("$skip", "0")), min(top_of(query), self.page_size)
        page = [{name: each[name] for name in each if name in fields} for each in found[begin : begin + size]]
        answer: dict[str, Any] = {"@odata.context": f"{self.api_url}/$metadata", "value": page}
        if begin + size < len(found):
            url = request.url.update_query({"$skip": str(begin + size)})
            answer["@odata.nextLink"] = f"{self.elsewhere or self.url}{url.raw_path_qs}"
        return web.json_response(answer)

    # ── the resources ─────────────────────────────────────────────────────────────────────────────────────────────

    async def me(self, request: web.Request) -> web.Response:
        fields = selected(query_of(request, allowed="$select"), USER_FIELDS)
        mailbox = request[MAILBOX]
        user = {
            "id": secrets.token_hex(8),
            "mail": None if mailbox.personal else mailbox.address,
            "userPrincipalName": mailbox.address,
            "displayName": "Anna",
        }
        return web.json_response({name: user[name] for name in user if name in fields})

    async def list_calendars(self, request: web.Request) -> web.Response:
        fields = selected(query_of(request, allowed="$select $top $skip"), CALENDAR_FIELDS)
        found = [
            {"id": each.id, "name": each.name, "isDefaultCalendar": each.is_default, "canEdit": each.can_edit}
            for each in request[MAILBOX].calendars.values()
        ]
        return self._page(request, found, fields)

    async def calendar_view(self, request: web.Request) -> web.Response:
        query = query_of(request, allowed="$select $top $skip", needed="startDateTime endDateTime")
        fields = selected(query, EVENT_FIELDS)
        found = request[MAILBOX].view(self._calendar(request), *window_of(query))
        return self._page(request, [resource(each) for each in found], fields)

    async def search(self, request: web.Request) -> web.Response:
        query = query_of(request, allowed="$select $top $skip", needed="$filter")
        fields, calendar = selected(query, EVENT_FIELDS), self._calendar(request)
        name, value = property_of(query)
        found = [
            master(event)
            for event in request[MAILBOX].events.values()
            if event.calendar == calendar and event.properties.get(name) == value
        ]
        return self._page(request, found, fields)

    async def create(self, request: web.Request) -> web.Response:
        query_of(request, allowed="")
        calendar, mailbox = self._calendar(request), request[MAILBOX]
        wanted = created(await body_of(request))
        if not mailbox.calendars[calendar].can_edit:
            raise GraphError(403, "ErrorAccessDenied")
        if (known := mailbox.transactions.get(wanted["transaction_id"])) is not None:
            event = mailbox.events.get(known)
            if event is None or not self.replays_answer:
                raise GraphError(409, "ErrorDuplicateTransactionId")
        else:
            event = mailbox.plant(wanted.pop("start"), wanted.pop("end"), calendar=calendar, **wanted)
        return web.json_response(master(event), status=201)

    async def read(self, request: web.Request) -> web.Response:
        fields = selected(query_of(request, allowed="$select"), EVENT_FIELDS)
        found = master(self._event(request))
        return web.json_response({name: found[name] for name in found if name in fields})

    async def change(self, request: web.Request) -> web.Response:
        query_of(request, allowed="")
        wanted = changed(await body_of(request))
        event = self._event(request)
        event.subject = wanted["subject"]
        request[MAILBOX].move(event.id, wanted["start"], wanted["end"])
        return web.json_response(master(event))

    async def delete(self, request: web.Request) -> web.Response:
        query_of(request, allowed="")
        request[MAILBOX].delete(self._event(request).id)
        return web.Response(status=204)

    async def cancel(self, request: web.Request) -> web.Response:
        query_of(request, allowed="")
        body = await body_of(request)
        if body.keys() != {"Comment"} or not isinstance(body["Comment"], str):
            raise WrongRequest("a cancellation of another form")
        event = self._event(request)
        if not event.is_organizer or not event.attendees:
            raise WrongRequest("a cancellation of what is no meeting of this mailbox")
        request[MAILBOX].cancelled.append(event)
        request[MAILBOX].delete(event.id)
        return web.Response(status=202)

    async def delta(self, request: web.Request) -> web.Response:
        preferred = preferences(request)
        calendar, mailbox = self._calendar(request), request[MAILBOX]
        size = [int(each.partition("=")[2]) for each in preferred if each.startswith("odata.maxpagesize=")]
        if len(size) != 1:
            raise WrongRequest("a delta without odata.maxpagesize")
        if "startDateTime" in request.query:
            query = query_of(request, allowed="", needed="startDateTime endDateTime")
            at = Round(calendar, window_of(query))
            self._advance(mailbox, at)
        else:
            name = "$skiptoken" if "$skiptoken" in request.query else "$deltatoken"
            known = self.rounds.get(query_of(request, allowed="", needed=name)[name])
            if known is None or known.calendar != calendar:
                raise GraphError(410, "SyncStateNotFound", {"Location": f"{self.url}/v1.0/nowhere"})
            at = Round(calendar, known.window, dict(known.told), list(known.left))
            if name == "$deltatoken":
                self._advance(mailbox, at)
        most = min(size[0], self.page_size)
        page, at.left = at.left[:most], at.left[most:]
        token = secrets.token_urlsafe(24)
        self.rounds[token] = at
        link, name = ("nextLink", "$skiptoken") if at.left else ("deltaLink", "$deltatoken")
        url = f"{self.elsewhere or self.url}{request.url.raw_path}?{name}={token}"
        return web.json_response({"@odata.context": "…", "value": page, f"@odata.{link}": url})

    def _advance(self, mailbox: Mailbox, at: Round) -> None:
        """What changed in the window since it was told; a series comes before its occurrences, which say little."""
        seen = mailbox.view(at.calendar, *at.window)
        now = {each.id: each.event.version for each in seen} | {
            each.event.id: each.event.version for each in seen if each.event.weekly
        }
        for event in {each.event.id: each.event for each in seen if each.event.weekly}.values():
            if self.shows_series and at.told.get(event.id) != event.version:
                at.left.append(master(event))
        for each in seen:
            if at.told.get(each.id) != each.event.version:
                at.left.append(short(each) if each.event.weekly else resource(each))
        at.left.extend({"id": gone, "@removed": {"reason": "deleted"}} for gone in at.told.keys() - now.keys())
        at.told = now
