"""Appointments in the calendars that a key can see."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.client.transport import Transport


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """An appointment; `start` and `end` carry the offset of `time_zone`. No owner: it is in the tenant's calendar.
    `status` is pending until the owner's calendar at a provider has taken it, then confirmed."""

    id: UUID
    status: str
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


@dataclass(frozen=True, slots=True)
class CalendarFeed:
    """Since when the calendar of a member, or with no owner of the tenant, can be subscribed to; None: it cannot."""

    owner_member_id: UUID | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewCalendarFeed:
    """A feed that was made just now; whoever has its `url`, which is told this once, reads the calendar."""

    owner_member_id: UUID | None
    created_at: datetime
    url: str


_FEED = "/api/v1/calendar/feed"


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

    def invitation(self, event_id: UUID) -> AsyncGenerator[bytes]:
        """The appointment as an .ics file, piece by piece."""
        return self._transport.download(f"/api/v1/calendar/events/{event_id}/invitation.ics")

    async def feed(self, *, owner_member_id: UUID | None = None) -> CalendarFeed:
        """Whether the key's own calendar has a feed; keys of the whole tenant name a member, or mean the tenant's."""
        return await self._transport.call("GET", _FEED, CalendarFeed, params={"owner_member_id": owner_member_id})

    async def make_feed(self, *, owner_member_id: UUID | None = None) -> NewCalendarFeed:
        """Make a feed of that calendar; the one before is dead from now on."""
        return await self._transport.call("POST", _FEED, NewCalendarFeed, params={"owner_member_id": owner_member_id})

    async def remove_feed(self, *, owner_member_id: UUID | None = None) -> None:
        """End that calendar's feed."""
        await self._transport.call("DELETE", _FEED, type(None), params={"owner_member_id": owner_member_id})
