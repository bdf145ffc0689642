"""Notes values and asks for the next missing one."""

from tenantry.domain.agent import Variable, VariableType
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.reading import Reading, Readings, same
from tenantry.llm.form_policy.state import Wish
from tenantry.llm.form_policy.turn import SET, Turn, wall_time

_READ_BACK = frozenset({VariableType.EMAIL, VariableType.PHONE, VariableType.ADDRESS})
_SPOKEN_READ_BACK = frozenset({VariableType.NAME, VariableType.MONEY, VariableType.NUMBER})
_PATIENCE = 3


def next_variable(turn: Turn) -> Variable | None:
    """The next to ask for: the first missing required one, then each optional one that was not asked yet."""
    for variable in turn.required:
        if variable.name not in turn.known:
            return variable
    optional = (v for v in turn.agent.variables if not v.required and v.name not in turn.slot_names)
    asked = turn.state.asked if turn.state.expecting == "variable" else ""
    return next(
        (v for v in optional if v.name not in turn.known and (v.name not in turn.state.offered or v.name == asked)),
        None,
    )


def note_values(turn: Turn, readings: Readings, *, correcting: bool) -> list[Reading]:
    """Note what was read, and give back what is new. A correction that was typed is not read back again: it is said in
    the answer at once."""
    changed: list[Reading] = []
    for reading in readings.values:
        before = turn.known.get(reading.variable.name)
        if same(before, reading.value):
            turn.progress = True
            continue
        doubtful = (
            reading.variable.type in _READ_BACK
            or turn.exact(reading.variable, reading.value)
            or (reading.spoken and reading.variable.type in _SPOKEN_READ_BACK)
        )
        confirmed = not doubtful or (correcting and before is not None and not reading.spoken)
        turn.note(reading.variable, reading.value, reading.heard, confirmed=confirmed)
        changed.append(reading)
        _keep_wish(turn, reading)
    if readings.when:
        turn.state.wanted.merge(readings.when)
        turn.progress = True
        note_slot(turn)
    return changed


def _keep_wish(turn: Turn, reading: Reading) -> None:
    if reading.variable.name == turn.state.asked:
        turn.state.misses = 0
        turn.state.partial = ""


def note_slot(turn: Turn) -> None:
    """Bring the variables that stand for the appointment's time in line with what is wanted or else booked."""
    wish, appointment = turn.state.wanted, turn.state.appointment
    if wish.empty and appointment:
        day, _, at = appointment.start.partition("T")
        wish = Wish(day=day, at=at)
    if wish.start:
        # Values are in the agent's zone, wherever the contact is.
        start = turn.owners_time(wall_time(wish.start))
        wish = Wish(day=start.date().isoformat(), at=f"{start:%H:%M}")
    for name in turn.slot_names:
        variable = turn.agent.variable(name)
        if variable is None:
            continue
        value = {
            VariableType.DATETIME: wish.start,
            VariableType.DATE: wish.day if not wish.last_day else "",
            VariableType.TIME: wish.at,
        }.get(variable.type, "")
        if not value:
            turn.take_back(name)
        elif not same(turn.known.get(name), value):
            turn.note(variable, value, value, confirmed=True)


def acknowledge(turn: Turn, changed: list[Reading], asked: Variable | None, *, correcting: bool, timed: bool) -> None:
    """Say what was noted: nothing of what is read back anyway, a plain answer or one that has to be exact, all of the
    rest. `timed` tells that a wish for a time was among it."""
    changed = [r for r in changed if not turn.exact(r.variable, r.value)]
    corrected = [r for r in changed if correcting and r.variable is not asked]
    if corrected:
        turn.rotate("corrected", values=turn.language.join([turn.describe(r.variable) for r in corrected]))
    if next_variable(turn) is None:
        return
    plain = [r for r in changed if r not in corrected]
    wish = turn.state.wanted if turn.state.appointment is None else Wish()
    if any(r.variable is not asked for r in plain) or (plain and timed):
        values = [turn.phrase("value_is", label=r.variable.label, value=turn.show(r.variable, r.value)) for r in plain]
        if timed and not wish.empty:
            values.append(turn.phrase("appointment_is", when=turn.say_wish(wish)))
        turn.rotate("noted", values=turn.language.join(values))
    elif timed and not wish.empty:
        turn.rotate("wanted_noted", when=turn.say_wish(wish))
    elif plain:
        turn.rotate("thanks")


def ask(turn: Turn, variable: Variable, intents: frozenset[Intent], readings: Readings, *, missed: bool) -> None:
    """Ask for a variable; after an answer that was not understood in other words, with an example, with a way out."""
    state = turn.state
    again = state.expecting == "variable" and state.asked == variable.name
    if not again:
        state.misses = 0
    if again and missed:
        state.misses += 1
        if not variable.required and state.misses >= _PATIENCE:
            turn.say("unclear_optional", 2, label=variable.label, question="", example="")
            _leave_out(turn, variable)
            return
    _say_question(turn, variable, intents, readings, missed=again and missed)
    state.expecting, state.asked = "variable", variable.name
    if not variable.required and variable.name not in state.offered:
        state.offered.append(variable.name)
    _offer_choices(turn, variable)


def _leave_out(turn: Turn, variable: Variable) -> None:
    turn.state.expecting, turn.state.asked, turn.state.misses = "", "", 0
    if variable.name not in turn.state.offered:
        turn.state.offered.append(variable.name)
    if following := next_variable(turn):
        ask(turn, following, frozenset(), Readings(), missed=False)


def _say_question(
    turn: Turn, variable: Variable, intents: frozenset[Intent], readings: Readings, *, missed: bool
) -> None:
    question, example = turn.question(variable), turn.language.example(variable)
    misses = turn.state.misses
    if readings.partial and variable.type is VariableType.PHONE:
        turn.state.partial = readings.partial
        turn.say("area_code", misses, digits=readings.partial)
    elif missed and readings.hint:
        turn.say(readings.hint, misses)
        turn.say("please_give", misses - 1, question=question, example=example)
    elif missed and variable.required and intents & {Intent.SKIP, Intent.NO}:
        turn.say("needed", misses - 1, label=variable.label, question=question, example=example)
    elif missed and Intent.GOAL in intents and misses < _PATIENCE:
        turn.say("gladly", misses - 1, question=question)
    elif missed:
        key = "unclear" if variable.required else "unclear_optional"
        turn.say(key, misses - 1, label=variable.label, question=question, example=example)
    elif not variable.required:
        turn.say("optional", question=question)
    else:
        turn.lines.append(question)


def _offer_choices(turn: Turn, variable: Variable) -> None:
    choices: list[str] = []
    if variable.type is VariableType.CHOICE:
        choices = list(variable.choices[:9])
    elif variable.type is VariableType.YES_NO:
        choices = [turn.phrase("yes"), turn.phrase("no")]
    if not variable.required:
        choices.append(turn.phrase("skip"))
    turn.offer_replies(*choices)


def skip(turn: Turn, variable: Variable) -> None:
    """The contact does without an optional variable."""
    turn.rotate("skipped")
    turn.state.expecting, turn.state.asked, turn.state.misses = "", "", 0
    turn.progress = True
    if variable.name not in turn.state.offered:
        turn.state.offered.append(variable.name)


def books(turn: Turn) -> bool:
    """Whether this agent makes appointments here."""
    return SET in turn.tools
