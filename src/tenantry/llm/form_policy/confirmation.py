"""Reads back what is easily misheard, and takes corrections."""

from difflib import SequenceMatcher

from tenantry.domain.agent import Variable, VariableType
from tenantry.llm.form_policy.collection import books
from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.message import Message
from tenantry.llm.form_policy.reading import Reading, Readings
from tenantry.llm.form_policy.turn import Turn

_WORDED = frozenset({VariableType.TEXT, VariableType.NAME, VariableType.ADDRESS})
_ALIKE = 0.7


def read_back(turn: Turn) -> None:
    """Ask whether the unconfirmed values are right, together with the others noted so far the first time."""
    state = turn.state
    first = state.expecting not in {"confirm", "correction"}
    state.misses = 0 if first else state.misses + 1
    told = [v for v in turn.agent.variables if v.name in turn.known and v.name not in turn.slot_names]
    # On the phone only what is not agreed to yet, so that it is short.
    listed = turn.unconfirmed() if state.read_back or turn.spoken else told
    values = [turn.describe(v) for v in listed]
    if books(turn) and state.appointment is None and state.wanted.start:
        values.append(turn.phrase("read_back_time", when=turn.say_wish(state.wanted)))
    turn.say("read_back", state.misses, values="; ".join(values))
    state.expecting, state.asked, state.read_back = "confirm", "", True
    state.confirming = [v.name for v in listed]
    turn.offer_replies(turn.phrase("yes"), turn.phrase("no"))


def heard_confirmation(turn: Turn, intents: frozenset[Intent], readings: Readings) -> bool:
    """Take the answer to a read-back; whether there is nothing more to say to it."""
    state = turn.state
    if state.expecting not in {"confirm", "correction"}:
        return False
    changed = {r.variable.name for r in readings.values}
    if changed or (Intent.YES in intents and Intent.NO not in intents):
        # Whoever corrects one part agrees to the rest.
        turn.confirm(name for name in state.confirming if name not in changed)
        turn.progress = True
        state.expecting = ""
        if not changed:
            state.confirming = []
            if not (books(turn) and state.wanted.start):
                turn.rotate("confirmed")
        return False
    if Intent.NO in intents and readings.when is None:
        state.misses = state.misses + 1 if state.expecting == "correction" else 0
        state.expecting = "correction"
        turn.say("what_is_wrong", state.misses)
        turn.offer_replies(*_labels(turn))
        return True
    return False


def named_wrong(turn: Turn, message: Message, intents: frozenset[Intent]) -> Variable | None:
    """The variable that the contact says is wrong without saying what is right: "the email", "the phone is wrong"."""
    correcting = turn.state.expecting == "correction" or (
        turn.state.expecting == "confirm" and Intent.YES not in intents
    )
    if not correcting and Intent.CORRECTION not in intents:
        return None
    words = message.text.lower().split()
    if len(words) > 8:
        return None
    said = f" {' '.join(word.strip('.,!?') for word in words)} "
    for variable in turn.agent.variables:
        if variable.name in turn.known and any(f" {label} " in said for label in turn.language.labels(variable)):
            return variable
    return None


def _labels(turn: Turn) -> list[str]:
    names = turn.state.confirming or list(turn.known)
    return [v.label for v in turn.agent.variables if v.name in names]


def corrections(turn: Turn, message: Message, intents: frozenset[Intent]) -> list[Reading]:
    """Corrections of a part of what is noted: "the street is Oak", "it's Springfeld with e", "Oak, not Main"."""
    worded = [v for v in turn.agent.variables if v.type in _WORDED and v.name in turn.known]
    if not worded:
        return []
    return _part_of_address(turn, message, worded) or _one_word(turn, message, intents, worded)


def _part_of_address(turn: Turn, message: Message, worded: list[Variable]) -> list[Reading]:
    for variable in worded:
        if variable.type is not VariableType.ADDRESS:
            continue
        noted = str(turn.known[variable.name].value)
        corrected = turn.language.correct_address(noted, turn.language.join_letters(message.text))
        if corrected and corrected != noted:
            return [Reading(variable, corrected, message.original, turn.spoken)]
    return []


def _one_word(turn: Turn, message: Message, intents: frozenset[Intent], worded: list[Variable]) -> list[Reading]:
    asked = turn.state.expecting in {"confirm", "correction"} or Intent.CORRECTION in intents
    pair = turn.language.word_correction(turn.language.join_letters(message.original)) if asked else None
    if pair is None:
        return []
    new, old = pair
    for variable in worded:
        words = str(turn.known[variable.name].value).split(" ")
        at = _place(words, old or new, exact=bool(old))
        if at is not None:
            tail = words[at][len(words[at].rstrip(",.")) :]
            words[at] = (new[:1].upper() + new[1:] if words[at][:1].isupper() else new) + tail
            return [Reading(variable, " ".join(words), message.original, turn.spoken)]
    return []


def _place(words: list[str], like: str, *, exact: bool) -> int | None:
    """The place of the word most like another."""
    scored = [(SequenceMatcher(None, w.strip(",.").lower(), like.lower()).ratio(), -i) for i, w in enumerate(words)]
    score, place = max(scored, default=(0.0, 0))
    return -place if score >= (0.95 if exact else _ALIKE) and (exact or score < 1) else None
