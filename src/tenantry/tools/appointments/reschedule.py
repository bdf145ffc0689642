"""reschedule_appointment: move the contact's appointment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.calendars.availability import NotPossible
from tenantry.domain.agent import Agent, Function
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.tools.appointments.desk import Desk
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
        """`moved`; `unavailable` with a reason and alternatives; `not_found`; `refused` after too many wrong
        references; `invalid`."""
        desk = await Desk.open(context, arguments)
        if isinstance(desk, ToolResult):
            return desk
        earlier = await desk.calendar.changed_by(desk.effect)
        if earlier is not None:
            return desk.answer("moved", earlier)
        booking = await desk.booking(arguments)
        if isinstance(booking, ToolResult):
            return booking
        desk = desk.about(booking)
        try:
            start = await desk.start(arguments["start"], excluding=booking.id)
        except ValueError as error:
            return invalid(f"start is {error}")
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
        return desk.answer("moved", moved)
