"""What recognisers write of spoken English, made into what one would have typed."""

import re
from difflib import SequenceMatcher

_FILLER = re.compile(
    r"(?:^|(?<=[\s,.]))(?:u+h*m+|u+h+|e+r+m*|hmm+|mm+|ah+|you know)(?:[,.]+(?=\s|$)|(?=\s|$))\s*", re.I
)
_REPEATED = re.compile(
    r"\b(i|i'd|i'm|it|it's|its|the|a|an|at|my|is|to|on|for|and|in|of|no|yes|yeah|we|you|want|would|like|please|bye|"
    r"that|that's|email|dot)(?:[, ]+\1)+\b(?!')",
    re.I,
)
_HALF_DAY = re.compile(r"(?<=[\d\w]) ([ap])\. ?m\b\.?|(?<=\d)([ap])\.m\b\.?", re.I)
_W = re.compile(r"\bdouble[ -](?:u|you|yu)\b", re.I)
_DIGIT = r"(?:\d+|zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_OH = re.compile(rf"\b((?:{_DIGIT})[ ,-]+)(?:oh|o)(?=[ ,-]+(?:{_DIGIT}|o)\b)", re.I)
_SOUNDS_LIKE = {"oh": "zero", "to": "two", "too": "two", "for": "four", "fore": "four", "ate": "eight", "won": "one"}
_AMONG_DIGITS = re.compile(
    rf"(?:(?<=\b\d \d )|(?<=\d\d\d )|(?P<before>\b{_DIGIT}[ ,-]+{_DIGIT}[ ,-]+))"
    rf"(?P<word>{'|'.join(_SOUNDS_LIKE)})(?=[ ,-]+(?:{_DIGIT}|{'|'.join(_SOUNDS_LIKE)})\b|[.,]?\s*$)",
    re.I,
)

_ALPHABET = (
    "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar papa "
    "quebec romeo sierra tango uniform victor whiskey whisky xray x-ray yankee zulu"
)
_ALPHABET_WORDS = {word: word[0] for word in _ALPHABET.split()}
_OF_THE_ALPHABET = re.compile(rf"\b(?:{'|'.join(_ALPHABET_WORDS)})\b")
# What single letters are written as, where there are other letters around them.
_LETTER_SOUNDS = {
    "ay": "a", "bee": "b", "be": "b", "see": "c", "sea": "c", "dee": "d", "ef": "f", "eff": "f", "gee": "g",
    "aitch": "h", "eye": "i", "jay": "j", "kay": "k", "ell": "l", "el": "l", "em": "m", "en": "n", "owe": "o",
    "oh": "o", "pea": "p", "pee": "p", "queue": "q", "cue": "q", "are": "r", "ar": "r", "ess": "s", "tea": "t",
    "tee": "t", "you": "u", "vee": "v", "ex": "x", "why": "y", "zee": "z", "zed": "z",
}  # fmt: skip
_SPELT = re.compile(r"[A-Za-z0-9]+(?:-ray)?|[^A-Za-z0-9]+")
_BETWEEN = re.compile(r"[\s,.\-]{1,3}")
_LEAST_LETTERS = 3

_LEAD = re.compile(
    r"^(?:(?:no|nope|nah|wrong|sorry|that(?:'s| is|s)? (?:wrong|not (?:right|correct|it))|it(?:'s| is) wrong|not quite|"
    r"i (?:said|say|spell)|i meant?|actually|(?:it|that)(?:'s| is| should be|s)|again|once more|ok|okay|yes|yeah|yep|"
    r"sure|well|so|oh|please|wait|(?:the|my) (?:e-?mail|mail)(?: address)?(?: is|'s)?|"
    r"(?:you )?spell(?:ed|ing|t)?(?: it)?|(?:the )?(?:part|bit|name) before (?:the )?at(?: sign)?(?: is)?)\b[\s,.:]*)+",
    re.I,
)
_WITH_A_LETTER = re.compile(
    r"\b(\w+),? (?:spelled |spelt |written )?with an? ([a-z])\b(?: (?:and )?not an? [a-z]\b)?", re.I
)
_SAID_TWICE = re.compile(r"\b([a-z]{3,})(?: \1)+\b")
_DOT_COM = re.compile(r"\b(?:dot[ -]?|\. ?)(?:calm|come|comm|con|kom|com)\b", re.I)
_PROVIDERS = ("gmail", "hotmail", "yahoo", "outlook", "icloud", "aol")
_PROVIDER_WORDS = re.compile(r"\b(?:(g|gee|jee) mail|(hot) mail|(out) look|(i|eye) cloud|(ya) ?(?:who|hoo))\b", re.I)
_PROVIDER_OF = ("gmail", "hotmail", "outlook", "icloud", "yahoo")
_BARE_PROVIDER = re.compile(rf"(?:\bat|@) ?({'|'.join(_PROVIDERS)})$", re.I)
_SIGN = re.compile(r"@|\bat\b|\bat sign\b", re.I)
_TOP = "com|org|net|edu|gov|info|biz|io|app|dev|co|us|uk|de|fr|es|it|nl|eu|ca|au|ie|nz|in|example|test"
_WITHOUT_SIGN = re.compile(
    rf"(?P<local>.*\S)\s+(?P<domain>[a-z0-9-]+(?:(?: dot |\.)[a-z0-9-]+)*(?: dot |\.)(?:{_TOP}))$", re.IGNORECASE
)
_GLUED = re.compile(r"([a-z0-9._-]{2,}?)at([a-z0-9-]{3,}\.[a-z.]{2,})", re.I)
_HEARD_FOR_AT = frozenset({"it", "et", "add", "had", "hat", "that", "ad", "and", "act", "app"})
_ENDS_LIKE_AT = re.compile(r"^(\w{2,}?)(?:at|et|it|ed|ad)$", re.I)
_EMPTY_WORDS = (
    "no nope nah yes yeah yep yup right correct wrong ok okay that's that thats it it's its is this what sorry fine "
    "good sure exactly not me my email mail address the please thanks thank you uh um well so oh huh pardon hello hi "
    "skip again once more try "
)
_SAYS_NOTHING = frozenset(_EMPTY_WORDS.split())
_CODE_PART = re.compile(r"[A-Za-z0-9]|[A-Z]{1,4}|(?=\w*\d)[A-Za-z0-9]{1,12}")


def tidy(text: str) -> str:
    """A message as recognised, without what nobody meant to say: fillers and stutters; "p.m." as "pm"; "for" and "to"
    among digits as the digits that they are."""
    text = _FILLER.sub("", text.lstrip(" .,;:!?"))
    text = _REPEATED.sub(r"\1", text)
    text = _W.sub(
        "w", _HALF_DAY.sub(lambda found: f" {found[1].lower()}m" if found[1] else f"{found[2].lower()}m", text)
    )
    for _ in range(3):
        text = _OH.sub(r"\1zero", text)
        text = _AMONG_DIGITS.sub(lambda f: (f["before"] or "") + _SOUNDS_LIKE[f["word"].lower()], text)
    return text.strip()


def letters(text: str) -> str:
    """`text` with words that were spelt put together, however the letters were said: "m a are kay", "M-A-R-K", "Mike
    Alpha Romeo Kilo"; digits among them too."""
    out: list[str] = []
    run: list[str] = []
    kept = ""
    for token in _SPELT.findall(text):
        if token[0].isalnum() and _letter(token):
            run.append(kept + token if not run else token)
        elif run and _BETWEEN.fullmatch(token):
            run.append(token)
        else:
            out += [_joined(run), token]
            run = []
    return "".join([*out, _joined(run)])


def _letter(token: str) -> str:
    lower = token.lower()
    if len(token) == 1:
        return lower
    return _ALPHABET_WORDS.get(lower) or _LETTER_SOUNDS.get(lower, "")


def _joined(run: list[str]) -> str:
    words = [token for token in run if token[0].isalnum()]
    certain = sum(len(word) == 1 for word in words) + sum(word.lower() in _ALPHABET_WORDS for word in words)
    spelt = any(word.isalpha() for word in words)
    if len(words) < _LEAST_LETTERS or not spelt or certain * 2 < len(words) or certain < 2:
        return "".join(run)
    tail = run[-1] if not run[-1][0].isalnum() else ""
    return "".join(_letter(word) for word in words) + (" " if tail else "")


def mend_email(text: str) -> str:
    """What was recognised of an answer that is an e-mail address, lower case, with what is often misheard put right:
    "Market example dot calm." is "mark at example dot com"."""
    text = _LEAD.sub("", re.sub(r"[,;:.!?]+(?=\s|$)", "", text)).lower()
    if len(_OF_THE_ALPHABET.findall(text)) >= _LEAST_LETTERS:
        # One alone is a name or a place, but not before others: "Lima dot Sierra Tango …".
        text = _OF_THE_ALPHABET.sub(lambda found: _ALPHABET_WORDS[found[0]], text)
    text = _SAID_TWICE.sub(r"\1", _WITH_A_LETTER.sub(_with_letter, letters(text)))
    text = _PROVIDER_WORDS.sub(lambda found: _PROVIDER_OF[(found.lastindex or 1) - 1], text)
    text = _DOT_COM.sub(".com", text).replace(" .com", ".com").strip()
    text = _BARE_PROVIDER.sub(r"at \1.com", text)
    if _SIGN.search(text):
        return text
    if glued := _GLUED.fullmatch(text):
        return f"{glued[1]} at {glued[2]}"
    if parts := _WITHOUT_SIGN.fullmatch(text):
        return f"{_local_of(parts['local'])} at {parts['domain']}"
    return text


def _with_letter(found: re.Match[str]) -> str:
    """ "mark with a k" is "mark"; where the word has no such letter, the sound that it is for is put right."""
    word, letter = found[1], found[2].lower()
    if letter in word.lower():
        return word
    for sounds in ("ck", "kc", "cs", "sz", "iy", "yi", "ij", "gj", "fv", "vw"):
        if letter == sounds[1] and sounds[0] in word:
            head, _, tail = word.rpartition(sounds[0])
            return head + letter + tail
    return word


def _local_of(said: str) -> str:
    words = said.split()
    if len(words) > 1 and words[-1] in _HEARD_FOR_AT:
        return " ".join(words[:-1])
    if ends := _ENDS_LIKE_AT.match(words[-1]):
        words[-1] = ends[1]
    return " ".join(words)


def said_part(text: str) -> str:
    """What may be a part of an e-mail address in a message without a whole one; empty where it holds nothing but yes,
    no or courtesies, or is too long to be one."""
    text = mend_email(re.sub(r",?\s+(?:and )?not\s+.*$", "", text))
    words = text.split()
    return text if 0 < len(words) <= 6 and not all(word in _SAYS_NOTHING for word in words) else ""


def domain(part: str) -> str:
    """The domain that a part of an e-mail address is, "at example dot org" or "dot org"; empty where it is none."""
    plain = re.sub(r"^(?:(?:at|the domain|domain|the part after the at|is)\s+)+", "", part).replace(" dot ", ".")
    plain = plain.replace(" dash ", "-")
    return plain if re.fullmatch(rf"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:{_TOP})", plain) else ""


def with_part(local: str, part: str) -> str:
    """The local part with the one of its words replaced that `part` is most like, "jane.smith" and "smyth"; with one
    word only, that word."""
    pieces = re.split(r"([._+-])", local)
    if len(pieces) < 3 or re.search(r"[._+-]", part):
        return part
    scored = [SequenceMatcher(None, piece, part).ratio() for piece in pieces]
    best = max(range(len(pieces)), key=scored.__getitem__)
    if scored[best] < 0.5:
        return part
    return "".join([*pieces[:best], part, *pieces[best + 1 :]])


def code(text: str) -> str:
    """The id that an answer is when it is nothing else, "a B 792" as "AB792"; empty where it is none."""
    parts = re.split(r"[\s,.\-]+", letters(text).strip(" .,"))
    whole = "".join(parts).upper()
    if not all(_CODE_PART.fullmatch(part) for part in parts) or not any(c.isdigit() for c in whole):
        return ""
    return whole if len(whole) > 4 or (len(whole) > 2 and not whole.isdigit()) else ""
