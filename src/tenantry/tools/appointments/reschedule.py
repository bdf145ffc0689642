"""reschedule_appointment: move the contact's appointment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenantry.calendars.availability import NotPossible
from tenantry.domain.agent import Agent, Function
from tenantry.domain.booking import Booking, BookingStatus
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.domain.wall_time import parse_instant
from tenantry.tools.appointments.desk import CALENDAR_AWAY, NO_BOOKING, Desk, away
from tenantry.tools.appointments.parameters import TIME_ZONE, WHICH, start_of
from tenantry.tools.base import ToolContext, invalid
from tenantry.tools.parameters import function_spec, variables_from


@dataclass(frozen=True, slots=True)
class RescheduleAppointment:
    """Moves the booking itself, so that it keeps its id and leaves nothing behind."""

    name: str = "reschedule_appointment"
    reads_only: bool = False

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        own = {"start": start_of(agent.definition), **WHICH, "time_zone": TIME_ZONE}
        return function_spec(agent, function, "Move the contact's appointment to another time.", own, ("start",))

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`moved`; `requested` while the owner's calendar is away; `unavailable` with a reason and alternatives;
        `not_found`; `refused` after too many wrong references; `failed`; `invalid`."""
        desk = await Desk.open(context, arguments)
        if isinstance(desk, ToolResult):
            return desk
        earlier = await desk.calendar.changed_by(desk.effect)
        if earlier is not None:
            desk, remote = desk.about(earlier), earlier.remote_calendar_id is not None
            start = parse_instant(arguments["start"], desk.zone) if remote else earlier.starts_at
            return await _moved(desk, earlier, start)
        booking = await desk.booking(arguments)
        if isinstance(booking, ToolResult):
            return booking
        desk = desk.about(booking)
        try:
            start = await desk.start(arguments["start"], excluding=booking.id)
        except ValueError as error:
            return invalid(f"start is {error}")
        except CALENDAR_AWAY:
            return away()
        if isinstance(start, ToolResult):
            return start
        moved = await desk.calendar.move(
            booking,
            desk.schedule.appointment(start),
            desk.effect,
            buffer=desk.schedule.buffer,
            time_zone=desk.zone.key,
            details=variables_from(context.agent.definition, self.name, arguments),
            limit=desk.schedule.daily_limit(start),
        )
        if moved is None:
            return await desk.unavailable(NotPossible.TAKEN, start, excluding=booking.id)
        return await _moved(desk, moved, start)


async def _moved(desk: Desk, moved: Booking, start: datetime) -> ToolResult:
    decided = await desk.calendar.decided(moved)
    if decided.status is BookingStatus.PENDING:
        return desk.requested(decided)
    if decided.status is not BookingStatus.CONFIRMED:
        return NO_BOOKING
    if decided.starts_at != start:
        return await desk.unavailable(NotPossible.TAKEN, start, excluding=decided.id)
    return desk.answer("moved", decided)
