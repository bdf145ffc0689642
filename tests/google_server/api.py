"""The Calendar API v3 over the accounts of the server."""

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from aiohttp import web

from tests.google_server.calendars import GoogleCalendar, Resource, instant
from tests.google_server.channels import Channels, channel_faults
from tests.google_server.checks import event_faults, free_busy_faults, partial, query_faults, scopes_of
from tests.google_server.oauth import GoogleOAuth

Calendars = dict[str, GoogleCalendar]
_Method = Callable[[web.Request, Calendars], Awaitable[web.StreamResponse]]
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class CalendarApi:
    """The methods that a calendar needs. `told` is the `sendUpdates` of each change, `page_size` the most items of a
    page. What is wrong with a request is kept in `violations`, and answered with 400. With `patches_deleted`, a patch
    of a deleted event is taken and leaves it deleted, which the documentation does not exclude."""

    def __init__(self, oauth: GoogleOAuth, accounts: dict[str, Calendars], violations: list[str]) -> None:
        self.page_size = 250
        self.patches_deleted = False
        self.told: list[tuple[str, str]] = []
        self.channels = Channels()
        self._oauth = oauth
        self._accounts = accounts
        self._violations = violations
        self._pages: dict[str, tuple[dict[str, str], list[Resource], Resource]] = {}
        self._numbers: Iterator[int] = count(1)

    def add_routes(self, router: web.UrlDispatcher, root: str) -> None:
        """Serve the methods under `root`."""
        events = f"{root}/calendars/{{calendar}}/events"
        for verb, path, name, method in (
            ("GET", f"{root}/users/me/calendarList", "calendarList.list", self._list_calendars),
            ("GET", f"{root}/users/me/calendarList/{{calendar}}", "calendarList.get", self._get_calendar),
            ("GET", events, "events.list", self._list_events),
            ("POST", events, "events.insert", self._insert),
            ("GET", f"{events}/{{event}}", "events.get", self._get),
            ("PATCH", f"{events}/{{event}}", "events.patch", self._patch),
            ("DELETE", f"{events}/{{event}}", "events.delete", self._delete),
            ("POST", f"{events}/watch", "events.watch", self._watch),
            ("POST", f"{root}/channels/stop", "channels.stop", self._stop),
            ("POST", f"{root}/freeBusy", "freebusy.query", self._free_busy),
        ):
            router.add_route(verb, path, self._checked(name, method))
        router.add_route("*", f"{root}/{{rest:.*}}", self._unknown)

    def _checked(self, name: str, method: _Method) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                if faults := query_faults(name, dict(request.query)):
                    raise self._invalid(name, faults)
                return await method(request, self._calendars_of(name, request))
            except _Refused as refused:
                return _error(refused.status, refused.reason)
            except ValueError as error:
                # What was sent cannot be read: no JSON, no date, no list of fields.
                self._violations.append(f"{name}: {error}")
                return _error(400, "badRequest")

        return handle

    def _calendars_of(self, name: str, request: web.Request) -> Calendars:
        authorization = request.headers.get("Authorization", "")
        if not authorization.startswith("Bearer "):
            raise self._invalid(name, ["no bearer token"])
        grant = self._oauth.grant_of(authorization)
        if grant is None:
            raise _Refused(401, "authError")
        if not grant.scopes & scopes_of(name):
            raise _Refused(403, "insufficientPermissions")
        return self._accounts[grant.account]

    def _invalid(self, name: str, faults: list[str]) -> _Refused:
        self._violations.append(f"{name}: {', '.join(faults)}")
        return _Refused(400, "badRequest")

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        self._violations.append(f"no such method: {request.method} {request.path}")
        return _error(404, "notFound")

    async def _body(self, name: str, request: web.Request) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise self._invalid(name, [f"a body of {request.content_type}"])
        return json.loads(await request.read())

    async def _list_calendars(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        return self._listed(request, [_calendar_entry(one) for one in calendars.values()], {}, {})

    async def _get_calendar(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        return _answer(request, _calendar_entry(_found(request, calendars)))

    async def _list_events(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        calendar = _found(request, calendars)
        query = dict(request.query)
        since = _instant_of(query.get("timeMin"), _BEGINNING)
        if token := query.get("syncToken"):
            if token not in calendar.tokens:
                raise _Refused(410, "fullSyncRequired")
            version, since = calendar.tokens[token]
            changed = (each for event in calendar.changed(version) for each in calendar.occurrences(event))
            items = [_synchronized(one) for one in changed if _is_cancelled(one) or calendar.span(one)[1] > since]
        elif query.get("singleEvents") == "true":
            until = _instant_of(query.get("timeMax"), datetime.max.replace(tzinfo=UTC))
            every = ((calendar.span(one), one) for one in calendar.live())
            items = [one for (start, end), one in every if start < until and end > since]
        else:
            items = [one for one in calendar.events.values() if not _is_cancelled(one)]
        items = [_seen(one, query) for one in items]
        last = {} if "timeMax" in query else {"nextSyncToken": calendar.token(since)}
        return self._listed(request, items, {"timeZone": calendar.time_zone}, last)

    def _listed(
        self, request: web.Request, items: list[Resource], always: Resource, last: Resource
    ) -> web.StreamResponse:
        """The first page, or the one that is asked for; `last` comes with the last."""
        query = dict(request.query)
        token = query.pop("pageToken", None)
        if token is not None:
            if token not in self._pages or self._pages[token][0] != query:
                raise self._invalid("list", ["a page of another list"])
            _, items, last = self._pages[token]
        size = min(self.page_size, int(query.get("maxResults", 250)))
        page, rest = items[:size], items[size:]
        if not rest:
            return _answer(request, {**always, "items": page, **last})
        following = f"page-{next(self._numbers)}"
        self._pages[following] = (query, rest, last)
        return _answer(request, {**always, "items": page, "nextPageToken": following})

    async def _get(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        event = _event(request, _found(request, calendars))
        return _answer(request, _seen(event, dict(request.query)))

    async def _insert(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        event = await self._body("events.insert", request)
        if faults := event_faults(event, whole=True):
            raise self._invalid("events.insert", faults)
        calendar = _writable(request, calendars)
        if event.get("id") in calendar.events:
            raise _Refused(409, "duplicate")
        for one in event.get("attendees", ()):
            one.setdefault("responseStatus", "needsAction")
        made = calendar.put(event)
        self.told.append(("insert", request.query.get("sendUpdates", "none")))
        return _answer(request, made)

    async def _patch(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        patch = await self._body("events.patch", request)
        if faults := event_faults(patch, whole=False):
            raise self._invalid("events.patch", faults)
        calendar = _writable(request, calendars)
        event = _event(request, calendar)
        if _is_cancelled(event) and not self.patches_deleted:
            raise _Refused(403, "forbidden")
        patched = _merged(event, patch)
        if any("date" in patched[side] and "dateTime" in patched[side] for side in ("start", "end")):
            raise self._invalid("events.patch", ["both a date and a time after the patch"])
        self.told.append(("patch", request.query.get("sendUpdates", "none")))
        return _answer(request, calendar.put(patched))

    async def _delete(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        calendar = _writable(request, calendars)
        event = _event(request, calendar)
        if _is_cancelled(event):
            raise _Refused(410, "deleted")
        calendar.cancel(event["id"])
        self.told.append(("delete", request.query.get("sendUpdates", "none")))
        return web.Response(status=204)

    async def _watch(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        body = await self._body("events.watch", request)
        if faults := channel_faults(body, self.channels.held):
            raise self._invalid("events.watch", faults)
        if not self.channels.authorized:
            raise _Refused(401, "push.webhookUrlUnauthorized")
        return _answer(request, self.channels.open(body, _found(request, calendars)).told())

    async def _stop(self, request: web.Request, _: Calendars) -> web.StreamResponse:
        body = await self._body("channels.stop", request)
        if body.keys() != {"id", "resourceId"}:
            raise self._invalid("channels.stop", [f"a channel of {sorted(body)}"])
        if not self.channels.stop(body):
            raise _Refused(404, "channelUnknown")
        return web.Response(status=204)

    async def _free_busy(self, request: web.Request, calendars: Calendars) -> web.StreamResponse:
        body = await self._body("freebusy.query", request)
        if faults := free_busy_faults(body):
            raise self._invalid("freebusy.query", faults)
        window = _instant_of(body["timeMin"], _BEGINNING), _instant_of(body["timeMax"], _BEGINNING)
        told: dict[str, Resource] = {}
        for item in body["items"]:
            calendar = calendars.get(item["id"])
            if calendar is None:
                told[item["id"]] = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
                continue
            spans = calendar.busy(window)
            told[item["id"]] = {"busy": [{"start": _written(start), "end": _written(end)} for start, end in spans]}
        return _answer(request, {"kind": "calendar#freeBusy", "calendars": told})


def _found(request: web.Request, calendars: Calendars) -> GoogleCalendar:
    wanted = request.match_info["calendar"]
    for calendar in calendars.values():
        if calendar.id == wanted or (wanted == "primary" and calendar.primary):
            return calendar
    raise _Refused(404, "notFound")


def _writable(request: web.Request, calendars: Calendars) -> GoogleCalendar:
    calendar = _found(request, calendars)
    if calendar.role not in {"writer", "owner"}:
        raise _Refused(403, "requiredAccessLevel")
    return calendar


def _event(request: web.Request, calendar: GoogleCalendar) -> Resource:
    event = calendar.events.get(request.match_info["event"])
    if event is None:
        raise _Refused(404, "notFound")
    return event


def _is_cancelled(event: Resource) -> bool:
    return event["status"] == "cancelled"


def _synchronized(event: Resource) -> Resource:
    """A deleted event has little more than its id."""
    return {name: event[name] for name in ("kind", "id", "status", "etag")} if _is_cancelled(event) else event


def _seen(event: Resource, query: dict[str, str]) -> Resource:
    """With more than `maxAttendees`, only whoever looks at it is left of them."""
    attendees = event.get("attendees", [])
    if len(attendees) <= int(query.get("maxAttendees", len(attendees))):
        return event
    return {**event, "attendees": [one for one in attendees if one.get("self")], "attendeesOmitted": True}


def _merged(event: Resource, patch: Resource) -> Resource:
    """The patch semantics of the API: objects are merged, null takes away, all else is replaced."""
    merged = dict(event)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merged(merged.get(name, {}), value)
        else:
            merged[name] = value
    return merged


def _calendar_entry(calendar: GoogleCalendar) -> Resource:
    primary = {"primary": True} if calendar.primary else {}
    return {
        "kind": "calendar#calendarListEntry",
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "accessRole": calendar.role,
        **primary,
    }


def _instant_of(text: str | None, default: datetime) -> datetime:
    return default if text is None else instant({"dateTime": text}, UTC)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _answer(request: web.Request, body: Resource) -> web.Response:
    return web.json_response(partial(body, request.query.get("fields")))


def _error(status: int, reason: str) -> web.Response:
    told = {"code": status, "message": reason, "errors": [{"domain": "global", "reason": reason, "message": reason}]}
    return web.json_response({"error": told}, status=status)
