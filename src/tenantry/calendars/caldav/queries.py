"""The reports that calendars on a CalDAV server are asked for (RFC 4791, RFC 6578)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

from tenantry.calendars.caldav.dav import GONE, CalendarObject, Dav, beside_the_loop, refused
from tenantry.calendars.caldav.multistatus import (
    CALDAV,
    CALENDAR_SERVER,
    DAV,
    Response,
    element,
    parse,
    properties,
    request,
)
from tenantry.calendars.caldav.reading import uid_of, zone_named_in

_TAG = f"{DAV}getetag"
_DATA = f"{CALDAV}calendar-data"
_SYNC_TOKEN = f"{DAV}sync-token"
_CTAG = f"{CALENDAR_SERVER}getctag"
_TIMEZONE = f"{CALDAV}calendar-timezone"
_TIMEZONE_ID = f"{CALDAV}calendar-timezone-id"
# Objects in one answer, so that it stays far below what is read at most.
_AT_ONCE = 100


class TokenUnknown(Exception):
    """The server does not say what changed since this sync token."""


@dataclass(frozen=True, slots=True)
class State:
    """How a calendar stands, by whichever of both the server keeps; each is empty where it keeps none."""

    sync_token: str
    ctag: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The paths of the objects that changed and of those that are gone; with `more`, there are others after the
    token."""

    changed: tuple[str, ...]
    gone: frozenset[str]
    sync_token: str
    more: bool


async def objects_between(dav: Dav, calendar: str, start: datetime, end: datetime) -> list[CalendarObject]:
    """The objects with an event or occurrence in the time range, UTC."""
    times = element(f"{CALDAV}time-range", None, start=_utc(start), end=_utc(end))
    return _objects(dav, calendar, await _query(dav, calendar, times, [_TAG, _DATA]))


async def objects_from(dav: Dav, calendar: str, start: datetime) -> list[CalendarObject]:
    """The objects with an event or occurrence after `start`, UTC: as many as there are, asked for in parts."""
    times = element(f"{CALDAV}time-range", None, start=_utc(start))
    found = await _query(dav, calendar, times, [_TAG])
    return await objects_at(dav, calendar, [dav.path(each.href, calendar) for each in found])


async def objects_of(dav: Dav, calendar: str, key: UUID) -> list[CalendarObject]:
    """The object of a booking, whatever it is called in its calendar by now; some servers give others as well."""
    match = element(f"{CALDAV}text-match", uid_of(key), collation="i;octet")
    by_uid = element(f"{CALDAV}prop-filter", None, match, name="UID")
    return _objects(dav, calendar, await _query(dav, calendar, by_uid, [_TAG, _DATA]))


async def objects_at(dav: Dav, calendar: str, paths: Sequence[str]) -> list[CalendarObject]:
    """The objects at these paths, without those that are gone meanwhile."""
    found: list[CalendarObject] = []
    for begin in range(0, len(paths), _AT_ONCE):
        hrefs = [element(f"{DAV}href", path) for path in paths[begin : begin + _AT_ONCE]]
        body = request(f"{CALDAV}calendar-multiget", properties([_TAG, _DATA]), *hrefs)
        found += _objects(dav, calendar, (await dav.report(calendar, body)).responses)
    return found


async def state(dav: Dav, calendar: str) -> State:
    """How the calendar stands now."""
    for found in await dav.propfind(calendar, 0, [_SYNC_TOKEN, _CTAG]):
        return State(found.text(_SYNC_TOKEN), found.text(_CTAG))
    return State("", "")


async def delta(dav: Dav, calendar: str, sync_token: str) -> Delta:
    """What changed since the token was given out. Raises TokenUnknown."""
    asked = (element(_SYNC_TOKEN, sync_token), element(f"{DAV}sync-level", "1"), properties([_TAG]))
    answer = await dav.try_report(calendar, request(f"{DAV}sync-collection", *asked), 0)
    if answer.status in GONE:
        raise refused(answer)
    # 403 or 409 with valid-sync-token (RFC 6578, 3.2); or a server that says it has the report, and has not.
    if answer.status != 207:
        raise TokenUnknown
    found = await beside_the_loop(parse, answer.body)
    changed: list[str] = []
    gone: set[str] = set()
    more = False
    for each in found.responses:
        path = dav.path(each.href, calendar)
        if path == calendar:
            # The calendar itself with 507: the answer was cut off (RFC 6578, 3.6).
            more = more or each.status == 507
        elif each.status in GONE:
            gone.add(path)
        else:
            changed.append(path)
    return Delta(tuple(changed), frozenset(gone), found.sync_token, more)


async def zone(dav: Dav, calendar: str) -> ZoneInfo | None:
    """The zone of the calendar's days and floating times (RFC 4791, 5.2.2; RFC 7809), None where it says none that is
    known."""
    for found in await dav.propfind(calendar, 0, [_TIMEZONE_ID, _TIMEZONE]):
        return zone_named_in(f"TZID:{found.text(_TIMEZONE_ID)}\n{found.text(_TIMEZONE)}")
    return None


async def _query(dav: Dav, calendar: str, condition: Element, names: Sequence[str]) -> tuple[Response, ...]:
    events = element(f"{CALDAV}comp-filter", None, condition, name="VEVENT")
    whole = element(f"{CALDAV}comp-filter", None, events, name="VCALENDAR")
    body = request(f"{CALDAV}calendar-query", properties(names), element(f"{CALDAV}filter", None, whole))
    return (await dav.report(calendar, body)).responses


def _utc(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def _objects(dav: Dav, calendar: str, responses: Iterable[Response]) -> list[CalendarObject]:
    return [
        CalendarObject(dav.path(each.href, calendar), each.text(_TAG) or None, text)
        for each in responses
        if (text := each.text(_DATA))
    ]
