"""What the calendar's routes give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from tenantry.domain.booking import Booking, BookingStatus


class CalendarEventOut(BaseModel):
    """An appointment. `start` and `end` carry the offset of `time_zone`; `owner_member_id` is whose calendar it is in,
    null the tenant's. It is `pending` until the owner's calendar at a provider has taken it."""

    id: UUID
    status: Literal["confirmed", "pending"]
    calendar_id: UUID
    owner_member_id: UUID | None
    agent_id: UUID
    contact_id: UUID
    conversation_id: UUID
    start: datetime
    end: datetime
    time_zone: str
    title: str
    details: Mapping[str, Any]

    @classmethod
    def of(cls, booking: Booking, owner_member_id: UUID | None) -> "CalendarEventOut":
        """The booking as it is shown."""
        zone = ZoneInfo(booking.time_zone)
        return cls(
            id=booking.id,
            status="pending" if booking.status is BookingStatus.PENDING else "confirmed",
            calendar_id=booking.calendar_id,
            owner_member_id=owner_member_id,
            agent_id=booking.agent_id,
            contact_id=booking.contact_id,
            conversation_id=booking.conversation_id,
            start=booking.starts_at.astimezone(zone),
            end=booking.ends_at.astimezone(zone),
            time_zone=booking.time_zone,
            title=booking.title,
            details=booking.details,
        )


class CalendarEventPage(BaseModel):
    """Appointments in order of their start; `next_cursor` is null on the last page."""

    items: list[CalendarEventOut]
    next_cursor: str | None


class FeedOut(BaseModel):
    """Whether the calendar of a member, or with null of the tenant, has a feed: since when, null when it has none."""

    owner_member_id: UUID | None
    created_at: datetime | None


class NewFeedOut(BaseModel):
    """A feed that was made just now. `url` is not kept: whoever has it reads the calendar."""

    owner_member_id: UUID | None
    created_at: datetime
    url: str
