"""On a call: reads back at once what must be right to the letter, until the contact agrees to it."""

from dataclasses import replace

from tenantry.domain.agent import Variable, VariableType
from tenantry.llm.form_policy.collection import next_variable, note_values, skip
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import Message
from tenantry.llm.form_policy.readers.contacts import read_emails
from tenantry.llm.form_policy.reading import Reading, Readings, same
from tenantry.llm.form_policy.turn import Turn

_ANSWERS = frozenset({Intent.YES, Intent.NO, Intent.CORRECTION, Intent.RETRY, Intent.HELLO})
_WRONG = frozenset({Intent.NO, Intent.CORRECTION})
_SPELL_FROM = 2


def to_check(turn: Turn) -> Variable | None:
    """The first noted value that still has to be agreed to."""
    return next((v for v in turn.unconfirmed() if turn.exact(v, turn.known[v.name].value)), None)


def check_back(turn: Turn, variable: Variable) -> None:
    """Read the value back as it can be told from others that sound alike, and ask whether it is right."""
    state = turn.state
    again = state.expecting == "check" and state.asked == variable.name and not turn.progress
    state.misses = state.misses + 1 if again else 0
    say, value = turn.language.speech.say_exactly, turn.known[variable.name].value
    turn.say("check", min(state.misses, 1), label=variable.label, value=say(variable.type, turn.show(variable, value)))
    state.expecting, state.asked = "check", variable.name
    turn.offer_replies(turn.phrase("yes"), turn.phrase("no"))


def heard_check(turn: Turn, message: Message, intents: frozenset[Intent], readings: Readings) -> bool:
    """Take the answer to `check_back`; whether there is nothing more to say to it."""
    state, variable = turn.state, turn.checking
    if variable is None:
        return False
    said = readings.of(variable.name) or _corrected(turn, variable, message, intents, readings)
    before = turn.known[variable.name]
    if said is not None and not same(before, said.value):
        readings.values = [r for r in readings.values if r.variable is not variable] + [said]
        _count(turn, variable)
        return False
    if (Intent.YES in intents or said is not None) and Intent.NO not in intents:
        turn.confirm([variable.name])
        turn.rotate("thanks")
        state.failed.pop(variable.name, None)
        state.expecting, state.asked = "", ""
        turn.progress = True
        readings.values = [r for r in readings.values if r.variable is not variable]
        return False
    if Intent.SKIP in intents and not variable.required:
        turn.take_back(variable.name)
        skip(turn, variable)
        return False
    if intents & _WRONG and intents <= _ANSWERS:
        turn.take_back(variable.name)
        _count(turn, variable)
        _keep_domain(turn, variable, before.value)
        note_values(turn, readings, correcting=True)
        ask_anew(turn, variable)
        return True
    return False


def ask_anew(turn: Turn, variable: Variable) -> None:
    """Ask for a value that was heard wrong or not at all; after two tries letter by letter."""
    state = turn.state
    tries = state.failed.get(variable.name, 0)
    key = "say_once_more"
    if tries >= _SPELL_FROM:
        key = "spell_phone" if variable.type is VariableType.PHONE else "spell"
        if variable.type is VariableType.EMAIL:
            key = "spell_email"
    turn.say(key, label=variable.label)
    state.expecting, state.asked, state.misses = "variable", variable.name, 0
    if tries > _SPELL_FROM and not variable.required:
        turn.say("or_leave_out")
        turn.offer_replies(turn.phrase("skip"))
    if not variable.required and variable.name not in state.offered:
        state.offered.append(variable.name)


def missed_again(turn: Turn, intents: frozenset[Intent], readings: Readings) -> bool:
    """No answer to a question for what has to be right was understood; whether it was asked again."""
    variable = turn.agent.variable(turn.state.asked) if turn.state.expecting == "variable" else None
    if not turn.spoken or variable is None or variable is not next_variable(turn) or readings.partial:
        return False
    if variable.type not in {VariableType.EMAIL, VariableType.PHONE} or intents & {Intent.SKIP, Intent.NO, Intent.GOAL}:
        return False
    _count(turn, variable)
    ask_anew(turn, variable)
    return True


def _count(turn: Turn, variable: Variable) -> None:
    turn.state.failed[variable.name] = turn.state.failed.get(variable.name, 0) + 1


def _keep_domain(turn: Turn, variable: Variable, value: object) -> None:
    """Whoever spells an address often spells what is before the at alone."""
    if variable.type is VariableType.EMAIL:
        turn.state.partial = str(value).rpartition("@")[2]


def _corrected(
    turn: Turn, variable: Variable, message: Message, intents: frozenset[Intent], readings: Readings
) -> Reading | None:
    """The value with the part put right that the contact said: "no, it's mark with a k", "m a r k". A time, or a value
    of another variable, is no part of it; nor is what neither refuses nor spells."""
    if not intents <= _ANSWERS or (Intent.YES in intents and not intents & _WRONG):
        return None
    if readings.when is not None or readings.values:
        return None
    if not intents & _WRONG and turn.language.speech.letters(message.text) == message.text:
        return None
    value = str(turn.known[variable.name].value)
    if variable.type is VariableType.EMAIL:
        return _part_of_email(turn, variable, message, value)
    if variable.type is VariableType.TEXT and (code := turn.language.speech.code(_answer(turn, variable, message))):
        return Reading(variable, code, message.original, spoken=True)
    return None


def spelt_email(turn: Turn, asked: Variable | None, message: Message, intents: frozenset[Intent]) -> Reading | None:
    """The address that was asked for anew, of which only the part before the at was said."""
    if asked is None or asked.type is not VariableType.EMAIL or not turn.state.partial or not intents <= _ANSWERS:
        return None
    return _part_of_email(turn, asked, message, f"@{turn.state.partial}")


def _part_of_email(turn: Turn, variable: Variable, message: Message, value: str) -> Reading | None:
    """The address `value`, of which the local part may be empty, with the part before or behind the at that the
    message holds."""
    part = turn.language.speech.part_of_email(message.text)
    local, _, domain = value.rpartition("@")
    if not part:
        return None
    if local and (other := turn.language.speech.domain(part)):
        found = read_emails(f"{local}@{other}", turn.language, True)
    else:
        found = read_emails(f"{part} at {domain}", turn.language, True)
        if found and local:
            new = turn.language.speech.with_part(local, found[0].value.rpartition("@")[0])
            found = [replace(found[0], value=f"{new}@{domain}")]
    return Reading(variable, found[0].value, message.original, spoken=True) if found else None


def _answer(turn: Turn, variable: Variable, message: Message) -> str:
    return turn.language.answer(message.text, variable)
