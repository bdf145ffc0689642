"""What a mailbox of the strict server of Microsoft Graph holds."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ZONES = {
    "UTC": ZoneInfo("UTC"),
    "W. Europe Standard Time": ZoneInfo("Europe/Berlin"),
    "Eastern Standard Time": ZoneInfo("America/New_York"),
}
_WEEK = timedelta(days=7)


def opaque(prefix: str) -> str:
    """An id as Exchange makes them: it has to be escaped in a URL."""
    return f"{prefix}{base64.b64encode(b'>>?' + secrets.token_bytes(24)).decode()}AAA="


@dataclass
class GraphEvent:
    """An event, of which `weekly` occurrences come if it is not 0; `start` and `end` in UTC."""

    id: str
    calendar: str
    subject: str
    start: datetime
    end: datetime
    zone: str
    show_as: str = "busy"
    all_day: bool = False
    weekly: int = 0
    is_cancelled: bool = False
    is_organizer: bool = True
    transaction_id: str | None = None
    properties: dict[str, str] = field(default_factory=dict[str, str])
    attendees: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    body: str = ""
    version: int = 1

    @property
    def change_key(self) -> str:
        return f"{self.id[-12:-5]}v{self.version}"


@dataclass(frozen=True)
class Occurrence:
    """When an event is: a single one as it is, or one of a series."""

    id: str
    start: datetime
    end: datetime
    event: GraphEvent


@dataclass
class GraphCalendar:
    """A calendar of a mailbox."""

    id: str
    name: str
    is_default: bool = False
    can_edit: bool = True


@dataclass
class Mailbox:
    """The calendars of an account; a personal one has other ids and no `mail`. `cancelled` are the meetings that were
    cancelled for their attendees; `listeners` are called with the calendar and the kind of every change."""

    address: str
    zone: str = "W. Europe Standard Time"
    personal: bool = False
    calendars: dict[str, GraphCalendar] = field(default_factory=dict[str, GraphCalendar])
    events: dict[str, GraphEvent] = field(default_factory=dict[str, GraphEvent])
    transactions: dict[str, str] = field(default_factory=dict[str, str])
    cancelled: list[GraphEvent] = field(default_factory=list[GraphEvent])
    listeners: list[Callable[[str, str], None]] = field(default_factory=list[Callable[[str, str], None]])

    def __post_init__(self) -> None:
        self.default = self.add_calendar("Calendar", is_default=True)

    def add_calendar(self, name: str, *, is_default: bool = False, can_edit: bool = True) -> str:
        """Its id."""
        calendar = GraphCalendar(self._new_id(), name, is_default, can_edit)
        self.calendars[calendar.id] = calendar
        return calendar.id

    def plant(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        day: date | None = None,
        calendar: str | None = None,
        **others: Any,
    ) -> GraphEvent:
        """Make an event, from `start` to `end` or a whole day."""
        zone = others.pop("zone", self.zone)
        if day is not None:
            midnight = datetime.combine(day, datetime.min.time(), ZONES[zone])
            start, end = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
        assert start is not None
        assert end is not None
        event = GraphEvent(
            self._new_id(),
            calendar or self.default,
            others.pop("subject", "Private"),
            start,
            end,
            zone,
            all_day=day is not None,
            **others,
        )
        self.events[event.id] = event
        if event.transaction_id:
            self.transactions[event.transaction_id] = event.id
        self._tell(event, "created")
        return event

    def move(self, event_id: str, start: datetime, end: datetime) -> None:
        """Another time for an event."""
        event = self.events[event_id]
        event.start, event.end = start, end
        event.version += 1
        self._tell(event, "updated")

    def delete(self, event_id: str) -> None:
        """Take an event away; its transaction stays known."""
        self._tell(self.events.pop(event_id), "deleted")

    def view(self, calendar: str, start: datetime, end: datetime) -> list[Occurrence]:
        """What overlaps the window, as calendarView has it."""
        found = [each for event in self.events.values() if event.calendar == calendar for each in _occurrences(event)]
        inside = (each for each in found if _covered(each)[0] < end and start < _covered(each)[1])
        return sorted(inside, key=lambda each: (each.start, each.id))

    def _tell(self, event: GraphEvent, kind: str) -> None:
        for listener in self.listeners:
            listener(event.calendar, kind)

    def _new_id(self) -> str:
        return opaque("AQMkADAwATM0" if self.personal else "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A")


def _occurrences(event: GraphEvent) -> list[Occurrence]:
    if not event.weekly:
        return [Occurrence(event.id, event.start, event.end, event)]
    zone = ZONES[event.zone]
    first, last = event.start.astimezone(zone), event.end.astimezone(zone)
    return [
        Occurrence(
            f"{event.id[:-1]}{week}=",
            (first + week * _WEEK).astimezone(UTC),
            (last + week * _WEEK).astimezone(UTC),
            event,
        )
        for week in range(event.weekly)
    ]


def _covered(occurrence: Occurrence) -> tuple[datetime, datetime]:
    """Which windows have the occurrence. Nothing says in which zone an all-day event is looked for, so that a client
    cannot rely on any: it is its dates in UTC."""
    if not occurrence.event.all_day:
        return occurrence.start, occurrence.end
    zone = ZONES[occurrence.event.zone]
    start, end = (at.astimezone(zone).replace(tzinfo=UTC) for at in (occurrence.start, occurrence.end))
    return start, end


def times(occurrence: Occurrence) -> dict[str, Any]:
    """`start` and `end` with `Prefer: outlook.timezone="UTC"`: of an all-day event its dates, whatever its zone is."""
    zone = ZONES[occurrence.event.zone] if occurrence.event.all_day else UTC
    return {
        name: {"dateTime": f"{at.astimezone(zone):%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": "UTC"}
        for name, at in (("start", occurrence.start), ("end", occurrence.end))
    }


def resource(occurrence: Occurrence, kind: str | None = None) -> dict[str, Any]:
    """The event as Graph shows it; `kind` is its type, by default what it is in a view."""
    event = occurrence.event
    return {
        "id": occurrence.id,
        "changeKey": event.change_key,
        "subject": event.subject,
        "bodyPreview": event.body[:255],
        "body": {"contentType": "text", "content": event.body},
        "type": kind or ("occurrence" if event.weekly else "singleInstance"),
        "seriesMasterId": event.id if event.weekly and kind is None else None,
        **times(occurrence),
        "isAllDay": event.all_day,
        "isCancelled": event.is_cancelled,
        "isOrganizer": event.is_organizer,
        "showAs": event.show_as,
        "originalStartTimeZone": event.zone,
        "originalEndTimeZone": event.zone,
        "attendees": event.attendees,
        **({"transactionId": event.transaction_id} if event.transaction_id else {}),
    }


def master(event: GraphEvent) -> dict[str, Any]:
    """A series, or a single event, by its own id."""
    return resource(Occurrence(event.id, event.start, event.end, event), "seriesMaster" if event.weekly else None)


def short(occurrence: Occurrence) -> dict[str, Any]:
    """An occurrence as a delta has it: the rest is in its series."""
    return {
        "id": occurrence.id,
        "type": "occurrence",
        "seriesMasterId": occurrence.event.id,
        **times(occurrence),
    }
