"""set_appointment: book the contact's appointment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenantry.calendars.availability import NotPossible
from tenantry.domain.agent import Agent, Function
from tenantry.domain.booking import Booking, BookingStatus
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.storage.repositories.bookings import NewBooking
from tenantry.tools.appointments.desk import CALENDAR_AWAY, Desk, away
from tenantry.tools.appointments.parameters import TIME_ZONE, start_of
from tenantry.tools.base import ToolContext, invalid
from tenantry.tools.parameters import function_spec, variables_from


@dataclass(frozen=True, slots=True)
class SetAppointment:
    """Holds the slot, then confirms it, here and in the owner's calendar at a provider."""

    name: str = "set_appointment"
    reads_only: bool = False

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        own = {"start": start_of(agent.definition), "time_zone": TIME_ZONE}
        return function_spec(agent, function, "Book an appointment.", own, ("start",), collects=True)

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`booked`, with the `reference` that proves whose it is; `requested` while the owner's calendar is away;
        `unavailable` with a reason and alternatives; `failed`; `invalid`."""
        desk = await Desk.open(context, arguments)
        if isinstance(desk, ToolResult):
            return desk
        earlier = await desk.calendar.made_by(desk.effect)
        if earlier is not None:
            return await _confirmed(desk, earlier)
        try:
            start = await desk.start(arguments["start"])
        except ValueError as error:
            return invalid(f"start is {error}")
        except CALENDAR_AWAY:
            return away()
        if isinstance(start, ToolResult):
            return start
        held = await desk.calendar.hold(
            _new_booking(desk, start, variables_from(context.agent.definition, self.name, arguments))
        )
        return await (_confirmed(desk, held) if held else desk.unavailable(NotPossible.TAKEN, start))


async def _confirmed(desk: Desk, held: Booking) -> ToolResult:
    booked = await desk.calendar.confirm(held, desk.schedule.daily_limit(held.starts_at))
    if booked is not None:
        booked = await desk.calendar.decided(booked)
        reference = desk.context.references.of(booked.tenant_id, booked.id)
        if booked.status is BookingStatus.CONFIRMED:
            return desk.answer("booked", booked, reference=reference)
        if booked.status is BookingStatus.PENDING:
            return desk.requested(booked, reference=reference)
    return await desk.unavailable(NotPossible.TAKEN, held.starts_at)


def _new_booking(desk: Desk, start: datetime, details: Mapping[str, Any]) -> NewBooking:
    context, booking_id = desk.context, new_id()
    reference = context.references.of(context.tenant_id, booking_id)
    return NewBooking(
        id=booking_id,
        effect_key=desk.effect.key,
        calendar_id=desk.calendar.id,
        agent_id=context.agent.id,
        contact_id=context.contact_id,
        conversation_id=context.conversation_id,
        slot=desk.schedule.appointment(start),
        buffer=desk.schedule.buffer,
        time_zone=desk.zone.key,
        title=context.agent.definition.name,
        details=details,
        limit=desk.schedule.daily_limit(start),
        reference_hash=context.references.hash(context.tenant_id, reference),
    )
