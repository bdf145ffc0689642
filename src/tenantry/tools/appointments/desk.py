"""What the appointment tools share: the owner's calendar, the agent's schedule, and how answers are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tenantry.calendars.appointment_book import AppointmentBook, Effect
from tenantry.calendars.availability import Busy, NotPossible, Schedule
from tenantry.calendars.reference_check import Claim, TooManyAttempts, claimed
from tenantry.domain.booking import Booking, Interval
from tenantry.domain.booking_reference import read_reference
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tenantry.domain.ids import parse_id
from tenantry.domain.tools import ToolResult
from tenantry.domain.wall_time import NonexistentTime, parse_instant, parse_zone
from tenantry.tools.base import ToolContext, invalid

# Why a provider's calendar cannot be asked or changed.
CALENDAR_AWAY = (CalendarUnavailable, ConnectionBroken, CalendarRefused)
_AWAY = "The owner's calendar cannot be reached right now, so free times cannot be told. Try again later."
_REQUESTED = (
    "Not done yet: the owner's calendar cannot be reached right now. The time is kept as a request; the contact is "
    "told in this conversation whether it could be booked."
)
NO_BOOKING = ToolResult({"status": "not_found", "reason": "no_booking"})
_TOO_MANY = ToolResult(
    {
        "status": "refused",
        "reason": "too_many_attempts",
        "message": "Too many wrong codes were given; no code is looked at for up to an hour.",
    }
)


@dataclass(frozen=True, slots=True)
class Desk:
    """The owner's calendar under the agent's rules, for a contact in `contact_zone`, where that is known."""

    context: ToolContext
    schedule: Schedule
    calendar: AppointmentBook
    contact_zone: ZoneInfo | None

    @classmethod
    async def open(cls, context: ToolContext, arguments: Mapping[str, Any]) -> "Desk | ToolResult":
        """The desk for this conversation, or what is wrong with the `time_zone` of the arguments. The owner is the
        conversation's, whatever a model says."""
        name = arguments.get("time_zone", context.contact_time_zone)
        try:
            zone = parse_zone(name) if name is not None else None
        except ValueError as error:
            return invalid(f"time_zone is {error}")
        calendar = await AppointmentBook.of_owner(
            context.db, context.calendars, context.tenant_id, context.owner_member_id
        )
        return cls(context, Schedule(context.agent.definition, context.now), calendar, zone)

    @property
    def effect(self) -> Effect:
        """The one change that this call may make."""
        return Effect(self.context.effect_key, self.context.turn_id, self.context.actor)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which a wall time is meant: the contact's, or else the agent's."""
        return self.contact_zone or self.schedule.zone

    def about(self, booking: Booking) -> "Desk":
        """The desk for talk of this booking: a contact whose zone is not known is in the one in which it was agreed."""
        return replace(self, contact_zone=self.contact_zone or ZoneInfo(booking.time_zone))

    async def start(self, text: str, *, excluding: UUID | None = None) -> datetime | ToolResult:
        """The instant that the text names when an appointment can start then, else the answer that says why not. The
        booking `excluding` is in nobody's way. Raises ValueError for a text that names no time."""
        try:
            start = parse_instant(text, self.zone)
        except NonexistentTime as error:
            return await self.unavailable(NotPossible.INVALID_TIME, error.after, excluding=excluding)
        # What the provider's calendars say is asked when it is held, so that nothing comes in between.
        look = self.calendar.busy_here if self.calendar.settled_by_provider else self.calendar.busy
        at = Interval(start, start)
        busy = await self._with_counts(at, await look(at, self.schedule.buffer, excluding), excluding)
        obstacle = self.schedule.obstacle(start, busy)
        return start if obstacle is None else await self.unavailable(obstacle, start, excluding=excluding)

    async def busy(self, starts: Interval, *, excluding: UUID | None = None, known: Interval | None = None) -> Busy:
        """All that could stand in the way of an appointment that is offered to start in `starts`, with what is `known`
        to be taken by now, but not the booking `excluding`."""
        intervals = await self.calendar.lately_busy(starts, self.schedule.buffer, excluding)
        return await self._with_counts(starts, [*intervals, *([known] if known else [])], excluding)

    async def _with_counts(self, starts: Interval, intervals: list[Interval], excluding: UUID | None) -> Busy:
        if self.context.agent.definition.appointments.daily_maximum is None:
            return self.schedule.busy(intervals)
        days = self.schedule.whole_days(starts)
        return self.schedule.busy(intervals, await self.calendar.counted(self.context.agent.id, days, excluding))

    async def unavailable(self, reason: NotPossible, wanted: datetime, *, excluding: UUID | None = None) -> ToolResult:
        """The answer that the wanted start is not possible, with the nearest that are. What was `taken` because its day
        filled up meanwhile is told so."""
        try:
            known = self.schedule.appointment(wanted) if reason is NotPossible.TAKEN else None
            busy = await self.busy(self.schedule.around(wanted), excluding=excluding, known=known)
        except CALENDAR_AWAY:
            return ToolResult({"status": "unavailable", "reason": str(reason), "alternatives": []})
        if reason is NotPossible.TAKEN and self.schedule.obstacle(wanted, busy) is NotPossible.DAY_FULL:
            reason = NotPossible.DAY_FULL
        nearest = self.schedule.nearest(wanted, busy)
        return ToolResult({"status": "unavailable", "reason": str(reason), **self.written(alternatives=nearest)})

    async def booking(self, arguments: Mapping[str, Any]) -> Booking | ToolResult:
        """The appointment that is meant, when it is the contact's: with this `booking_id`, or their next with the
        agent; or that of the `booking_reference`, which only they were told. Else the answer that there is none."""
        context = self.context
        if "booking_reference" in arguments:
            return await self._by_reference(arguments["booking_reference"])
        if "booking_id" not in arguments:
            return await self.calendar.next_of(context.agent.id, context.contact_id, context.now) or NO_BOOKING
        booking_id = parse_id(arguments["booking_id"])
        if booking_id is None:
            return NO_BOOKING
        found = await self.calendar.find(booking_id, contact_id=context.contact_id, now=context.now)
        return found or NO_BOOKING

    async def _by_reference(self, text: str) -> Booking | ToolResult:
        context, reference = self.context, read_reference(text)
        if reference is None:
            return invalid("booking_reference is no code such as K7QF-29MD-4X; ask the contact to read it out again")
        digest = context.references.hash(context.tenant_id, reference)
        claim = Claim(context.contact_id, context.conversation_id, digest, self.effect)
        try:
            return await claimed(self.calendar, claim, context.now) or NO_BOOKING
        except TooManyAttempts:
            return _TOO_MANY

    def answer(self, status: str, booking: Booking, **more: str) -> ToolResult:
        """The answer that something was done to the booking."""
        times = self.about(booking).written(start=booking.starts_at, end=booking.ends_at)
        zone = self.schedule.zone.key
        return ToolResult({"status": status, "booking_id": str(booking.id), **times, "time_zone": zone, **more})

    def requested(self, booking: Booking, **more: str) -> ToolResult:
        """The answer that the booking waits for a calendar that is away."""
        more = {"reason": "calendar_unavailable", "message": _REQUESTED, **more}
        return self.answer("requested", booking, **more)

    def written(self, **instants: datetime | Sequence[datetime]) -> dict[str, Any]:
        """Instants under their names, as ISO 8601 with the offset of the agent's zone ("2026-11-24T15:00-05:00"); for a
        contact in another zone, as `contact_…` with the offset of theirs besides."""
        written: dict[str, Any] = {name: _iso(value, self.schedule.zone) for name, value in instants.items()}
        if self.zone.key != self.schedule.zone.key:
            written |= {f"contact_{name}": _iso(value, self.zone) for name, value in instants.items()}
            written["contact_time_zone"] = self.zone.key
        return written


def _iso(value: datetime | Sequence[datetime], zone: ZoneInfo) -> str | list[str]:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="minutes")
    return [instant.astimezone(zone).isoformat(timespec="minutes") for instant in value]


def away() -> ToolResult:
    """The answer that the owner's calendar cannot be asked."""
    return ToolResult({"status": "failed", "reason": "calendar_unavailable", "message": _AWAY})
