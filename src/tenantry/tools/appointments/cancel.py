"""cancel_appointment: give the contact's appointment up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.domain.agent import Agent, Function
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.tools.appointments.desk import NO_BOOKING, Desk
from tenantry.tools.appointments.parameters import WHICH
from tenantry.tools.base import ToolContext
from tenantry.tools.parameters import function_spec, variables_from


@dataclass(frozen=True, slots=True)
class CancelAppointment:
    """Frees the slot; the booking stays in the record as cancelled."""

    name: str = "cancel_appointment"
    reads_only: bool = False

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        return function_spec(agent, function, "Cancel the contact's appointment.", WHICH)

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`cancelled`; `not_found`; `refused` after too many wrong references; `invalid`."""
        desk = await Desk.open(context, arguments)
        if isinstance(desk, ToolResult):
            return desk
        cancelled = await desk.calendar.changed_by(desk.effect)
        if cancelled is None:
            booking = await desk.booking(arguments)
            if isinstance(booking, ToolResult):
                return booking
            details = variables_from(context.agent.definition, self.name, arguments)
            cancelled = await desk.calendar.cancel(booking, details, desk.effect)
        return desk.answer("cancelled", cancelled) if cancelled else NO_BOOKING
