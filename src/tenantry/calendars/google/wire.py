"""What the Calendar API says and is told, and what it means here."""

import base64
import html
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from tenantry.calendars.base import WebHook
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, RemoteEvent, Watch
from tenantry.domain.ids import new_id
from tenantry.domain.wall_time import day_begins

_KEY_PROPERTY = "tenantryBooking"
_EVENT_FIELDS = (
    "id,status,etag,start,end,transparency,attendees(self,responseStatus),extendedProperties(private)"  # of Event
)


class When(msgspec.Struct, rename="camel"):
    """A day, or an instant with its offset; only cancelled events have neither."""

    date: str | None = None
    date_time: str | None = None


class Participant(msgspec.Struct, rename="camel"):
    """An attendee; `own` is the calendar that the event is read in."""

    own: bool = msgspec.field(default=False, name="self")
    response_status: str = "needsAction"


class Properties(msgspec.Struct):
    """Those of extended properties that no attendee sees."""

    private: dict[str, str] = {}


class Event(msgspec.Struct, rename="camel"):
    """A single event or one occurrence; of a deleted one, only `id` and `status` are sure to be there."""

    id: str
    status: str = "confirmed"
    etag: str | None = None
    start: When = msgspec.field(default_factory=When)
    end: When = msgspec.field(default_factory=When)
    transparency: str = "opaque"
    attendees: list[Participant] = []
    extended_properties: Properties = msgspec.field(default_factory=Properties)

    FIELDS = _EVENT_FIELDS

    @property
    def gone(self) -> bool:
        """Whether it was deleted or cancelled."""
        return self.status == "cancelled"

    @property
    def all_day(self) -> bool:
        """Whether it is of days, which begin at midnight of a zone that the event does not have."""
        return self.start.date is not None


class Page(msgspec.Struct, rename="camel"):
    """Part of a list; the next one is asked for by its token."""

    next_page_token: str | None = None


class EventPage(Page, rename="camel", kw_only=True):
    """Events of a calendar in that `time_zone`; the last page has the token for what changes from then on."""

    time_zone: str
    items: list[Event] = []
    next_sync_token: str | None = None

    FIELDS = f"nextPageToken,nextSyncToken,timeZone,items({_EVENT_FIELDS})"


class ListedCalendar(msgspec.Struct, rename="camel"):
    """A calendar in the list of an account; `summary_override` is what its user calls it."""

    id: str
    summary: str = ""
    summary_override: str | None = None
    primary: bool = False
    access_role: str = "reader"


class CalendarPage(Page, rename="camel"):
    """Calendars in the list of an account."""

    items: list[ListedCalendar] = []

    FIELDS = "nextPageToken,items(id,summary,summaryOverride,primary,accessRole)"


class Period(msgspec.Struct):
    """When a calendar is busy, as RFC 3339 texts."""

    start: str
    end: str


class Reason(msgspec.Struct):
    """Why something failed, in a word such as "notFound"."""

    reason: str = ""


class CalendarBusy(msgspec.Struct):
    """When one calendar is busy, or why that is not known."""

    busy: list[Period] = []
    errors: list[Reason] = []


class FreeBusy(msgspec.Struct):
    """When calendars are busy, by their ids."""

    calendars: dict[str, CalendarBusy]


class Channel(msgspec.Struct, rename="camel"):
    """Where Google tells of changes: `resource_id` names what it watches, `expiration` is in ms since 1970."""

    id: str
    resource_id: str
    expiration: str

    FIELDS = "id,resourceId,expiration"

    @property
    def watch(self) -> Watch:
        """As it is kept. Raises ValueError when it has no valid end."""
        return Watch(self.id, self.resource_id, datetime.fromtimestamp(int(self.expiration) / 1000, UTC))


class ErrorDetails(msgspec.Struct):
    """The first of `errors` says what happened."""

    errors: list[Reason] = []


class ErrorAnswer(msgspec.Struct):
    """The body of an answer that is not 2xx."""

    error: ErrorDetails


def event_id(key: UUID) -> str:
    """The id of the event that is made for a key: base32hex in lower case, which is all that ids may consist of."""
    return base64.b32hexencode(key.bytes).decode().rstrip("=").lower()


def remote_event(event: Event, zone: ZoneInfo) -> RemoteEvent:
    """The event, which is not gone, of a calendar in the zone."""
    declined = any(one.own and one.response_status == "declined" for one in event.attendees)
    busy = event.transparency != "transparent" and not declined
    return RemoteEvent(event.id, _slot(event, zone), busy=busy, tag=event.etag, key=_key(event))


def _slot(event: Event, zone: ZoneInfo) -> Interval:
    return Interval(_instant(event.start, zone), _instant(event.end, zone))


def _instant(when: When, zone: ZoneInfo) -> datetime:
    if when.date is not None:
        return day_begins(date.fromisoformat(when.date), zone)
    return read_instant(when.date_time or "")


def _key(event: Event) -> UUID | None:
    try:
        key = UUID(event.extended_properties.private.get(_KEY_PROPERTY, ""))
    except ValueError:
        return None
    # An event that its owner duplicates keeps the properties, and gets an id of its own.
    return key if event.id == event_id(key) else None


def read_instant(text: str) -> datetime:
    """The UTC instant of an RFC 3339 text. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)


def written(instant: datetime) -> str:
    """An instant as RFC 3339; fractions of a second, which the API ignores, are cut off."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def window_query(window: Interval) -> dict[str, str]:
    """The least window in whole seconds that the window is in."""
    end = window.end if window.end.microsecond == 0 else window.end + timedelta(seconds=1)
    return {"timeMin": written(window.start), "timeMax": written(end)}


def new_event(appointment: Appointment) -> dict[str, Any]:
    """The body that makes the event of the appointment's key."""
    body: dict[str, Any] = {
        "id": event_id(appointment.key),
        **_words(appointment),
        "start": _at(appointment.slot.start, appointment.time_zone),
        "end": _at(appointment.slot.end, appointment.time_zone),
        "extendedProperties": {"private": {_KEY_PROPERTY: str(appointment.key)}},
    }
    if appointment.attendee is not None:
        named = {"displayName": appointment.attendee.name} if appointment.attendee.name else {}
        body["attendees"] = [{"email": appointment.attendee.email, **named}]
    return body


def new_channel(hook: WebHook, until: datetime) -> dict[str, Any]:
    """The body that makes a channel to the hook."""
    return {
        "id": str(new_id()),
        "type": "web_hook",
        "address": hook.url,
        "token": hook.secret,
        "expiration": str(int(until.timestamp() * 1000)),
    }


def event_patch(appointment: Appointment) -> dict[str, Any]:
    """The body that brings an event to the appointment's slot and words, also one that its owner made all-day; the
    attendees stay, with what they answered."""
    return {
        **_words(appointment),
        "start": {**_at(appointment.slot.start, appointment.time_zone), "date": None},
        "end": {**_at(appointment.slot.end, appointment.time_zone), "date": None},
    }


def _at(instant: datetime, time_zone: str) -> dict[str, Any]:
    return {"dateTime": written(instant), "timeZone": time_zone}


def _words(appointment: Appointment) -> dict[str, str]:
    # Descriptions are HTML, and what stands in them was said by strangers.
    return {"summary": appointment.title, "description": html.escape(appointment.description, quote=False)}
