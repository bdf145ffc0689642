"""What a request to the Calendar API has to look like."""

import re
from datetime import date, datetime
from typing import Any

from tenantry.domain.wall_time import ZONES

_READ = {"fields"}
QUERIES = {
    "calendarList.get": _READ,
    "calendarList.list": _READ | {"maxResults", "pageToken", "minAccessRole", "showHidden"},
    "events.list": _READ
    | {"maxResults", "pageToken", "singleEvents", "timeMin", "timeMax", "syncToken", "maxAttendees", "showDeleted"},
    "events.get": _READ | {"maxAttendees"},
    "events.insert": _READ | {"sendUpdates", "maxAttendees"},
    "events.patch": _READ | {"sendUpdates", "maxAttendees"},
    "events.delete": {"sendUpdates"},
    "events.watch": _READ,
    "channels.stop": set[str](),
    "freebusy.query": _READ,
}
_ALL = "https://www.googleapis.com/auth/calendar"
_READ_SCOPES = {_ALL, f"{_ALL}.readonly"}
_EVENTS = {_ALL, f"{_ALL}.events"}
SCOPES = {
    "calendarList": _READ_SCOPES | {f"{_ALL}.calendarlist", f"{_ALL}.calendarlist.readonly"},
    "events.list": _READ_SCOPES | _EVENTS | {f"{_ALL}.events.readonly"},
    "events.get": _READ_SCOPES | _EVENTS | {f"{_ALL}.events.readonly"},
    "events": _EVENTS,
    "events.watch": _READ_SCOPES | _EVENTS | {f"{_ALL}.events.readonly"},
    "channels": _READ_SCOPES | _EVENTS | {f"{_ALL}.events.readonly"},
    "freebusy": _READ_SCOPES | {f"{_ALL}.freebusy", f"{_ALL}.events.freebusy"},
}
_EVENT = {"id", "summary", "description", "start", "end", "attendees", "extendedProperties", "transparency"}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def scopes_of(method: str) -> set[str]:
    """The scopes of which one is enough for the method."""
    return SCOPES.get(method) or SCOPES[method.partition(".")[0]]


def query_faults(method: str, query: dict[str, str]) -> list[str]:
    """What is wrong with the parameters."""
    faults = [f"unknown parameter {name}" for name in sorted(query.keys() - QUERIES[method])]
    if "syncToken" in query and query.keys() & {"timeMin", "timeMax", "showDeleted"}:
        faults.append("syncToken together with a filter")
    faults += [f"{name} is no instant" for name in ("timeMin", "timeMax") if not _is_instant(query.get(name, _NOON))]
    if not faults and {"timeMin", "timeMax"} <= query.keys() and query["timeMin"] >= query["timeMax"]:
        faults.append("an empty window")
    if query.get("sendUpdates", "none") not in {"all", "externalOnly", "none"}:
        faults.append("sendUpdates")
    if not query.get("maxResults", "1").isdigit() or not 1 <= int(query.get("maxResults", "1")) <= 2500:
        faults.append("maxResults")
    return faults


def event_faults(event: dict[str, Any], *, whole: bool) -> list[str]:
    """What is wrong with an event to be inserted (`whole`) or with a patch."""
    faults = [f"unknown field {name}" for name in sorted(event.keys() - _EVENT)]
    if whole:
        faults += [f"{side} is missing" for side in ("start", "end") if side not in event]
        if not re.fullmatch(r"[a-v0-9]{5,1024}", event.get("id", "aaaaa")):
            faults.append("the id is not in base32hex")
    elif "id" in event:
        faults.append("the id cannot be patched")
    for side in ("start", "end"):
        faults += [f"{side}: {fault}" for fault in _time_faults(event.get(side))]
    faults += ["an attendee without e-mail" for one in event.get("attendees", ()) if "@" not in one.get("email", "")]
    return faults


def free_busy_faults(body: dict[str, Any]) -> list[str]:
    """What is wrong with a query of free/busy."""
    faults = [f"unknown field {name}" for name in sorted(body.keys() - {"timeMin", "timeMax", "items", "timeZone"})]
    if not all(_is_instant(body.get(name)) for name in ("timeMin", "timeMax")) or not body.get("items"):
        return [*faults, "a window and calendars are needed"]
    start, end = (datetime.fromisoformat(body[name]) for name in ("timeMin", "timeMax"))
    if not start < end:
        faults.append("an empty window")
    if (end - start).days >= 90:
        faults.append("timeRangeTooLong")
    if len(body["items"]) > 50:
        faults.append("tooManyCalendarsRequested")
    return faults


_NOON = "2026-01-01T12:00:00Z"


def _is_instant(text: Any) -> bool:
    return isinstance(text, str) and _INSTANT.fullmatch(text) is not None


def _time_faults(when: dict[str, Any] | None) -> list[str]:
    if when is None:
        return []
    faults = [f"unknown field {name}" for name in sorted(when.keys() - {"date", "dateTime", "timeZone"})]
    if when.get("date") is not None:
        date.fromisoformat(when["date"])
        return faults if "dateTime" not in when else [*faults, "both a date and a time"]
    if when.get("timeZone", "UTC") not in ZONES:
        faults.append("no IANA zone")
    return faults if _is_instant(when.get("dateTime")) else [*faults, "no instant with an offset"]


def partial(value: Any, mask: str | None) -> Any:
    """What `fields` leaves of an answer: "a,b(c,d/e)". Raises ValueError for a mask that is not well-formed."""
    if mask is None:
        return value
    tree, rest = _mask(mask)
    if rest:
        raise ValueError(f"fields: {rest!r} is left over")
    return _pruned(value, tree)


def _mask(text: str) -> tuple[dict[str, Any], str]:
    tree: dict[str, Any] = {}
    while True:
        found = re.match(r"[A-Za-z]+", text)
        if found is None:
            raise ValueError(f"fields: a name is missing at {text!r}")
        name, text = found[0], text[found.end() :]
        tree[name] = None
        if text.startswith("("):
            tree[name], text = _mask(text[1:])
            if not text.startswith(")"):
                raise ValueError("fields: a parenthesis is not closed")
            text = text[1:]
        if not text.startswith(","):
            return tree, text
        text = text[1:]


def _pruned(value: Any, tree: dict[str, Any] | None) -> Any:
    if tree is None:
        return value
    if isinstance(value, list):
        return [_pruned(one, tree) for one in value]
    return {name: _pruned(value[name], below) for name, below in tree.items() if name in value}
