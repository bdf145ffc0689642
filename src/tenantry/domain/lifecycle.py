"""What becomes of things that are used no more: archived, deleted, and the receipt of a deletion."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# A hundred years.
MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """After how many days without use a thing is archived, and after how many, counted from the same use, it is
    deleted; None is never. What is deleted was archived before, so `delete_after_days` is not below the other."""

    archive_after_days: int | None = None
    delete_after_days: int | None = None


@dataclass(frozen=True, slots=True)
class TenantRetention:
    """How long a tenant keeps contacts and agents that are not in use."""

    contacts: Retention = Retention()
    agents: Retention = Retention()


@dataclass(frozen=True, slots=True)
class Contact:
    """The other end, of whom no identifier is kept in clear. `last_active` is when they or an agent last said something
    to the other, or else when they were first met."""

    id: UUID
    created_at: datetime
    last_active: datetime
    archived_at: datetime | None
    tags: tuple[str, ...]
    conversations: int


@dataclass(frozen=True, slots=True)
class FreedBooking:
    """A booking to come that went with its contact; the calendar is a member's or, with no owner, the tenant's."""

    calendar_id: UUID
    owner_member_id: UUID | None
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays after a deletion, and why. `rows` is None where nobody counted them."""

    what: str
    why: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a deletion removed: how many rows of which table, and which bookings to come were freed. `subject` and `by`
    are `kind:id`. It names no person."""

    subject: str
    by: str
    at: datetime
    removed: Mapping[str, int]
    freed: tuple[FreedBooking, ...] = ()
    kept: tuple[Kept, ...] = ()
