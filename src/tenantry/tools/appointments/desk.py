"""What the appointment tools share: the owner's calendar, the agent's schedule, and how answers are written."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.calendars.appointment_book import AppointmentBook, Effect
from tenantry.calendars.availability import NotPossible, Schedule
from tenantry.domain.booking import Booking, Interval
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tenantry.domain.ids import parse_id
from tenantry.domain.tools import ToolResult
from tenantry.domain.wall_time import NonexistentTime, parse_instant
from tenantry.tools.base import ToolContext

# Why a provider's calendar cannot be asked or changed.
CALENDAR_AWAY = (CalendarUnavailable, ConnectionBroken, CalendarRefused)
_AWAY = "The owner's calendar cannot be reached right now, so free times cannot be told. Try again later."
_REQUESTED = (
    "Not booked yet: the owner's calendar cannot be reached right now. The time is kept as a request; the contact is "
    "told in this conversation whether it could be booked."
)
NO_BOOKING = ToolResult({"status": "not_found", "reason": "no_booking"})


@dataclass(frozen=True, slots=True)
class Desk:
    """The owner's calendar under the agent's rules."""

    context: ToolContext
    schedule: Schedule
    calendar: AppointmentBook

    @classmethod
    async def open(cls, context: ToolContext) -> "Desk":
        """The desk for this conversation. The owner is the conversation's, whatever a model says."""
        calendar = await AppointmentBook.of_owner(
            context.db, context.calendars, context.tenant_id, context.owner_member_id
        )
        return cls(context, Schedule(context.agent.definition, context.now), calendar)

    @property
    def effect(self) -> Effect:
        """The one change that this call may make."""
        return Effect(self.context.effect_key, self.context.turn_id, self.context.actor)

    async def start(self, text: str, *, excluding: UUID | None = None) -> datetime | ToolResult:
        """The instant that the text names when an appointment can start then, else the answer that says why not. The
        booking `excluding` is in nobody's way. Raises ValueError for a text that names no time."""
        try:
            start = parse_instant(text, self.schedule.zone)
        except NonexistentTime as error:
            return await self.unavailable(NotPossible.INVALID_TIME, error.after, excluding=excluding)
        # What the provider's calendars say is asked when it is held, so that nothing comes in between.
        look = self.calendar.busy_here if self.calendar.settled_by_provider else self.calendar.busy
        busy = await look(Interval(start, start), self.schedule.buffer, excluding)
        obstacle = self.schedule.obstacle(start, self.schedule.busy(busy))
        return start if obstacle is None else await self.unavailable(obstacle, start, excluding=excluding)

    async def unavailable(self, reason: NotPossible, wanted: datetime, *, excluding: UUID | None = None) -> ToolResult:
        """The answer that the wanted start is not possible, with the nearest that are."""
        try:
            busy = await self.calendar.busy(self.schedule.around(wanted), self.schedule.buffer, excluding)
        except CALENDAR_AWAY:
            return ToolResult({"status": "unavailable", "reason": str(reason), "alternatives": []})
        nearest = self.schedule.nearest(wanted, self.schedule.busy(busy))
        return ToolResult(
            {
                "status": "unavailable",
                "reason": str(reason),
                "alternatives": [self.written(start) for start in nearest],
            }
        )

    async def booking(self, booking_id: str | None) -> Booking | None:
        """The contact's own appointment with this id in this calendar or, without an id, their next with the agent."""
        context = self.context
        if booking_id is None:
            return await self.calendar.next_of(context.agent.id, context.contact_id, context.now)
        parsed = parse_id(booking_id)
        return parsed and await self.calendar.find(parsed, contact_id=context.contact_id, now=context.now)

    def answer(self, status: str, booking: Booking) -> ToolResult:
        """The answer that something was done to the booking."""
        return ToolResult(
            {
                "status": status,
                "booking_id": str(booking.id),
                "start": self.written(booking.starts_at),
                "end": self.written(booking.ends_at),
                "time_zone": self.schedule.zone.key,
            }
        )

    def requested(self, booking: Booking) -> ToolResult:
        """The answer that the booking waits for a calendar that is away."""
        output = {**self.answer("requested", booking).output, "reason": "calendar_unavailable", "message": _REQUESTED}
        return ToolResult(output)

    def written(self, instant: datetime) -> str:
        """ISO 8601 with the offset of the agent's zone, such as "2026-11-24T15:00-05:00"."""
        return instant.astimezone(self.schedule.zone).isoformat(timespec="minutes")


def away() -> ToolResult:
    """The answer that the owner's calendar cannot be asked."""
    return ToolResult({"status": "failed", "reason": "calendar_unavailable", "message": _AWAY})
