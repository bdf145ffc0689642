"""Postal addresses as they are written and said in English."""

import re

from tenantry.llm.form_policy.language import Found

_SUFFIXES = {
    "street": "Street", "st": "Street", "str": "Street", "avenue": "Avenue", "ave": "Avenue", "av": "Avenue",
    "road": "Road", "rd": "Road",
    "drive": "Drive", "dr": "Drive", "lane": "Lane", "ln": "Lane", "boulevard": "Boulevard", "blvd": "Boulevard",
    "court": "Court", "ct": "Court", "place": "Place", "pl": "Place", "square": "Square", "sq": "Square", "way": "Way",
    "terrace": "Terrace", "ter": "Terrace",
    "circle": "Circle", "cir": "Circle", "parkway": "Parkway", "pkwy": "Parkway",
    "highway": "Highway", "hwy": "Highway", "close": "Close", "crescent": "Crescent", "cres": "Crescent", "row": "Row",
    "gardens": "Gardens", "gdns": "Gardens", "grove": "Grove", "hill": "Hill", "alley": "Alley", "trail": "Trail",
    "trl": "Trail", "broadway": "Broadway", "quay": "Quay", "mews": "Mews", "walk": "Walk",
    "park": "Park", "plaza": "Plaza",
    "loop": "Loop", "crossing": "Crossing", "ridge": "Ridge", "green": "Green", "view": "View", "bend": "Bend",
}  # fmt: skip
_SUFFIX = "|".join(sorted(_SUFFIXES, key=len, reverse=True))
_DIRECTIONS = frozenset({"n", "s", "e", "w", "ne", "nw", "se", "sw"})
_NUMBER = r"(?:\d{1,5}(?: \d{1,2}){0,2}|\d(?: \d){1,4})(?:-?[a-z]\b)?(?:[-/]\d{1,4})?"
_WORD = r"[^\W\d_][\w'’.-]{0,30}|\d{1,3}(?:st|nd|rd|th)"
_STREET = re.compile(
    rf"(?<![\d.,$€£])\b(?P<number>{_NUMBER}),? (?P<name>(?:(?:{_WORD}) ){{0,4}}?(?:{_WORD})) (?P<suffix>{_SUFFIX})"
    rf"\b\.?(?! (?:am|pm)\b)"
    rf"|\b(?P<number2>{_NUMBER}) (?P<broadway>broadway)\b",
    re.IGNORECASE,
)
_UNIT_BEFORE = re.compile(r"\b((?:flat|unit|apartment|apt\.?|suite|ste\.?|room) ?#?\w{1,5}),? $", re.IGNORECASE)
_UNIT = re.compile(r",? ((?:apartment|apt\.?|unit|suite|ste\.?|flat|floor|#) ?#?\w{1,5})\b", re.IGNORECASE)
_TOWN = r"[^\W\d_](?:[^\W\d_]|['’.-]){1,30}"
_CITY = re.compile(rf"(?P<comma>,? in |, ?| - | )(?P<city>{_TOWN}(?: {_TOWN}){{0,3}})(?!\w)")
_REGION = re.compile(
    r",? ?\b(?P<state>[A-Z]{2})\b(?=[ ,.]|$)|,? (?P<zip>\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})\b"
)
_STATE_CODES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC UK NSW "
)
_STATES = frozenset(_STATE_CODES.split())
_NOT_CITY_WORDS = (
    "my mail email e-mail phone number and the i i'm i'd im id is it its it's for at on by to a an we you that "
    "this next please thanks thank hi hello about around price asking monday tuesday wednesday thursday friday "
    "saturday sunday today tomorrow would could can you're contact reach me call but or if when because so which "
    "was with from of as are be has have want need looking selling sell worth yes no ok okay near not how what "
    "who actually since until in our his her their name tuesdays mondays morning afternoon evening there here "
    "text also just maybe then not half roughly valued "
)
_NOT_CITY = frozenset(_NOT_CITY_WORDS.split())


def addresses(text: str) -> list[Found]:
    """Postal addresses with a house number and a kind of street, as far to their town as it is said."""
    found: list[Found] = []
    for match in list(_STREET.finditer(text))[:5]:
        if found and match.start() < found[-1].end:
            continue
        found.append(_complete(text, match))
    return found


def _complete(text: str, match: re.Match[str]) -> Found:
    number = (match["number"] or match["number2"]).replace(" ", "").upper()
    street = _title(match["name"]) + " " + _SUFFIXES[match["suffix"].lower()] if match["name"] else "Broadway"
    start, end = match.start(), match.end()
    if (suffix := match["suffix"]) and text[end - 1] == "." and len(suffix) > 3:
        end -= 1
    parts = [f"{number} {street}"]
    if before := _UNIT_BEFORE.search(text, max(0, start - 20), start):
        parts.insert(0, _title(before[1]))
        start = before.start()
    elif unit := _UNIT.match(text, end):
        parts.append(_title(unit[1]))
        end = unit.end()
    city, end = _city(text, end)
    if city:
        parts.append(city)
    region, end = _region(text, end)
    value = ", ".join(parts)
    return Found(start, end, f"{value}, {region}" if region and city else f"{value} {region}".strip())


def _city(text: str, at: int) -> tuple[str, int]:
    tail = _CITY.match(text, at)
    if tail is None:
        return "", at
    words: list[str] = []
    end = at
    capital = tail["city"][0].isupper()
    for word in re.finditer(r"\S+", tail["city"]):
        plain = word[0].rstrip(".,").lower()
        if plain in _NOT_CITY or (word[0] in _STATES and words) or (capital and not word[0][0].isupper()):
            break
        words.append(word[0].rstrip("."))
        end = tail.start("city") + word.start() + len(word[0].rstrip("."))
        if word[0].endswith("."):
            break
    return (_title(" ".join(words)), end) if words else ("", at)


def _region(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    for _ in range(2):
        match = _REGION.match(text, at)
        if match is None or (match["state"] and match["state"] not in _STATES):
            break
        parts.append(match["state"] or match["zip"])
        at = match.end()
    return " ".join(parts), at


def _title(words: str) -> str:
    """Capitals for words that have none: what was typed with capitals is left as it is."""
    if any(letter.isupper() for letter in words) and not words.isupper():
        return " ".join(word if word[:1].isupper() else word[:1].upper() + word[1:] for word in words.split())
    return " ".join(
        word.upper() if word.lower() in _DIRECTIONS else word[:1].upper() + word[1:].lower() for word in words.split()
    )


def tidy_address(text: str) -> str:
    """An answer that is an address as a whole, with capitals where there are none."""
    found = addresses(text)
    if found and found[0].start <= 3 and len(text) - found[0].end <= 2:
        return found[0].value
    text = re.sub(r"^(\d(?: \d{1,2})+)(?= [^\W\d])", lambda match: match[0].replace(" ", ""), text)
    return text if any(letter.isupper() for letter in text) else _title(text)


_PART = re.compile(
    r"\b(?:the |my )?(?P<part>street(?: name)?|road|avenue|(?:house |street |building )?number|"
    r"city|town|zip(?: ?code)?|post(?:al)? ?code|postcode)"
    r"(?: (?:is|was|should (?:be|read)|to|=)|:|'s)(?: (?:called|actually|really|named|not \w+,? (?:but )?(?:it'?s "
    r")?))? (?P<value>[\w'’. -]{1,60}?)(?: (?:not|instead|please|rather)\b.{0,40}|[,.!]|$)",
    re.IGNORECASE,
)
_NOTED = re.compile(
    rf"(?P<head>.*?)(?P<number>\b\d[\w/-]*) (?P<name>.+?) (?P<suffix>{_SUFFIX})\b(?P<tail>.*)\Z", re.IGNORECASE
)


def correct_address(noted: str, text: str) -> str | None:
    """`noted` with the one part changed that `text` names ("the street is Oak", "the number is 125"), else None."""
    said = _PART.search(text[:400])
    parts = _NOTED.match(noted)
    if said is None or parts is None:
        return None
    part, value = said["part"].lower(), said["value"].strip(" .,")
    if not value:
        return None
    head, number, name, suffix, tail = (parts[key] for key in ("head", "number", "name", "suffix", "tail"))
    if part.endswith("number"):
        number = value.replace(" ", "")
        if not re.fullmatch(r"\d{1,5}[A-Za-z]?", number):
            return None
    elif part.startswith(("street", "road", "avenue")):
        name, suffix = _street_name(value, suffix)
    elif part in {"city", "town"}:
        tail = _with_city(tail, _title(value))
    else:
        tail = re.sub(r" ?\b\d{5}(?:-\d{4})?$", "", tail) + f" {value.upper()}"
    return f"{head}{number} {name} {suffix}{tail}"


def _street_name(value: str, suffix: str) -> tuple[str, str]:
    words = value.split()
    if len(words) > 1 and words[-1].lower() in _SUFFIXES:
        suffix = _SUFFIXES[words.pop().lower()]
    return _title(" ".join(words)), suffix


def _with_city(tail: str, city: str) -> str:
    parts = [part.strip() for part in tail.split(",") if part.strip()]
    places = [index for index, part in enumerate(parts) if not re.search(r"\d|#", part) and part not in _STATES]
    if places:
        parts[places[0]] = city
    else:
        parts.append(city)
    return ", " + ", ".join(parts)
