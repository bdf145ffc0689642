"""Says what came of a tool."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from tenantry.domain.tools import ToolResult
from tenantry.llm.form_policy.appointments import check, offer
from tenantry.llm.form_policy.codes import TOO_MANY, ask_code
from tenantry.llm.form_policy.collection import note_slot
from tenantry.llm.form_policy.handing_over import told_hand_off
from tenantry.llm.form_policy.state import Appointment, Wish
from tenantry.llm.form_policy.turn import CANCEL, CHECK, HAND_OFF, MOVE, SET, Turn, wall_time

_REASONS = frozenset(
    {"taken", "outside_business_hours", "past", "too_soon", "too_far", "invalid_time", "holiday", "day_full"}
)
_MAX_OFFERS = 4
_MAX_SPOKEN_OFFERS = 3
_MAX_SHOWN = 8
_HIDDEN = frozenset({"status", "service_status", "user_id", "reason", "code"})
_CURRENCY = re.compile(r"[A-Z]{3}")


def tell(turn: Turn, name: str, result: ToolResult) -> None:
    """Say what a tool's result means for the contact, and keep what follows from it."""
    known: dict[str, Callable[[Turn, ToolResult], None]] = {
        SET: _told_booking, MOVE: _told_move, CANCEL: _told_cancelled, CHECK: _told_free, HAND_OFF: told_hand_off,
    }  # fmt: skip
    known.get(name, lambda turn, result: _told_other(turn, name, result))(turn, result)
    if name in {SET, MOVE, CANCEL}:
        note_slot(turn)


def _told_booking(turn: Turn, result: ToolResult) -> None:
    if result.status == "booked" and _keep(turn, result):
        turn.state.reference = ""
        _say_done(turn, "booked", str(result.output.get("reference") or ""))
    elif result.status == "requested" and _keep(turn, result):
        turn.state.reference = ""
        _say_done(turn, "requested", str(result.output.get("reference") or ""))
    elif result.status == "unavailable":
        _told_unavailable(turn, result)
    elif result.status == "refused":
        turn.state.wanted, turn.state.done = Wish(), True
        turn.say("book_refused")
    else:
        turn.state.expecting = "retry"
        turn.say("book_failed")


def _told_move(turn: Turn, result: ToolResult) -> None:
    if result.status == "moved" and _keep(turn, result):
        _say_done(turn, "moved")
    elif result.status == "requested" and _keep(turn, result):
        _say_done(turn, "move_requested")
    elif result.status == "unavailable":
        _told_unavailable(turn, result)
    elif result.status == "not_found":
        ask_code(turn)
    elif result.status == "refused":
        turn.state.moving, turn.state.wanted = False, Wish()
        _say_refused(turn, result, "cannot_move")
    else:
        turn.state.expecting = "retry"
        turn.say("move_failed")


def _keep(turn: Turn, result: ToolResult) -> bool:
    start = _moments([_told(turn, result, "start")])
    if not start:
        return False
    booking_id = result.output.get("booking_id")
    turn.state.appointment = Appointment(str(booking_id or ""), start[0], turn.zone.key)
    turn.state.wanted, turn.state.offers, turn.state.moving = Wish(), [], False
    turn.state.expecting = ""
    return True


def _say_done(turn: Turn, key: str, reference: str = "") -> None:
    appointment = turn.state.appointment
    if appointment:
        when = turn.say_both(wall_time(appointment.start))
        zone = "" if turn.zone.key != turn.owners_zone.key else f" ({turn.language.say_zone(turn.zone.key)})"
        turn.say(key, when=f"{when}{zone}")
    if reference and turn.tools & {MOVE, CANCEL}:
        turn.say("reference", code=reference)
    turn.state.done = True
    turn.rotate("anything_else")


def _told_cancelled(turn: Turn, result: ToolResult) -> None:
    if result.status == "cancelled":
        start = _moments([_told(turn, result, "start")])
        if start:
            turn.say("cancelled", when=turn.say_start(start[0]))
        else:
            turn.say("cancelled_plain")
        turn.state.appointment, turn.state.reference, turn.state.done = None, "", True
        turn.rotate("anything_else")
    elif result.status == "not_found":
        ask_code(turn)
    elif result.status == "refused":
        _say_refused(turn, result, "cannot_cancel")
    else:
        turn.state.expecting = "cancel"
        turn.say("cancel_failed")


def _say_refused(turn: Turn, result: ToolResult, key: str) -> None:
    turn.state.reference = ""
    turn.say("too_many_codes" if result.output.get("reason") == TOO_MANY else key)


def _told_unavailable(turn: Turn, result: ToolResult) -> None:
    wish, reason = turn.state.wanted, str(result.output.get("reason"))
    when = turn.say_both(wall_time(wish.start)) if wish.start else turn.phrase("then")
    hours = turn.language.say_hours(turn.agent.business_hours, turn.agent.region)
    line = turn.phrase(reason if reason in _REASONS else "unavailable", when=when, hours=hours)
    turn.lines.append(line[:1].upper() + line[1:])
    turn.state.wanted = Wish(day=wish.day)
    slots = _moments(_told(turn, result, "alternatives"))[: _most(turn)]
    if slots:
        offer(turn, slots, nearest=True)
    else:
        turn.state.expecting, turn.state.offers = "slot", []
        turn.rotate("when_else")


def _told_free(turn: Turn, result: ToolResult) -> None:
    state, wish = turn.state, turn.state.wanted
    if result.status != "ok":
        state.expecting = "slot"
        turn.say("check_failed")
        return
    free = _moments(_told(turn, result, "free"))
    fitting = [moment for moment in free if wish.fits(wall_time(moment))]
    if fitting:
        offer(turn, _spread(fitting, _most(turn)))
    elif not state.searched:
        turn.say("none_free", when=turn.say_wish(wish))
        if free:
            offer(turn, _spread(free, _most(turn)), nearest=True)
        else:
            check(turn, wall_time(f"{wish.day}T00:00") if wish.day > turn.clock.now.date().isoformat() else None)
            state.searched = True
    elif free:
        offer(turn, _spread(free, _most(turn)), nearest=True)
    else:
        state.expecting, state.offers, state.wanted = "slot", [], Wish()
        turn.say("none_free_at_all")


def _most(turn: Turn) -> int:
    return _MAX_SPOKEN_OFFERS if turn.spoken else _MAX_OFFERS


def _spread(slots: list[str], most: int) -> list[str]:
    """A few of many, from the first to the last."""
    if len(slots) <= most:
        return slots
    step = (len(slots) - 1) / (most - 1)
    return [slots[round(index * step)] for index in range(most)]


def _told(turn: Turn, result: ToolResult, name: str) -> Any:
    """What a tool tells of the instants of this name, in the zone of the conversation's wall times."""
    theirs = result.output.get("contact_time_zone") == turn.zone.key
    return result.output.get(f"contact_{name}" if theirs else name)


def _moments(value: Any) -> list[str]:
    """The moments of a tool's answer as wall times; what is none is left out."""
    if not isinstance(value, (list, tuple)):
        return []
    moments: list[str] = []
    for entry in cast("Sequence[Any]", value):
        try:
            moments.append(wall_time(str(entry)).isoformat(timespec="minutes"))
        except ValueError:
            continue
    return moments


def _told_other(turn: Turn, name: str, result: ToolResult) -> None:
    """A tool that only the agent's owner knows: its message if it has one, else what it gave, readably."""
    label = name.removeprefix("get_").replace("_", " ")
    if result.status == "unknown":
        turn.say("tool_unknown", label=label)
        return
    if result.status in {"failed", "refused", "invalid", "not_found", "unavailable"}:
        turn.say("tool_failed", label=label)
        return
    message = result.output.get("message")
    shown = _readable(turn, result.output)
    if isinstance(message, str) and message.strip():
        turn.say("tool_ok", text=message.strip()[:600])
    elif shown:
        turn.say("tool_result", label=label, values=turn.language.join(shown))
    else:
        turn.say("tool_done", label=label)


def _readable(turn: Turn, output: Mapping[str, Any], depth: int = 0) -> list[str]:
    output = _with_money(output)
    shown: list[str] = []
    for key, value in list(output.items())[:_MAX_SHOWN]:
        if key in _HIDDEN or key.endswith("_id") or value is None:
            continue
        shown += _entry(turn, key.replace("_", " "), value, depth)
    return shown[:_MAX_SHOWN]


def _with_money(output: Mapping[str, Any]) -> Mapping[str, Any]:
    """The output with its one number and the currency beside it as an amount of money."""
    currency = output.get("currency")
    numbers = [key for key, value in output.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency) or len(numbers) != 1:
        return output
    money = {numbers[0]: {"amount": output[numbers[0]], "currency": currency}}
    return {key: value for key, value in {**output, **money}.items() if key != "currency"}


def _entry(turn: Turn, label: str, value: Any, depth: int) -> list[str]:
    match value:
        case bool():
            return [f"{label} {turn.phrase('yes_value' if value else 'no_value')}"]
        case int() | float():
            return [f"{label} {value:,}"]
        case str() if value.strip():
            return [f"{label} {value.strip()[:120]}"]
        case {"amount": int() | float() as amount, **rest}:
            currency = rest.get("currency")
            return [f"{label} {turn.show_money(amount, currency if isinstance(currency, str) else None)}"]
        case dict() if depth == 0:
            return _readable(turn, cast("Mapping[str, Any]", value), depth + 1)
        case _:
            return []
