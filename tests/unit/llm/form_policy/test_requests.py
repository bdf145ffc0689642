"""Calendars that are away, and what became of appointments without their contact."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tenantry.domain.calendar import BookingNotice
from tests.unit.llm.form_policy.talking import MARK, Calendar, Talk
from tests.unit.llm.form_policy.test_dialogue import FORM, say_all

BOOKING = UUID(int=7)
FOUR = datetime(2026, 11, 24, 21, tzinfo=UTC)  # 16:00 in New York


def notice(kind: str) -> BookingNotice:
    previous = datetime(2026, 11, 24, 20, tzinfo=UTC) if kind == "moved" else None
    return BookingNotice(UUID(int=1), BOOKING, kind, FOUR, previous, "America/New_York", "Viewing")


@pytest.fixture
def talk() -> Talk:
    """A talk with an agent whose calendar is away when something is booked."""
    calendar = Calendar()

    def book(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**calendar.set(arguments), "status": "requested", "booking_id": str(BOOKING)}

    return Talk(MARK, {**calendar.tools(), "set_appointment": book})


async def test_what_is_only_requested_is_not_told_as_booked(talk: Talk) -> None:
    reply = await say_all(talk, *FORM, "Tuesday at 3")
    assert "not booked yet" in reply
    assert "kept your request for Tuesday, November 24 at 3:00 pm" in reply
    assert "Done" not in reply


async def test_a_request_is_not_made_a_second_time(talk: Talk) -> None:
    await say_all(talk, *FORM, "Tuesday at 3")
    await talk.say("thank you")
    assert len(talk.called("set_appointment")) == 1


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("confirmed", "is booked now"),
        ("declined", "could not be booked"),
        ("moved", "was moved, it is now"),
        ("cancelled", "was cancelled on our side"),
    ],
)
async def test_the_contact_is_told_first_and_once(talk: Talk, kind: str, says: str) -> None:
    await say_all(talk, *FORM, "Tuesday at 3")
    talk.notices = (notice(kind),)
    reply = await talk.say("hello?")
    assert says in reply
    assert "Tuesday, November 24 at 4:00 pm" in reply
    assert says not in await talk.say("ok")


@pytest.mark.parametrize(("kind", "calls"), [("declined", 2), ("confirmed", 1)])
async def test_only_what_was_declined_is_booked_anew(talk: Talk, kind: str, calls: int) -> None:
    await say_all(talk, *FORM, "Tuesday at 3")
    talk.notices = (notice(kind),)
    await say_all(talk, "hello?", "Wednesday at 10", "yes")
    assert len(talk.called("set_appointment")) == calls
