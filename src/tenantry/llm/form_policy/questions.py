"""Answers questions about the conversation and the agent out of what the policy knows."""

from tenantry.llm.form_policy.collection import books
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.turn import Turn


def recap(turn: Turn) -> None:
    """Say all that is noted."""
    noted = [v for v in turn.agent.variables if v.name in turn.known and v.name not in turn.slot_names]
    values = [turn.describe(v) for v in noted]
    if values:
        turn.say("recap", values="; ".join(values))
    state = turn.state
    if state.appointment:
        turn.say("recap_appointment", when=turn.say_start(state.appointment.start))
    elif not state.wanted.empty:
        turn.say("recap_wanted", when=turn.say_wish(state.wanted))
    elif not values:
        turn.say("recap_nothing")


def answer_question(turn: Turn, intents: frozenset[Intent]) -> bool:
    """Answer what can be answered from the definition; whether there was such a question."""
    for intent, answer in (
        (Intent.HOURS, _hours),
        (Intent.PERSON, _person),
        (Intent.WHO, _who),
        (Intent.HELP, _help),
        (Intent.WHY, _why),
        (Intent.DOUBT, _doubt),
        (Intent.UPSET, _upset),
    ):
        if intent in intents:
            answer(turn)
            return True
    if Intent.PARDON in intents:
        return True
    if Intent.HELLO in intents:
        turn.rotate("hello")
        return True
    if Intent.QUESTION in intents:
        turn.rotate("cannot_answer")
        return True
    return False


def _hours(turn: Turn) -> None:
    if not turn.agent.business_hours:
        turn.say("no_hours")
        return
    hours = turn.language.say_hours(turn.agent.business_hours, turn.agent.region)
    turn.say("hours", hours=hours, zone=turn.language.say_zone(turn.agent.time_zone))


def _person(turn: Turn) -> None:
    turn.rotate("person")


def _doubt(turn: Turn) -> None:
    turn.rotate("doubt")


def _upset(turn: Turn) -> None:
    turn.rotate("upset")


def _who(turn: Turn) -> None:
    turn.rotate("who", agent=turn.agent.name)


def _why(turn: Turn) -> None:
    """What the value asked for is needed for, as far as its owner says."""
    asked = turn.agent.variable(turn.state.asked)
    if asked and asked.description:
        turn.lines.append(asked.description)
    else:
        turn.say("why")


def _help(turn: Turn) -> None:
    labels = [v.label for v in turn.required]
    if labels:
        turn.say("help_collect", labels=turn.language.join(labels))
    if turn.state.appointment:
        turn.say("help_booked")
    elif books(turn):
        turn.say("help_book")
    if labels:
        turn.say("help_more")
    elif not books(turn):
        turn.say("help_plain")


def _goodbye(turn: Turn) -> None:
    state, turn.ended = turn.state, True
    missing = [v.label for v in turn.required if v.name not in turn.known]
    begun = bool(turn.known) or not state.wanted.empty
    if books(turn) and state.appointment is None and begun and not state.done:
        turn.say("bye_unbooked", 0 if missing else 1, labels=turn.language.join(missing))
    elif missing and turn.known and not state.done:
        turn.say("bye_open", labels=turn.language.join(missing))
    elif state.moving and state.appointment:
        turn.say("bye_unmoved", when=turn.say_start(state.appointment.start))
    else:
        turn.rotate("bye")


def farewell(turn: Turn, intents: frozenset[Intent]) -> bool:
    """Answer thanks and goodbyes; whether that is all there is to say."""
    if Intent.BYE in intents:
        _goodbye(turn)
        return True
    if Intent.THANKS in intents:
        turn.rotate("welcome")
        return True
    return False
