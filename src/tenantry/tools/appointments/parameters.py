"""The JSON schemas of what the appointment tools take."""

from typing import Any

from tenantry.domain.agent import AgentDefinition

BOOKING_ID: dict[str, Any] = {
    "type": "string",
    "maxLength": 64,
    "description": "Which appointment, by the booking_id it was booked under; by default the contact's next one.",
}


def moment(description: str) -> dict[str, Any]:
    """The schema of a date and time; whether it is one is found when it is read."""
    return {"type": "string", "maxLength": 40, "description": description}


def start_of(agent: AgentDefinition) -> dict[str, Any]:
    """The schema of the start of an appointment."""
    return moment(
        f'When the appointment starts, such as "2026-11-24T15:00": wall time in {agent.time_zone}, or with an offset.'
    )
