"""The code that a contact was told when they booked: it proves whose an appointment is."""

import re
from dataclasses import replace

from tenantry.domain.booking_reference import take_reference
from tenantry.llm.form_policy.appointments import settle_time, which
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import Message
from tenantry.llm.form_policy.reading import Readings
from tenantry.llm.form_policy.state import Wish
from tenantry.llm.form_policy.turn import CANCEL, MOVE, Turn

TOO_MANY = "too_many_attempts"
_NOTHING: frozenset[Intent] = frozenset()


def ask_code(turn: Turn) -> None:
    """The appointment was not found: ask for its code, and keep in mind what was to be done with it."""
    state = turn.state
    turn.say("code_not_found" if state.reference else "not_found")
    state.reference, state.appointment, state.expecting = "", None, "code"


def take_code(turn: Turn, message: Message) -> Message | None:
    """Keep the code that the message holds; the message without it, or None where there is none to be kept."""
    asked = turn.state.expecting == "code"
    said = message.original
    if asked and turn.spoken:
        said = re.sub(r"[,.]", "", turn.language.speech.letters(message.text))
    taken = take_reference(said, asked=asked) if turn.tools & {CANCEL, MOVE} else None
    if taken is None:
        return None
    turn.state.reference, rest = taken
    return replace(message, original=rest, text=turn.language.digits(rest))


def heard_code(turn: Turn, intents: frozenset[Intent]) -> bool:
    """Do with the appointment of the code what was wanted before; whether the step is done with it."""
    state = turn.state
    if state.expecting != "code":
        if intents & {Intent.CANCEL, Intent.MOVE} or state.moving or state.expecting == "cancel":
            return False
        turn.say("code_noted")
        return True
    state.expecting = ""
    if state.moving:
        settle_time(turn, _NOTHING, Readings(), missed=False)
    else:
        turn.ask_tool(CANCEL, which(turn))
    return True


def without_code(turn: Turn) -> None:
    """No code came where one was asked for: the talk goes on to something else."""
    if turn.state.expecting == "code":
        turn.state.expecting, turn.state.moving, turn.state.wanted = "", False, Wish()
