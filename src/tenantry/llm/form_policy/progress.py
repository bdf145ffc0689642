"""How far a conversation has come, and what comes next; pure."""

from collections.abc import Iterator

from tenantry.domain.agent import Variable
from tenantry.llm.form_policy.collection import books
from tenantry.llm.form_policy.turn import Turn


def percent_confirmed(turn: Turn) -> int | None:
    """The share of the required variables that are known and confirmed; None where nothing is required."""
    required = [variable.name for variable in turn.agent.variables if variable.required]
    confirmed = sum(name in turn.known and turn.known[name].confirmed for name in required)
    return round(100 * confirmed / len(required)) if required else None


def share_known(turn: Turn) -> float | None:
    """The share of the variables that are known, the optional ones too; None where there are none."""
    names = [variable.name for variable in _asked_for(turn)]
    return sum(name in turn.known for name in names) / len(names) if names else None


def share_answered(turn: Turn) -> float | None:
    """The share of the questions asked so far that were answered; None before the first answer."""
    answered = sum(variable.name in turn.known for variable in _asked_for(turn))
    open_ones = len(declined(turn)) + (1 if turn.state.expecting == "variable" and turn.state.misses else 0)
    return answered / (answered + open_ones) if answered + open_ones else None


def declined(turn: Turn) -> list[Variable]:
    """The optional variables that the contact was asked for and did not give."""
    asked = turn.state.asked if turn.state.expecting == "variable" else ""
    passed = (v for v in turn.agent.variables if v.name in turn.state.offered and v.name != asked)
    return [variable for variable in passed if variable.name not in turn.known]


def stage(turn: Turn, count: int) -> int:
    """Which of `count` stages in order the conversation is in, from 0: the first while nothing is known, the last when
    all is done, the one before it when all that is required is known; those between share what is asked for."""
    if turn.state.appointment is not None if books(turn) else turn.state.done:
        return count - 1
    if not turn.known or count < 3:
        return 0
    required = [variable.name for variable in turn.required]
    known = sum(name in turn.known for name in required)
    if known == len(required):
        return count - 2
    return 1 + known * max(count - 3, 1) // len(required)


def next_step(turn: Turn) -> str:
    """What is to be done next, in words for the team."""
    match turn.state.expecting:
        case "variable" if variable := turn.agent.variable(turn.state.asked):
            return turn.phrase("next_ask", label=variable.label)
        case "check" | "confirm" | "correction":
            return turn.phrase("next_confirm")
        case "slot" | "retry":
            return turn.phrase("next_time")
        case "cancel":
            return turn.phrase("next_cancel")
        case _:
            return turn.phrase("next_nothing")


def _asked_for(turn: Turn) -> Iterator[Variable]:
    return (variable for variable in turn.agent.variables if variable.name not in turn.slot_names)
