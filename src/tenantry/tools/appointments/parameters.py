"""The JSON schemas of what the appointment tools take."""

from typing import Any

from tenantry.domain.agent import AgentDefinition

# How the contact's own appointment is named; whose it is comes from the conversation, or the code proves it.
WHICH: dict[str, Any] = {
    "booking_id": {
        "type": "string",
        "maxLength": 64,
        "description": "Which appointment, by the booking_id it was booked under; by default the contact's next one.",
    },
    "booking_reference": {
        "type": "string",
        "maxLength": 40,
        "description": "The code that the contact was told when they booked and gives now, such as K7QF-29MD-4X; only "
        "for an appointment that is not found without it.",
    },
}
TIME_ZONE: dict[str, Any] = {
    "type": "string",
    "maxLength": 64,
    "description": "The contact's time zone, an IANA name, where they speak of times in a zone of their own.",
}


def moment(description: str) -> dict[str, Any]:
    """The schema of a date and time; whether it is one is found when it is read."""
    return {"type": "string", "maxLength": 40, "description": description}


def start_of(agent: AgentDefinition) -> dict[str, Any]:
    """The schema of the start of an appointment."""
    return moment(
        'When the appointment starts, such as "2026-11-24T15:00": wall time in the contact\'s time zone where that is '
        f"known, else in {agent.time_zone}, or with an offset."
    )
