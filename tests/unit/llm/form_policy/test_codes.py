"""Appointments that are moved and cancelled by the code that was told when they were booked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.llm.form_policy.talking import MARK, ZONE, Talk, with_mark

CODE = "K7QF-29MD-4X"
NOT_FOUND = {"status": "not_found", "reason": "no_booking"}
BOOKED = {
    "booking_id": "b9",
    "start": "2026-11-24T15:00-05:00",
    "end": "2026-11-24T15:30-05:00",
    "time_zone": ZONE,
}


@dataclass
class Elsewhere:
    """One appointment that somebody else made, under `CODE`."""

    gone: bool = False
    given: list[str] = field(default_factory=list)

    def _is_meant(self, arguments: Mapping[str, Any]) -> bool:
        self.given.append(arguments.get("booking_reference", ""))
        return arguments.get("booking_reference") == CODE and not self.gone

    def cancel(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._is_meant(arguments):
            return NOT_FOUND
        self.gone = True
        return {"status": "cancelled", **BOOKED}

    def move(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        moved = {**BOOKED, "start": f"{arguments['start']}-05:00"}
        return {"status": "moved", **moved} if self._is_meant(arguments) else NOT_FOUND


@pytest.fixture
def elsewhere() -> Elsewhere:
    """The calendar that holds the appointment."""
    return Elsewhere()


@pytest.fixture
def talk(elsewhere: Elsewhere) -> Talk:
    """A conversation of somebody who is not known here."""
    tools = with_mark().tools
    return Talk(MARK, {**tools, "cancel_appointment": elsewhere.cancel, "reschedule_appointment": elsewhere.move})


async def test_an_appointment_is_cancelled_by_its_code(talk: Talk, elsewhere: Elsewhere) -> None:
    assert "really cancel" in await talk.say(f"Please cancel my appointment, my code is {CODE}")
    assert "Tuesday, November 24 at 3:00 pm is cancelled" in await talk.say("yes")
    assert elsewhere.given == [CODE]


@pytest.mark.parametrize("said", [CODE, "k7qf 29md 4x", "it is k7qf29md4x", "K 7 Q F 2 9 M D 4 X"])
async def test_the_code_is_asked_for_when_nothing_is_found(talk: Talk, elsewhere: Elsewhere, said: str) -> None:
    await talk.say("I want to cancel my appointment")
    assert "the code that you were told" in await talk.say("yes")
    assert "is cancelled" in await talk.say(said)
    assert elsewhere.given == ["", CODE]


async def test_an_appointment_is_moved_by_its_code(talk: Talk, elsewhere: Elsewhere) -> None:
    moved = await talk.say(f"Please move my appointment to Wednesday at 10 am, the code is {CODE}")
    assert "now Wednesday, November 25 at 10:00 am" in moved
    call = talk.called("reschedule_appointment")[0]
    assert (call["start"], call["booking_reference"], call["time_zone"]) == ("2026-11-25T10:00", CODE, ZONE)
    # It is not of this contact: whatever else is done with it takes the code again.
    await talk.say("Please cancel it")
    assert "is cancelled" in await talk.say("yes")
    assert elsewhere.given == [CODE, CODE]


async def test_a_move_waits_for_the_code(talk: Talk, elsewhere: Elsewhere) -> None:
    assert "code" in await talk.say("Please move my appointment to Wednesday at 10 am")
    assert "now Wednesday, November 25 at 10:00 am" in await talk.say(f"{CODE}.")
    assert elsewhere.given == ["", CODE]


async def test_a_code_alone_is_taken_and_asked_what_for(talk: Talk, elsewhere: Elsewhere) -> None:
    assert "move or cancel" in await talk.say(f"My code is {CODE}")
    assert talk.value("property_address") is None
    await talk.say("cancel it please")
    assert "is cancelled" in await talk.say("yes")
    assert elsewhere.given == [CODE]


async def test_a_wrong_code_is_asked_for_again(talk: Talk, elsewhere: Elsewhere) -> None:
    await talk.say("Please cancel my appointment, the code is 0000-0000-00")
    assert "with that code" in await talk.say("yes")
    assert "is cancelled" in await talk.say(CODE)
    assert elsewhere.given == ["0000-0000-00", CODE]


async def test_without_a_code_the_talk_goes_on(talk: Talk, elsewhere: Elsewhere) -> None:
    await talk.say("I want to cancel my appointment")
    await talk.say("yes")
    assert "email" in await talk.say("I have none. I want to sell 12 Oak Street, Springfield")
    assert talk.value("property_address") == "12 Oak Street, Springfield"
    assert elsewhere.given == [""]


async def test_too_many_wrong_codes_are_told(talk: Talk) -> None:
    refused = {"status": "refused", "reason": "too_many_attempts", "message": ""}
    talk.tools = {**talk.tools, "cancel_appointment": lambda _: refused}
    await talk.say(f"Please cancel my appointment, the code is {CODE}")
    assert "too many wrong codes" in await talk.say("yes")


async def test_the_code_of_a_new_appointment_is_told() -> None:
    talk = with_mark()
    book = talk.tools["set_appointment"]
    talk.tools = {**talk.tools, "set_appointment": lambda arguments: {**book(arguments), "reference": CODE}}
    for said in ("12 Oak Street, Springfield", "jane@example.com", "no", "yes"):
        await talk.say(said)
    assert f"Your code for it is {CODE}" in await talk.say("Tuesday at 3 pm")
