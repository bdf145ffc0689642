"""Tells what became of the contact's appointments without them."""

from zoneinfo import ZoneInfo

from tenantry.domain.calendar import BookingNotice
from tenantry.llm.form_policy.turn import Turn


def tell_notices(turn: Turn) -> None:
    """Say it, and keep what follows from it for the appointment of this conversation."""
    for notice in turn.request.notices:
        when = turn.say_start(_wall(notice))
        turn.say(f"notice_{notice.kind}", when=when)
        appointment = turn.state.appointment
        if appointment is None or appointment.booking_id != str(notice.booking_id):
            continue
        if notice.kind in {"declined", "cancelled"}:
            turn.state.appointment, turn.state.done = None, False
        else:
            appointment.start = _wall(notice)


def _wall(notice: BookingNotice) -> str:
    return notice.starts_at.astimezone(ZoneInfo(notice.time_zone)).replace(tzinfo=None).isoformat(timespec="minutes")
