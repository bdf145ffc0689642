"""What Microsoft Graph takes: the queries, bodies and headers of each request, by its reference."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping

from tests.graph_mailbox import ZONES, Mailbox

EVENT_FIELDS = frozenset(
    {"id", "changeKey", "subject", "body", "bodyPreview", "type", "seriesMasterId", "start", "end", "isAllDay"}
    | {"isCancelled", "isOrganizer", "showAs", "originalStartTimeZone", "originalEndTimeZone", "attendees"}
    | {"transactionId"}
)
CALENDAR_FIELDS = frozenset({"id", "name", "isDefaultCalendar", "canEdit", "owner"})
USER_FIELDS = frozenset({"id", "mail", "userPrincipalName", "displayName"})
MAILBOX = web.RequestKey("mailbox", Mailbox)
_PREFERRED = {'IdType="ImmutableId"', 'outlook.timezone="UTC"'}
_PROPERTY = re.compile(
    r"String \{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\} Name \w+", re.IGNORECASE
)
_FILTER = re.compile(
    r"singleValueExtendedProperties/any\(ep: ep/id eq '(String \{[^']+\} Name \w+)' and ep/value eq '([^']*)'\)"
)


class GraphError(Exception):
    """An answer of Graph that is an error."""

    def __init__(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers or {}


class WrongRequest(Exception):
    """What a client must not send."""


def preferences(request: web.Request) -> set[str]:
    """Of the `Prefer` headers, among which are those that every request needs."""
    preferred = {part.strip() for value in request.headers.getall("Prefer", []) for part in value.split(",")}
    if missing := _PREFERRED - preferred:
        raise WrongRequest(f"no Prefer: {sorted(missing)}")
    return preferred


def query_of(request: web.Request, *, allowed: str, needed: str = "") -> Mapping[str, str]:
    """The query, which has no other names than the allowed ones, none twice, and all that are needed."""
    query: MultiMapping[str] = request.query
    names = list(query.keys())
    if len(set(names)) != len(names) or not {*needed.split()} <= {*names} <= {*allowed.split(), *needed.split()}:
        raise WrongRequest(f"a query of {names}")
    return query


def window_of(query: Mapping[str, str]) -> tuple[datetime, datetime]:
    """The window, whose ends have an offset."""
    start, end = (datetime.fromisoformat(query[name]) for name in ("startDateTime", "endDateTime"))
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise WrongRequest("a window without offsets, or an empty one")
    return start, end


def selected(query: Mapping[str, str], known: frozenset[str]) -> frozenset[str]:
    """The fields of `$select`."""
    fields = frozenset(query["$select"].split(",")) if "$select" in query else known
    if not fields <= known:
        raise WrongRequest(f"no such field: {sorted(fields - known)}")
    return fields


def top_of(query: Mapping[str, str], most: int = 1000) -> int:
    """The wanted size of a page."""
    top = int(query.get("$top", "10"))
    if not 1 <= top <= most:
        raise WrongRequest(f"$top {top}")
    return top


def property_of(query: Mapping[str, str]) -> tuple[str, str]:
    """The id and the value of the extended property that is looked for."""
    found = _FILTER.fullmatch(query["$filter"])
    if found is None:
        raise WrongRequest(f"a filter of another form: {query['$filter']}")
    _property_id(found[1])
    return found[1], found[2]


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object that was sent."""
    if request.content_type != "application/json":
        raise WrongRequest(f"a body of {request.content_type}")
    body = json.loads(await request.read())
    if not isinstance(body, dict):
        raise WrongRequest("a body that is no object")
    return body


def created(body: dict[str, Any]) -> dict[str, Any]:
    """What `Mailbox.plant` needs of the body of a new event."""
    needed = {"subject", "body", "start", "end", "transactionId", "singleValueExtendedProperties"}
    if not needed <= body.keys() <= {*needed, "attendees", "showAs"}:
        raise WrongRequest(f"an event of {sorted(body)}")
    if body["body"].keys() != {"contentType", "content"} or body["body"]["contentType"] not in {"text", "html"}:
        raise WrongRequest("a body of an event of another form")
    if body.get("showAs", "busy") not in {"free", "tentative", "busy", "oof", "workingElsewhere"}:
        raise WrongRequest(f"showAs {body['showAs']}")
    UUID(body["transactionId"])
    properties = body["singleValueExtendedProperties"]
    for each in properties:
        if each.keys() != {"id", "value"} or not isinstance(each["value"], str):
            raise WrongRequest("an extended property of another form")
        _property_id(each["id"])
    for attendee in body.get("attendees", []):
        address = attendee.get("emailAddress", {})
        if attendee.keys() != {"emailAddress", "type"} or attendee["type"] not in {"required", "optional"}:
            raise WrongRequest("an attendee of another form")
        if address.keys() != {"address", "name"} or "@" not in address["address"]:
            raise WrongRequest("an address of another form")
    return {
        **changed(body, allowed=body.keys()),
        "body": body["body"]["content"],
        "show_as": body.get("showAs", "busy"),
        "transaction_id": body["transactionId"],
        "properties": {each["id"]: each["value"] for each in properties},
        "attendees": body.get("attendees", []),
        "zone": "UTC",
    }


def changed(body: dict[str, Any], *, allowed: Any = frozenset({"subject", "start", "end"})) -> dict[str, Any]:
    """The subject and the times of an event. A body is not among what may be changed: it may hold an online meeting."""
    if not {"subject", "start", "end"} <= body.keys() <= {*allowed} or not isinstance(body["subject"], str):
        raise WrongRequest(f"a change of {sorted(body)}")
    start, end = _instant(body["start"]), _instant(body["end"])
    if start >= end:
        raise WrongRequest("an event that ends before it starts")
    return {"subject": body["subject"], "start": start, "end": end}


def _instant(value: dict[str, str]) -> datetime:
    wall = datetime.fromisoformat(value["dateTime"])
    if value.keys() != {"dateTime", "timeZone"} or wall.tzinfo is not None or value["timeZone"] not in ZONES:
        raise WrongRequest(f"a time of another form: {value}")
    return wall.replace(tzinfo=ZONES[value["timeZone"]]).astimezone(UTC)


def _property_id(text: str) -> None:
    if not _PROPERTY.fullmatch(text):
        raise WrongRequest(f"the id of an extended property: {text}")
