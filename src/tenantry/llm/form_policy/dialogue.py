"""Decides what a message or a tool's result leads to."""

import json

from tenantry.domain.agent import Function, Variable, VariableType
from tenantry.domain.tools import ToolResult
from tenantry.llm.form_policy.appointments import heard_about_appointment, heard_choice, settle_time
from tenantry.llm.form_policy.checking import check_back, heard_check, missed_again, spelt_email, to_check
from tenantry.llm.form_policy.codes import heard_code, take_code, without_code
from tenantry.llm.form_policy.collection import acknowledge, ask, books, next_variable, note_values, skip
from tenantry.llm.form_policy.confirmation import corrections, heard_confirmation, named_wrong, read_back
from tenantry.llm.form_policy.greeting import greeting_of
from tenantry.llm.form_policy.handing_over import heard_hand_off
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import Message, read_message
from tenantry.llm.form_policy.notices import tell_notices
from tenantry.llm.form_policy.outcomes import tell
from tenantry.llm.form_policy.questions import answer_question, farewell, recap
from tenantry.llm.form_policy.reading import Reader, Readings
from tenantry.llm.form_policy.state import DialogueState
from tenantry.llm.form_policy.turn import APPOINTMENT_TOOLS, CANCEL, HAND_OFF, MOVE, Turn

_NOTHING: frozenset[Intent] = frozenset()
_SHORT_MESSAGE = 5
_COURTESY = frozenset({Intent.BYE, Intent.THANKS})
_ABOUT_THE_CONVERSATION = frozenset(Intent) - {
    Intent.GOAL,
    Intent.CORRECTION,
    Intent.DOUBT,
    Intent.UPSET,
    Intent.PLEASED,
    Intent.UNSOLVED,
}
_NOT_BY_ITSELF = APPOINTMENT_TOOLS | {HAND_OFF}
_NOTHING_ELSE = frozenset({Intent.NO, Intent.SKIP, Intent.THANKS, Intent.CORRECTION, Intent.PLEASED})
_DECLINING = frozenset({Intent.SKIP, Intent.NO})


def hear_results(turn: Turn) -> None:
    """The last messages are results of tools: say what came of them and go on."""
    messages = turn.request.messages
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    handled: set[str] = set()
    gone = False
    for message in reversed(messages):
        if message.role != "tool":
            break
        name = names.get(message.tool_call_id or "", "")
        handled.add(name)
        result = message.tool_result or ToolResult()
        gone = gone or (name == HAND_OFF and result.done)
        tell(turn, name, result)
    if turn.call is None and not gone and not handled & APPOINTMENT_TOOLS:
        advance(turn, _NOTHING, Readings(), missed=False)


def hear_message(turn: Turn, content: str) -> None:
    """The contact said something."""
    state = turn.state
    message = read_message(content, turn.language, spoken=turn.spoken)
    first = _greet(turn)
    tell_notices(turn)
    state.turns += 1
    if message.empty:
        if not first:
            turn.rotate("nothing_heard")
        advance(turn, _NOTHING, Readings(), missed=not first)
        return
    without = take_code(turn, message)
    if without is None:
        without_code(turn)
    message = without or message
    intents = turn.language.intents(message.original)
    if without is not None and heard_code(turn, intents):
        return
    asked = turn.agent.variable(state.asked) if state.expecting == "variable" else None
    if first and _tells(message, intents):
        asked = next_variable(turn)
    intents = _meant(message, intents, asked)
    if heard_hand_off(turn, message, asked):
        return
    if Intent.RESTART in intents:
        _restart(turn)
        return
    readings = Reader(turn, message, intents, asked or _contact_checked(turn)).read()
    if not readings.values and readings.when is None and (spelt := spelt_email(turn, asked, message, intents)):
        readings.values = [spelt]
    if turn.checking is None and (parts := corrections(turn, message, intents)):
        readings.values = parts
    _respond(turn, message, intents, readings, asked, first=first)
    if not turn.lines and turn.call is None:
        turn.rotate("anything_else")


def _meant(message: Message, intents: frozenset[Intent], asked: Variable | None) -> frozenset[Intent]:
    """The intents without those that are only words of the answer to an open question."""
    if asked is not None and asked.type is VariableType.TEXT:
        # At length, "I was told to cancel that" is the answer, no wish to cancel.
        return _NOTHING if len(message.original.split()) > _SHORT_MESSAGE else intents - {Intent.NOTHING_ELSE}
    return intents | {Intent.BYE} if Intent.NOTHING_ELSE in intents else intents


def _tells(message: Message, intents: frozenset[Intent]) -> bool:
    """Whether a first message says at length what the contact has to say: it may answer an open question that was not
    asked yet."""
    return len(message.original.split()) > _SHORT_MESSAGE and not intents & _ABOUT_THE_CONVERSATION


def _contact_checked(turn: Turn) -> Variable | None:
    """What the whole message may say anew; of an id that was read back only its correction does."""
    checked = turn.checking
    return checked if checked is not None and checked.type is not VariableType.TEXT else None


def _respond(
    turn: Turn, message: Message, intents: frozenset[Intent], readings: Readings, asked: Variable | None, *, first: bool
) -> None:
    state = turn.state
    correcting = Intent.CORRECTION in intents or state.expecting in {"confirm", "correction"}
    if Intent.RECALL in intents and not readings.values:
        recap(turn)
        _go_on_after_answer(turn)
        return
    if heard_choice(turn, message, intents, readings):
        intents -= {Intent.MOVE, Intent.TIMES, Intent.NO}
    elif heard_about_appointment(turn, intents, readings):
        note_values(turn, readings, correcting=correcting)
        return
    unread = not readings.values and readings.when is None
    if unread and turn.checking is None and (wrong := named_wrong(turn, message, intents)):
        _ask_anew(turn, wrong)
        return
    if heard_check(turn, message, intents, readings) or heard_confirmation(turn, intents, readings):
        return
    changed = note_values(turn, readings, correcting=correcting)
    acknowledge(turn, changed, asked, correcting=correcting, timed=readings.when is not None)
    if not turn.progress and asked and intents & _DECLINING and Intent.BYE not in intents:
        if not asked.required:
            skip(turn, asked)
    elif not turn.progress:
        if _answered_aside(turn, intents, asked, first=first):
            return
        if not first and missed_again(turn, intents, readings):
            return
    advance(turn, intents, readings, missed=not turn.progress and not first)


def _answered_aside(turn: Turn, intents: frozenset[Intent], asked: Variable | None, *, first: bool) -> bool:
    """Courtesies and questions; whether the step ends with the answer."""
    if _all_done(turn) and intents & _DECLINING and intents <= _NOTHING_ELSE:
        # No, to whether there is anything else.
        farewell(turn, frozenset({Intent.BYE}))
        return True
    if intents & _COURTESY and not first:
        farewell(turn, intents)
        if Intent.BYE in intents:
            return True
        _go_on_after_answer(turn)
        return True
    if Intent.SOLVED in intents:
        turn.rotate("solved")
        turn.rotate("anything_else")
        return True
    if first and Intent.HELLO in intents:
        return False
    if answer_question(turn, intents):
        _go_on_after_answer(turn)
        return True
    return False


def _go_on_after_answer(turn: Turn) -> None:
    """Back to what was open before, without counting a misunderstanding."""
    if not _all_done(turn):
        advance(turn, _NOTHING, Readings(), missed=False)


def _all_done(turn: Turn) -> bool:
    state = turn.state
    return state.expecting == "" and (state.appointment is not None or state.done) and not state.moving


def _greet(turn: Turn) -> bool:
    """Begin with the greeting where nothing was said before, but on a call, which was begun with it; whether it is the
    contact's first message."""
    earlier = turn.request.messages[:-1]
    began = bool(turn.request.state) or any(m.role == ("user" if turn.spoken else "assistant") for m in earlier)
    if not began and not turn.spoken:
        turn.lines.append(greeting_of(turn.agent))
    return not began


def _restart(turn: Turn) -> None:
    appointment, calls, turns = turn.state.appointment, turn.state.calls, turn.state.turns
    for name in list(turn.known):
        turn.take_back(name)
    turn.state = DialogueState(appointment=appointment, calls=calls, turns=turns)
    turn.say("restarted")
    advance(turn, _NOTHING, Readings(), missed=False)


def _ask_anew(turn: Turn, variable: Variable) -> None:
    others = [name for name in turn.state.confirming if name != variable.name]
    turn.confirm(others)
    turn.take_back(variable.name)
    turn.state.expecting, turn.state.asked, turn.state.misses = "variable", variable.name, 0
    turn.say("say_again", question=turn.question(variable))


def advance(turn: Turn, intents: frozenset[Intent], readings: Readings, *, missed: bool) -> None:
    """The next step towards what the agent is for."""
    if turn.state.moving:
        settle_time(turn, intents, readings, missed=missed)
        return
    if checked := to_check(turn):
        check_back(turn, checked)
        return
    variable = next_variable(turn)
    if variable is not None:
        ask(turn, variable, intents, readings, missed=missed)
    elif turn.unconfirmed():
        read_back(turn)
    elif function := _next_function(turn):
        _call(turn, function)
    elif _booking_is_open(turn):
        settle_time(turn, intents, readings, missed=missed)
    else:
        _finish(turn, intents, readings)


def _booking_is_open(turn: Turn) -> bool:
    """Whether an appointment is still to be made; after one was cancelled or refused, only when a new time is named."""
    state = turn.state
    return books(turn) and state.appointment is None and (not state.done or not state.wanted.empty)


def _next_function(turn: Turn) -> Function | None:
    """The next of the agent's own functions whose values are all there and were not handed to it yet."""
    for function in turn.agent.enabled_functions():
        if function.name not in turn.tools or function.name in _NOT_BY_ITSELF or not function.variables:
            continue
        listed = [v for name in function.variables if (v := turn.agent.variable(name))]
        complete = all(v.name in turn.known for v in listed if v.required and v.name not in turn.slot_names)
        if complete and turn.state.called.get(function.name) != _fingerprint(turn, function):
            return function
    return None


def _fingerprint(turn: Turn, function: Function) -> str:
    return json.dumps(_arguments(turn, function), sort_keys=True, default=str)


def _arguments(turn: Turn, function: Function) -> dict[str, object]:
    return {name: turn.known[name].value for name in function.variables if name in turn.known}


def _call(turn: Turn, function: Function) -> None:
    turn.state.called[function.name] = _fingerprint(turn, function)
    turn.ask_tool(function.name, _arguments(turn, function))


def _finish(turn: Turn, intents: frozenset[Intent], readings: Readings) -> None:
    state = turn.state
    content = bool(turn.request.messages and any(c.isalnum() for c in turn.request.messages[-1].content))
    content = content and not intents & {
        Intent.HELLO,
        Intent.YES,
        Intent.NO,
        Intent.SKIP,
        Intent.PARDON,
        Intent.QUESTION,
    }
    if state.appointment:
        if turn.progress:
            turn.rotate("anything_else")
        else:
            turn.rotate("still_booked", when=turn.say_start(state.appointment.start))
            if {MOVE, CANCEL} <= turn.tools:
                turn.say("can_change")
    elif not turn.agent.variables:
        turn.rotate("message_taken" if content else "what_message")
    elif state.done:
        turn.rotate("finished_already")
    else:
        turn.say("finished")
    state.done, state.expecting = True, ""
