"""Finds a time with the contact, and makes, moves and cancels the appointment."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from tenantry.domain.agent import VariableType
from tenantry.llm.form_policy.collection import note_slot
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import Message
from tenantry.llm.form_policy.reading import Readings
from tenantry.llm.form_policy.state import Wish
from tenantry.llm.form_policy.turn import APPOINTMENT_TOOLS, CANCEL, CHECK, MOVE, SET, Turn, wall_time


def heard_choice(turn: Turn, message: Message, intents: frozenset[Intent], readings: Readings) -> bool:
    """Take the answer to offered times; whether one was chosen."""
    state = turn.state
    if state.expecting != "slot" or not state.offers:
        return False
    chosen = _chosen(turn, message, intents, readings)
    if chosen is None:
        return False
    start = wall_time(chosen)
    state.wanted = Wish(day=start.date().isoformat(), at=start.strftime("%H:%M"))
    state.offers, state.expecting = [], ""
    readings.when = None
    turn.progress = True
    note_slot(turn)
    return True


def _chosen(turn: Turn, message: Message, intents: frozenset[Intent], readings: Readings) -> str | None:
    offers = turn.state.offers
    index = 0 if Intent.ANY in intents else turn.language.ordinal(message.original, len(offers))
    if index is not None:
        return offers[index]
    when = readings.when
    if when is None:
        return offers[0] if len(offers) == 1 and Intent.YES in intents and Intent.NO not in intents else None
    wish = Wish()
    wish.merge(when)
    if when.weekday and when.day and (offered := _offered_weekday(offers, when.day.weekday())):
        wish.day = offered
        readings.when = replace(when, day=date.fromisoformat(offered))
    fitting = [offer for offer in offers if wish.fits(wall_time(offer))]
    return fitting[0] if len(fitting) == 1 and (when.at or when.day) else None


def _offered_weekday(offers: list[str], weekday: int) -> str:
    """The day of the first offer on a weekday: "Monday at 9" means the Monday just offered, not the next one."""
    return next((day.date().isoformat() for day in map(wall_time, offers) if day.weekday() == weekday), "")


def heard_about_appointment(turn: Turn, intents: frozenset[Intent], readings: Readings) -> bool:
    """Wishes about the appointment that is there, and questions for free times; whether the step is done with it."""
    state = turn.state
    if state.expecting == "cancel" and not intents & {Intent.MOVE, Intent.TIMES}:
        return _heard_cancel_answer(turn, intents)
    if state.moving and len(state.offers) < 2 and readings.when is None and intents & {Intent.NO, Intent.KEEP}:
        state.moving, state.expecting, state.wanted, state.offers = False, "", Wish(), []
        turn.say("kept")
        return True
    if Intent.CANCEL in intents and not readings.values:
        return _ask_cancel(turn)
    if _wants_move(turn, intents, readings):
        return _move(turn, readings)
    if _asks_to_move(turn, intents, readings):
        return True
    if Intent.TIMES in intents or (state.expecting == "slot" and Intent.NONE_OF_THESE in intents):
        return _look_up(turn, intents, readings)
    if state.expecting == "slot" and Intent.NO in intents and readings.when is None and not readings.values:
        state.offers, state.wanted = [], Wish()
        turn.rotate("when_else")
        return True
    return False


def _ask_cancel(turn: Turn) -> bool:
    state = turn.state
    if state.appointment is None and (CANCEL not in turn.tools or state.wanted.start or state.offers):
        if SET not in turn.tools:
            return False
        state.wanted, state.offers, state.expecting = Wish(), [], "slot"
        turn.say("cancelled_nothing")
        return True
    if CANCEL not in turn.tools:
        turn.say("cannot_cancel")
        return True
    state.expecting, state.misses = "cancel", 0
    turn.say("cancel_sure", when=_booked(turn))
    turn.offer_replies(turn.phrase("yes"), turn.phrase("no"))
    return True


def _booked(turn: Turn) -> str:
    appointment = turn.state.appointment
    return f" {turn.say_start(appointment.start)}" if appointment else ""


def _heard_cancel_answer(turn: Turn, intents: frozenset[Intent]) -> bool:
    state = turn.state
    if intents & {Intent.YES, Intent.CANCEL, Intent.RETRY} and Intent.NO not in intents:
        state.expecting = ""
        turn.ask_tool(CANCEL, which(turn))
        return True
    if Intent.NO in intents:
        state.expecting = ""
        turn.say("kept")
        return True
    state.misses += 1
    if state.misses > 2:
        state.expecting = ""
        turn.say("kept")
        return True
    turn.say("cancel_sure", state.misses, when=_booked(turn))
    turn.offer_replies(turn.phrase("yes"), turn.phrase("no"))
    return True


def which(turn: Turn) -> dict[str, str]:
    """How a tool is told which appointment is meant: by the contact's code, or by its id."""
    if turn.state.reference:
        return {"booking_reference": turn.state.reference}
    appointment = turn.state.appointment
    return {"booking_id": appointment.booking_id} if appointment and appointment.booking_id else {}


def _wants_move(turn: Turn, intents: frozenset[Intent], readings: Readings) -> bool:
    state = turn.state
    if state.moving:
        return False
    if state.appointment or state.reference:
        return Intent.MOVE in intents or (readings.when is not None and Intent.CORRECTION in intents)
    fresh = state.wanted.empty and not state.offers and not turn.known
    return Intent.MOVE in intents and fresh and MOVE in turn.tools


def _move(turn: Turn, readings: Readings) -> bool:
    state = turn.state
    if MOVE not in turn.tools:
        turn.say("cannot_move")
        readings.when = None
        return True
    state.moving, state.offers = True, []
    state.wanted = Wish()
    if state.appointment:
        start = wall_time(state.appointment.start)
        state.wanted = Wish(day=start.date().isoformat(), at=start.strftime("%H:%M"))
    if readings.when is None:
        state.wanted = Wish(day=state.wanted.day)
        state.expecting = "slot"
        turn.rotate("move_when")
        return True
    return False


def _asks_to_move(turn: Turn, intents: frozenset[Intent], readings: Readings) -> bool:
    """A time that is named after the booking may be meant as its new one: ask."""
    state = turn.state
    if state.appointment is None or state.moving or readings.when is None or MOVE not in turn.tools:
        return False
    booked = wall_time(state.appointment.start)
    wish = Wish(day=booked.date().isoformat(), at=booked.strftime("%H:%M"))
    wish.merge(readings.when)
    readings.when = None
    if not wish.start or wall_time(wish.start) == booked or intents & {Intent.BYE, Intent.THANKS, Intent.TIMES}:
        return False
    state.moving, state.expecting, state.offers = True, "slot", [wish.start]
    turn.say("move_sure", when=turn.say_both(wall_time(wish.start)))
    turn.offer_replies(turn.phrase("yes"), turn.phrase("no"))
    return True


def _look_up(turn: Turn, intents: frozenset[Intent], readings: Readings) -> bool:
    """What is free, from what was asked: a day, a part of it, later than what was offered, or as soon as may be."""
    state = turn.state
    if not turn.tools & APPOINTMENT_TOOLS or (state.appointment and not state.moving and readings.when is None):
        return False
    if CHECK not in turn.tools:
        if readings.when is None:
            state.expecting = "slot"
            turn.say("cannot_check")
            return True
        return False
    after = wall_time(state.offers[-1]) + timedelta(minutes=1) if state.offers and readings.when is None else None
    if readings.when:
        wish = Wish(day=state.wanted.day, last_day=state.wanted.last_day)
        wish.merge(readings.when)
        state.wanted, readings.when = wish, None
    elif state.offers:
        state.wanted = Wish()
    check(turn, after)
    return True


def check(turn: Turn, after: datetime | None = None) -> None:
    """Ask the calendar for free times that suit the wish, or for those from `after` on."""
    wish, now = turn.state.wanted, turn.clock.now.replace(tzinfo=None, second=0, microsecond=0)
    turn.state.searched = after is not None or not wish.day
    start = after or max(now, datetime.combine(wish.date() or now.date(), _clock(wish.at or wish.earliest)))
    arguments = {"start": _iso(start)}
    if wish.day and after is None:
        last = date.fromisoformat(wish.last_day or wish.day)
        end = (
            datetime.combine(last, _clock(wish.latest))
            if wish.latest
            else datetime.combine(last, time()) + timedelta(1)
        )
        if end > start:
            arguments["end"] = _iso(end)
    turn.ask_tool(CHECK, arguments)


def _clock(hhmm: str) -> time:
    return time.fromisoformat(hhmm) if hhmm else time()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def settle_time(turn: Turn, intents: frozenset[Intent], readings: Readings, *, missed: bool) -> None:
    """All else is known: book the wanted time, look for one, or ask for it."""
    state, wish = turn.state, turn.state.wanted
    tool = MOVE if state.moving else SET
    if state.expecting == "retry" and readings.when is None and not intents & {Intent.RETRY, Intent.YES}:
        _hold_back(turn, intents)
        return
    if wish.start:
        state.expecting, state.asked, state.offers, state.searched = "", "", [], False
        # With its zone, since an appointment may have been agreed in another one.
        values = {**which(turn), "time_zone": turn.zone.key} if state.moving else booked_values(turn)
        turn.ask_tool(tool, {**values, "start": wish.start})
    elif state.offers and (missed or readings.when is None):
        _offer_again(turn)
    elif (wish.day or wish.earliest or wish.latest) and CHECK in turn.tools:
        check(turn)
    else:
        _ask_when(turn, missed=missed)


def _hold_back(turn: Turn, intents: frozenset[Intent]) -> None:
    """A booking failed: it is tried again only when the contact wants so."""
    if Intent.NO in intents:
        turn.state.wanted, turn.state.expecting = Wish(), "slot"
        turn.rotate("when_else")
        return
    turn.rotate("retry", when=turn.say_wish(turn.state.wanted))
    turn.offer_replies(turn.phrase("try_again"), turn.phrase("no"))


def booked_values(turn: Turn) -> dict[str, object]:
    """The values that the appointment's function takes, by name."""
    function = next((f for f in turn.agent.enabled_functions() if f.name == SET), None)
    names = function.variables if function else ()
    return {name: turn.known[name].value for name in names if name in turn.known}


def _offer_again(turn: Turn) -> None:
    turn.state.misses = turn.state.misses + 1 if turn.state.expecting == "slot" else 0
    turn.say("offer_again", turn.state.misses, slots=_list(turn, turn.state.offers))
    turn.state.expecting = "slot"
    _offer_replies(turn)


def _ask_when(turn: Turn, *, missed: bool) -> None:
    state, wish = turn.state, turn.state.wanted
    again = state.expecting == "slot"
    state.misses = state.misses + 1 if again and missed else 0
    day = wish.date()
    if day and not wish.last_day:
        turn.say("which_time", state.misses, day=turn.say_day(day))
    elif wish.at:
        turn.say("which_day", state.misses, time=turn.say_time(time.fromisoformat(wish.at)))
    elif state.moving:
        turn.say("move_when", state.misses)
    else:
        turn.lines.append(_own_question(turn) if state.misses == 0 else turn.phrase("when", state.misses))
    state.expecting, state.asked = "slot", ""


def _own_question(turn: Turn) -> str:
    """The agent's own question for the time, where a variable stands for it."""
    slots = [v for v in turn.agent.variables if v.name in turn.slot_names and v.question]
    moment = next((v for v in slots if v.type is VariableType.DATETIME), None)
    chosen = moment or next(iter(slots), None)
    return chosen.question if chosen else turn.phrase("when")


def slot(turn: Turn, offer: str) -> str:
    """An offered time, short."""
    return turn.language.say_slot(wall_time(offer), turn.day_first)


def offer(turn: Turn, slots: list[str], *, nearest: bool = False) -> None:
    """Offer free times."""
    turn.state.offers = slots
    turn.state.expecting, turn.state.misses, turn.state.asked = "slot", 0, ""
    if len(slots) == 1:
        turn.say("nearest_one" if nearest else "offer_one", slot=turn.say_both(wall_time(slots[0])))
    else:
        turn.say("nearest" if nearest else "offer", turn.state.turns, slots=_list(turn, slots))
    _offer_replies(turn)


def _list(turn: Turn, slots: list[str]) -> str:
    """Times by day: "Tuesday 24 November at 9:00 am, 10:00 am or 1:00 pm; Wednesday 25 November at 9:00 am"."""
    days: dict[date, list[datetime]] = {}
    for moment in map(wall_time, slots):
        days.setdefault(moment.date(), []).append(moment)
    spoken: list[str] = []
    for day, moments in days.items():
        times = turn.language.either([turn.say_time(moment.time()) for moment in moments])
        spoken.append(turn.beside_owners(turn.phrase("at", day=turn.say_day(day), time=times), moments))
    return "; ".join(spoken)


def _offer_replies(turn: Turn) -> None:
    turn.offer_replies(*(slot(turn, offered) for offered in turn.state.offers), turn.phrase("none_of_these"))
