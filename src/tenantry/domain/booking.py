"""Appointments in a calendar."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class BookingStatus(StrEnum):
    """A held slot is taken until its hold expires; a pending one until the owner's remote calendar has taken or
    declined it; a confirmed one until it is cancelled."""

    HELD = "held"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start` up to, not including, `end`; both aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Booking:
    """An appointment of a contact in the calendar of the agent's owner. Instants are UTC; `time_zone` is the IANA
    name in which they were agreed. `details` are the agent's variables by name; `remote_calendar_id` is the calendar at
    a provider where it is, None for one that is only here; `sequence` counts its changes, of which `updated_at` is the
    last."""

    tenant_id: UUID
    id: UUID
    calendar_id: UUID
    agent_id: UUID
    contact_id: UUID
    conversation_id: UUID
    status: BookingStatus
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    title: str
    details: dict[str, Any]
    remote_calendar_id: UUID | None
    sequence: int
    created_at: datetime
    updated_at: datetime
