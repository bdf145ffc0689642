"""Appointments in the calendars that a key can see."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.client.transport import Transport


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """An appointment; `start` and `end` carry the offset of `time_zone`. No owner: it is in the tenant's calendar."""

    id: UUID
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


class Calendar:
    """`/api/v1/calendar`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def events(
        self, *, starts_from: datetime | None = None, starts_before: datetime | None = None
    ) -> AsyncGenerator[CalendarEvent]:
        """The confirmed appointments, soonest first; from now on without `starts_from`."""
        # `from` is a word of the language.
        between = {"from": starts_from, "to": starts_before}
        return self._transport.pages("/api/v1/calendar/events", CalendarEvent, **between)
