"""What English messages ask to be handed over to."""

import re
from collections.abc import Sequence
from functools import lru_cache

from tenantry.llm.form_policy.language import Intent
from tenantry.llm.form_policy.languages.en.intents import intents

_SENTENCE = re.compile(r"[.!?;\n]+")
_LEAD = (
    r"^\W*(?:(?:hi|hello|hey|no|yes|ok|okay|well|so|sorry|please|and|but|actually|then|thanks|thank you)\b[,\s]*)*"
    r"(?:(?:can|could|would|will|may|might) (?:you|i|we|someone|somebody) (?:please )?|let me |"
    r"(?:i|we)(?:'d|'ll| would| will)? (?:just )?(?:like|want|need|prefer|love|wish)(?: you)?(?: to)? |"
    r"(?:i|we) wanna )?(?:please )?"
)
_MOVE = (
    r"(?:speak|talk|chat|connect|transfer|put|pass|hand|switch|forward|route|send|get|bring|have)"
    r"(?: me| us| this)?(?: through| over| on| up)?"
)
_TO = r"(?: (?:to|with|from|in|at|of|the|your|a|an|someone|somebody|anyone|person|people|colleague|agent))*"
_PLACE = r"(?: (?:department|team|desk|people|person|agent|office|side|line|colleagues?))?"
_END = r"(?:[,\s]+(?:please|thanks|thank you|now|instead))*\W*$"
# Purposes that mean a person, whatever it does.
_PERSON = frozenset({"human", "person", "operator", "staff", "representative", "agent", "reception"})


@lru_cache(maxsize=500)
def _patterns(purpose: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The purpose asked for with words that ask, and its name alone."""
    name = r"[\s_-]+".join(re.escape(word) for word in re.split(r"[\s_-]+", purpose.strip()))
    of = rf"{_LEAD}(?:the |your |a |an )?{name}"
    asked = rf"(?:{_LEAD}{_MOVE}{_TO} {name}\b|{of}(?: department| team| desk| people){_END})"
    return (
        re.compile(asked, re.IGNORECASE),
        re.compile(rf"{of}{_PLACE}{_END}", re.IGNORECASE),
    )


def asked_purpose(text: str, purposes: Sequence[str], bare: bool) -> str | None:
    """The purpose that a message asks for: "put me through to sales", "the sales team, please" or, for one that means a
    person, "a real person"; with `bare`, also "sales" alone."""
    sentences = [sentence.strip() for sentence in _SENTENCE.split(text[:300]) if sentence.strip()]
    for purpose in purposes:
        asked, alone = _patterns(purpose)
        if any(asked.search(sentence) or (bare and alone.search(sentence)) for sentence in sentences):
            return purpose
    if Intent.PERSON in intents(text):
        return next((purpose for purpose in purposes if purpose.strip().lower() in _PERSON), None)
    return None
