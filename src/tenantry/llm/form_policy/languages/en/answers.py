"""English words around an answer, names of people and of variables, and corrections of one word."""

import re

from tenantry.domain.agent import Variable, VariableType
from tenantry.llm.form_policy.language import Found

_LEAD = re.compile(
    r"^\W*(?:(?:hi|hello|hey|well|ok|okay|sure|yes|yeah|yep|so|um+|uh+|er+|hmm+|oh|no|nope|sorry|"
    r"actually|please|and|ah|right|of course|certainly|good (?:morning|afternoon|evening))\b[,.! ]+(?:there[,.! ]+)?)*"
    r"(?:(?:it(?:'s| is| would be| should be| was)?|that(?:'s| is| would be)?|this is|i(?:'m|"
    r" am)|i(?:'d| would) (?:say|like|go for|prefer)|i think|i guess|i live (?:at|in|on)|i meant?|"
    r"make it|make that|put|write|the answer is|you can (?:use|call|reach|write|put)(?: me)?(?: (?:at|"
    r"on|under))?|we(?:'re| are)|call me|there(?:'s| is| are)|(?:i|we) (?:have|want|need))\b[,:]? ?)?"
    r"(?:(?:just|probably|maybe|about|around|at|called|named|located at|on) )*",
    re.IGNORECASE,
)
_TEXT_LEAD = re.compile(
    r"^\W*(?:(?:well|so|ok|okay|um+|uh+|er+|hmm+|hi|hello|hey|"
    r"good (?:morning|afternoon|evening))(?: there)?[,.! ]+)*(?:(?:it's|it is|that's) )?",
    re.IGNORECASE,
)
_TRAIL = re.compile(
    r"(?:[,.! ]+(?:please|thanks|thank you|thx|cheers|sir|madam|if possible|i think|i guess)){0,3}[\s,.!]*$",
    re.IGNORECASE,
)
_TYPE_WORDS: dict[VariableType, tuple[str, ...]] = {
    VariableType.EMAIL: ("email", "e-mail", "mail", "email address", "mail address"),
    VariableType.PHONE: ("phone", "phone number", "telephone", "mobile", "cell", "cellphone", "number", "tel"),
    VariableType.ADDRESS: ("address", "property", "house", "home"),
    VariableType.NAME: ("name",),
    VariableType.MONEY: ("price", "amount", "budget"),
    VariableType.DATE: ("date", "day"),
    VariableType.TIME: ("time",),
    VariableType.DATETIME: ("time", "date"),
}


def labels(variable: Variable) -> tuple[str, ...]:
    """What a contact may call the variable: its label, the label's last word, the words of its type; longest first."""
    own = [variable.label.lower()]
    words = own[0].split()
    if len(words) > 1:
        own += [w for w in (words[-1], words[0]) if len(w) > 2]
    return (*own, *(word for word in _TYPE_WORDS.get(variable.type, ()) if word not in own))


def answer(text: str, variable: Variable) -> str:
    """`text` without what stands around an answer: "it's", "my name is", "please"."""
    own = "|".join(re.escape(label) for label in labels(variable))
    named = re.compile(
        rf"^\W*(?:\w+[,.!] )?(?:my |the |our |his |her |its )?(?:{own})(?: (?:is|are|was|should be|"
        rf"would be|will be)|'s|:| =)[,:]? ",
        re.IGNORECASE,
    )
    stripped = named.sub("", text, count=1)
    if stripped == text:
        lead = (_TEXT_LEAD if variable.type is VariableType.TEXT else _LEAD).match(text)
        rest = text[lead.end() :] if lead else text
        stripped = named.sub("", rest, count=1) if rest.strip(" .,!") else text
    if variable.type is VariableType.TEXT:
        return stripped.strip(" ,;:") or text.strip()
    return _TRAIL.sub("", stripped).strip(' ,;:"') or ""


_NAME_WORD = r"[^\W\d_][^\W\d_'’.-]*(?:['’.-][^\W\d_]+)*\.?"
_NAME = re.compile(
    rf"\b(?i:my (?:full |first |last )?name is|my name's|name(?: is)?:|the name is|the name's|"
    rf"i am called|i'm called|people call me) (?P<name>{_NAME_WORD}(?: {_NAME_WORD}){{0,3}})"
    rf"|\b(?:I am|I'm|i am|i'm|it's|It's|this is|This is) (?P<proper>[A-Z][\w'’-]+ [A-Z][\w'’-]+)\b"
)
_NAME_END = re.compile(
    r" (?:and|my|i|i'm|i'd|from|with|calling|here|speaking|the|at|on|in|but|is|it's|phone|email|"
    r"e-mail|mail|would|want|please|for|who|reach|you|looking|interested)\b.*$",
    re.IGNORECASE,
)
_NOT_NAME_WORDS = "a an the not about regarding urgent for interested looking my very it great good fine ok okay "
_NOT_NAMES = frozenset(_NOT_NAME_WORDS.split())


def names(text: str) -> list[Found]:
    """People who introduce themselves: "my name is Jane Doe", "I'm Jane Doe"."""
    found: list[Found] = []
    for match in list(_NAME.finditer(text))[:3]:
        group = "name" if match["name"] else "proper"
        said = _NAME_END.sub("", match[group])
        if said.split()[0].lower() in _NOT_NAMES:
            continue
        value = said.rstrip(".") if any(letter.isupper() for letter in said) else said.rstrip(".").title()
        found.append(Found(match.start(group), match.start(group) + len(said), value))
    return found


_WORD = r"[\w'’-]{2,40}"
_SPELT_LIKE = re.compile(
    rf"\b(?:it(?:'s| is)|that(?:'s| is)|spelled|spelt|written|i said|i meant?)(?: spelt| spelled|"
    rf" written| called| actually)? (?P<word>{_WORD})(?:,| -)? (?:with|without)(?: (?:an?|the|"
    rf"one|two|double|no))? (?P<letter>\w{{1,2}}(?:'?s)?)\b",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(
    rf"\bnot (?P<old>{_WORD}),? (?:but|it'?s|rather|it is) (?P<new>{_WORD})\W*$|"
    rf"\bnot (?P<old2>{_WORD}), (?P<new2>{_WORD})"
    rf"\W*$|(?P<new3>{_WORD}),? (?:and )?not (?P<old3>{_WORD})\W*$|(?P<new4>{_WORD}) instead of (?P<old4>{_WORD})"
    rf"\W*$",
    re.IGNORECASE,
)
_SPELT_OUT = re.compile(
    rf"^\W*(?:no[,.]? )?(?:it(?:'s| is)|that(?:'s| is)|spelled|spelt) (?P<word>{_WORD})\W*$", re.IGNORECASE
)


def word_correction(text: str) -> tuple[str, str] | None:
    """The new word and, where it was named, the old one: "it's Springfeld with e", "Oak, not Main"."""
    if found := _NOT_BUT.search(text[:200]):
        for index in ("", "2", "3", "4"):
            if found[f"new{index}"]:
                return found[f"new{index}"], found[f"old{index}"]
    if found := _SPELT_LIKE.search(text[:200]) or _SPELT_OUT.match(text[:80]):
        return found["word"], ""
    return None


_FILLER_WORDS = (
    "i i'm im i'd id am is are it it's its my me mine the a an and or to of at on in for with by you your please "
    "thanks thank would could can will like want need be do have has that this there here so well yes no not ok "
    "okay um uh hi hello hey good about around just email mail e-mail phone number address price name asking call "
    "reach us we our property house home sell selling also up was as sure actually get got let's make works great "
    "fine then think maybe over "
)
FILLER = frozenset(_FILLER_WORDS.split())
