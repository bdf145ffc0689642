"""The resources of Microsoft Graph, as far as they are read, and what they are here."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.calendars.microsoft.time_zones import zone_named
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, CalendarChoice, RemoteEvent, Watch
from tenantry.domain.wall_time import day_begins

# The name of a booking in its event, which can be searched for: MAPI's named property of a set that is Tenantry's own.
BOOKING_PROPERTY = "String {1d5d6f0e-6b0b-4c53-9a27-8e0a3c7f5b21} Name TenantryBooking"
EVENT_FIELDS = (
    "id,changeKey,type,seriesMasterId,start,end,isAllDay,isCancelled,showAs,originalStartTimeZone,transactionId"
)
CALENDAR_FIELDS = "id,name,isDefaultCalendar,canEdit"
_FREE = frozenset({"free", "workingElsewhere"})


class DateTimeTimeZone(msgspec.Struct, frozen=True, rename="camel"):
    """A wall time without offset, such as "2026-11-24T15:00:00.0000000", and its zone."""

    date_time: str
    time_zone: str = "UTC"

    @property
    def wall(self) -> datetime:
        """The wall time. Raises ValueError."""
        return datetime.fromisoformat(self.date_time)

    @property
    def instant(self) -> datetime:
        """In UTC. Raises ValueError."""
        return self.wall.replace(tzinfo=zone_named(self.time_zone)).astimezone(UTC)


class Removed(msgspec.Struct, frozen=True):
    """Why an event is no part of a view any more."""

    reason: str = ""


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """An event. A delta gives what was removed by its id, and occurrences without what they have of their series."""

    id: str
    change_key: str | None = None
    type: str | None = None
    series_master_id: str | None = None
    start: DateTimeTimeZone | None = None
    end: DateTimeTimeZone | None = None
    is_all_day: bool | None = None
    is_cancelled: bool | None = None
    show_as: str | None = None
    original_start_time_zone: str | None = None
    transaction_id: str | None = None
    removed: Removed | None = msgspec.field(default=None, name="@removed")


class EventPage(msgspec.Struct, frozen=True):
    """One page of events."""

    value: list[Event]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")
    delta_link: str | None = msgspec.field(default=None, name="@odata.deltaLink")


class Calendar(msgspec.Struct, frozen=True, rename="camel"):
    """A calendar of the mailbox, or one that is shared with it."""

    id: str
    name: str = ""
    is_default_calendar: bool = False
    can_edit: bool = False

    def choice(self) -> CalendarChoice:
        """As it is offered to its owner."""
        return CalendarChoice(self.id, self.name, primary=self.is_default_calendar, writable=self.can_edit)


class CalendarPage(msgspec.Struct, frozen=True):
    """One page of calendars."""

    value: list[Calendar]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class User(msgspec.Struct, frozen=True, rename="camel"):
    """Who signed in; a personal account may have no `mail`."""

    user_principal_name: str
    mail: str | None = None


class Meeting(msgspec.Struct, frozen=True, rename="camel"):
    """What says how an event is taken away."""

    attendees: list[dict[str, Any]] = []
    is_organizer: bool = True


class Subscription(msgspec.Struct, frozen=True, rename="camel"):
    """Who is told of changes, and until when."""

    id: str
    expiration_date_time: str

    @property
    def watch(self) -> Watch:
        """As it is kept. Raises ValueError when it has no valid end."""
        expires_at = datetime.fromisoformat(self.expiration_date_time)
        return Watch(self.id, "", expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC))


def remote_event(event: Event, series: Event | None = None) -> RemoteEvent:
    """The event, which takes from its series what it does not say itself. Raises ValueError when it has no times."""
    if event.start is None or event.end is None:
        raise ValueError("an event without times")
    of = series or event
    all_day = event.is_all_day if event.is_all_day is not None else of.is_all_day
    zone = event.original_start_time_zone or of.original_start_time_zone
    if all_day:
        # An all-day event has its dates at midnight in whatever zone times are asked for.
        place = zone_named(zone)
        slot = Interval(day_begins(event.start.wall.date(), place), day_begins(event.end.wall.date(), place))
    else:
        slot = Interval(event.start.instant, event.end.instant)
    cancelled = event.is_cancelled if event.is_cancelled is not None else of.is_cancelled
    busy = not cancelled and (event.show_as or of.show_as) not in _FREE
    return RemoteEvent(event.id, slot, busy, event.change_key, _key(event.transaction_id))


def new_event(appointment: Appointment) -> dict[str, Any]:
    """The event that is made of an appointment. With its transaction's name it is made once, by its property it is
    found again."""
    key = str(appointment.key)
    made: dict[str, Any] = {
        **changed_event(appointment),
        "body": {"contentType": "text", "content": appointment.description},
        "showAs": "busy",
        "transactionId": key,
        "singleValueExtendedProperties": [{"id": BOOKING_PROPERTY, "value": key}],
    }
    if (attendee := appointment.attendee) is not None:
        address = {"address": attendee.email, "name": attendee.name or attendee.email}
        made["attendees"] = [{"emailAddress": address, "type": "required"}]
    return made


def changed_event(appointment: Appointment) -> dict[str, Any]:
    """What a change writes. The body is left as it is: that of an online meeting holds the link to it."""
    return {
        "subject": appointment.title,
        "start": _date_time(appointment.slot.start),
        "end": _date_time(appointment.slot.end),
    }


def _date_time(instant: datetime) -> dict[str, str]:
    # In UTC: Exchange knows only some of the IANA names.
    return {"dateTime": instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}


def _key(transaction_id: str | None) -> UUID | None:
    # Outlook gives events transactions of its own, with names of another form.
    try:
        return UUID(transaction_id) if transaction_id else None
    except ValueError:
        return None
