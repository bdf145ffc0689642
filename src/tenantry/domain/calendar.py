"""Calendars at a provider, and what is written into them and read from them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.domain.booking import Interval
from tenantry.domain.connection import ProviderName


@dataclass(frozen=True, slots=True)
class RemoteCalendar:
    """A calendar of a connection that stands for its owner's: `remote_id` is the provider's name for it."""

    tenant_id: UUID
    id: UUID
    calendar_id: UUID
    connection_id: UUID
    owner_member_id: UUID | None
    provider: ProviderName
    remote_id: str
    name: str
    counts_busy: bool
    takes_bookings: bool
    synced_at: datetime | None


@dataclass(frozen=True, slots=True)
class CalendarChoice:
    """A calendar that a provider offers. `writable` says that events can be made in it, `primary` that it is the
    account's main one."""

    remote_id: str
    name: str
    primary: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class Attendee:
    """Whom the provider invites."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Appointment:
    """A booking as it is written into a calendar at a provider. `key` is the booking's id: one key is one event,
    however often it is created. `slot` is in UTC, `time_zone` the IANA name in which it was agreed; `sequence` counts
    its changes."""

    key: UUID
    slot: Interval
    time_zone: str
    title: str
    description: str = ""
    attendee: Attendee | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """An event, or one occurrence of a recurring one, as a provider has it: UTC; an all-day one from midnight to
    midnight in the calendar's zone. `busy` is False for what its owner shows as free, and for what was cancelled. `tag`
    changes with every change of it. `key` is the booking that it was made for, None where that cannot be read."""

    id: str
    slot: Interval
    busy: bool = True
    tag: str | None = None
    key: UUID | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a calendar since a token was given out: events as they are now, the ids of those that are gone,
    and the token for the next time. With `whole`, `events` is all that there is and nothing else exists any more."""

    events: tuple[RemoteEvent, ...]
    gone: frozenset[str]
    token: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """A provider's subscription that tells of changes in a calendar until it ends. `resource_id` is what the provider
    calls the calendar in it, "" where it has no name for that."""

    id: str
    resource_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BookingNotice:
    """What became of a contact's appointment without them. `kind` is `confirmed`, `declined`, `moved` or `cancelled`;
    `starts_at` is when it is now, or was."""

    id: UUID
    booking_id: UUID
    kind: str
    starts_at: datetime
    previous_start: datetime | None
    time_zone: str
    title: str
