"""How English says what is written: addresses, codes, numbers to dial, money, dates and times."""

import re
from collections.abc import Callable
from datetime import date, time

_TLD = r"(?:com|org|net|edu|gov|info|biz|io|ai|app|dev|co|us|uk|de|fr|es|it|nl|eu|ca|au|example|test)"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOUR = r"(?:[01]?\d|2[0-3])"
_DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_AMOUNT = r"\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d+(?:\.\d{1,2})?"
_CODES = r"(?:USD|EUR|GBP|CHF|CAD|AUD)"
_ABBREVIATIONS = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "and so on", "approx.": "about", "vs.": "versus",
    "dr.": "Doctor", "mr.": "Mister", "mrs.": "Missus", "ms.": "Miz", "prof.": "Professor",
    "ave.": "Avenue", "rd.": "Road", "blvd.": "Boulevard", "apt.": "apartment", "dept.": "department",
    "sq. ft.": "square feet", "sq ft": "square feet", "min.": "minutes", "a.s.a.p.": "as soon as possible",
}  # fmt: skip
# The end of one of these ends no sentence.
ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|approx|vs|dr|mr|mrs|ms|prof|st|no|ave|rd|blvd|apt|dept|sq|[ap]\.m)\.$", re.IGNORECASE
)
_SIGNS = {".": "dot", "_": "underscore", "-": "dash", "+": "plus", "'": "apostrophe", "/": "slash"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_CURRENCIES = {
    "$": ("dollar", "cent"), "USD": ("dollar", "cent"), "€": ("euro", "cent"), "EUR": ("euro", "cent"),
    "£": ("pound", "penny"), "GBP": ("pound", "penny"), "CHF": ("franc", "centime"),
    "CAD": ("Canadian dollar", "cent"), "AUD": ("Australian dollar", "cent"),
}  # fmt: skip
_FACTORS = {"k": "thousand", "m": "million", "bn": "billion", "b": "billion"}
_LEAST_DIALLED = 7
_NEXT_SENTENCE = re.compile(r"\s*\Z|\s+[A-Z]")

_PATTERNS = {
    "url": r"\bhttps?://[^\s<>]+|\bwww\.[^\s<>]+",
    "email": rf"[A-Za-z0-9._%+'-]*[A-Za-z0-9_%+]@{_LABEL}(?:\.{_LABEL})+",
    "domain": rf"(?<![\w@.-]){_LABEL}(?:\.{_LABEL})*\.{_TLD}(?![\w@-])(?!\.\w)(?:/[^\s<>]*)?",
    "moment": rf"(?<!\d){_DAY}[T ]{_HOUR}:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d)",
    "day": rf"(?<![\d-]){_DAY}(?![\d-])",
    "clock": rf"(?<![\d:]){_HOUR}:[0-5]\d(?::[0-5]\d)?(?![\d:])(?: ?[AaPp](?:\.[Mm]\.|[Mm]\b))?"
    r"|(?<![\d:.,])(?:1[0-2]|0?[1-9]) ?[AaPp](?:\.[Mm]\.|[Mm]\b)",
    "money": rf"[$€£] ?(?:{_AMOUNT})(?:(?: ?(?:[kKmMbB]|bn))\b| (?:million|thousand|billion)\b)?(?![\d])"
    rf"|\b{_CODES} (?:{_AMOUNT})\b|(?<![\d.,$€£])(?:{_AMOUNT}) ?(?:{_CODES}\b|[€£])",
    "phone": r"(?<![\w.,+$€£/-])(?:\+ ?\d|\(\d|\d)[\d ().-]{5,22}\d(?![\w$€£%/]|[.,]\d)",
    "code": r"(?<![\w@.-])(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9]+(?:-[A-Z0-9]+)*(?![\w@-])",
    "zone": r"\b(?:Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)/(?:[A-Za-z]+/)?[A-Z][A-Za-z_]+",
    "abbreviation": r"(?<![\w.])(?:" + "|".join(re.escape(short) for short in _ABBREVIATIONS) + r")(?!\w)",
    "number": r"(?<!\w)(?:[Nn]o\. ?|#)(?=\d)",
    "street": r"\b[A-Z][a-z]+ St\.(?!\w)",
    "saint": r"(?<!\w)St\.(?= [A-Z])",
    "percent": r"(?<=\d) ?%",
    "and": r"(?<=\s)&(?=\s)",
}
_TOKENS = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()))


def say(text: str, *, spelled: bool) -> str:
    """`text`, one sentence without markup, in words; with `spelled` e-mail addresses are said letter by letter."""

    def said(found: re.Match[str]) -> str:
        match found.lastgroup:
            case "email":
                return say_email(found[0], spelled=spelled)
            case "clock":
                stop = "." if found[0].endswith(".") and _NEXT_SENTENCE.match(found.string, found.end()) else ""
                return _say_clock(found[0]) + stop
            case str(kind):
                return _SAY[kind](found[0])
            case None:
                return found[0]

    return _TOKENS.sub(said, _fold_case(text))


def _fold_case(text: str) -> str:
    """Abbreviations as they are looked up, "E.g." and "Dr." as "e.g." and "dr."."""
    return _SHORT.sub(lambda found: found[0].lower(), text)


_SHORT = re.compile(
    r"(?<![\w.])(?:" + "|".join(re.escape(short) for short in _ABBREVIATIONS) + r")(?!\w)", re.IGNORECASE
)


def say_email(address: str, *, spelled: bool) -> str:
    """ "mark at example dot com", or "m, a, r, k, at example dot com"."""
    local, _, domain = address.lower().rpartition("@")
    if spelled:
        return f"{', '.join(_sign(sign) for sign in local)}, at {_say_domain(domain)}"
    words = re.findall(r"[^\W_]+|[^\w\s]|_", local)
    return f"{' '.join(_sign(str(word)) for word in words)} at {_say_domain(domain)}"


def say_code(code: str) -> str:
    """ "A B 7 9 2"; the groups of "K7QF-29MD" are told apart, and the word of "COVID-19" stays one."""
    if re.fullmatch(r"\d+[A-Z]|[A-Z]\d{1,2}", code):
        return " ".join(re.findall(r"\d+|[A-Z]", code))
    if re.match(r"[A-Z]{4,}-", code):
        return code.replace("-", " ")
    return ", ".join(" ".join(group) for group in code.split("-") if group)


def say_phone(number: str) -> str:
    """ "5 5 5, 0 1 0, 0 1 9 9": the digits in their groups; those of a number without any are made."""
    plus = "plus " if number.lstrip().startswith("+") else ""
    groups = re.findall(r"\d+", number)
    if len(groups) == 1:
        groups = _grouped(groups[0])
    return plus + ", ".join(" ".join(group) for group in groups)


def _grouped(digits: str) -> list[str]:
    head, tail = digits[:-4], digits[-4:]
    return [*(head[max(0, end - 3) : end] for end in range(len(head) % 3 or 3, len(head) + 1, 3)), tail]


def _sign(word: str) -> str:
    return _SIGNS.get(word, word)


def _say_domain(domain: str) -> str:
    labels = domain.split(".")
    return " dot ".join(_say_label(label, last=index == len(labels) - 1) for index, label in enumerate(labels))


def _say_label(label: str, *, last: bool) -> str:
    """A label as a word, letter by letter where it is none."""
    if (last and len(label) == 2 and label != "co") or not re.search(r"[aeiouy]|\d", label):
        return " ".join(label)
    return " ".join(_sign(str(part)) for part in re.findall(r"[a-z]+|\d+|-|.", label))


def _say_url(url: str) -> str:
    kept = url.rstrip(".,;:!?)'\"")
    rest = re.sub(r"^(?:https?://)?(?:www\.)?", "", kept.split("?")[0].split("#")[0]).rstrip("/")
    host, _, path = rest.partition("/")
    words = [_say_domain(host.lower()), *(f"slash {_plain(part)}" for part in path.split("/") if part)]
    return " ".join(words) + url[len(kept) :]


def _plain(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", " ", part).strip()


def _say_moment(moment: str) -> str:
    return f"{_say_day(moment[:10])} at {_say_clock(moment[11:16])}"


def _say_day(iso: str) -> str:
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{_MONTHS[day.month - 1]} {_ordinal(day.day)}, {day.year}"


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _say_clock(clock: str) -> str:
    """ "3 pm", "9 30 am", "3 oh 5 pm"; "noon" and "midnight" stay numbers, which nobody mishears."""
    digits = [int(part) for part in re.findall(r"\d+", clock)]
    half = re.search(r"[AaPp]", clock)
    hour, minute = digits[0], digits[1] if len(digits) > 1 else 0
    if half and hour < 13:
        hour = hour % 12 + (12 if half[0].lower() == "p" else 0)
    at = time(hour, minute)
    minutes = f" oh {at.minute}" if 0 < at.minute < 10 else f" {at.minute}" if at.minute else ""
    return f"{at.hour % 12 or 12}{minutes} {'am' if at.hour < 12 else 'pm'}"


def _say_money(money: str) -> str:
    found = re.search(r"\d[\d.,]*", money)
    sign = next((sign for sign in _CURRENCIES if sign in money), "")
    if found is None or not sign:
        return money
    amount, whole_name = found[0], _CURRENCIES[sign]
    if factor := re.search(r"\d ?(k|m|bn?|million|thousand|billion)$", money, re.IGNORECASE):
        named = factor[1].lower()
        return f"{amount} {_FACTORS.get(named, named)} {whole_name[0]}s"
    whole, _, small = amount.partition(".")
    cents = int(small.ljust(2, "0")) if small else 0
    said = f"{whole} {whole_name[0]}{'' if whole == '1' else 's'}"
    return f"{said} and {cents} {_small(whole_name[1], cents)}" if cents else said


def _small(name: str, count: int) -> str:
    if count == 1:
        return name
    return "pence" if name == "penny" else f"{name}s"


def _say_dialled(run: str) -> str:
    digits = sum(character.isdigit() for character in run)
    grouped = re.fullmatch(r"\d{3}[ -.]\d{4}", run) is not None
    certain = run.startswith(("+", "(")) or digits > _LEAST_DIALLED + 1 or grouped or run.isdigit()
    return say_phone(run) if certain and digits >= _LEAST_DIALLED else run


def _say_zone(zone: str) -> str:
    return zone.rsplit("/", 1)[-1].replace("_", " ")


_SAY: dict[str, Callable[[str], str]] = {
    "url": _say_url,
    "domain": _say_url,
    "moment": _say_moment,
    "day": _say_day,
    "money": _say_money,
    "phone": _say_dialled,
    "code": say_code,
    "zone": _say_zone,
    "abbreviation": lambda short: _ABBREVIATIONS[short],
    "number": lambda _: "number ",
    "street": lambda street: street.replace("St.", "Street"),
    "saint": lambda _: "Saint",
    "percent": lambda _: " percent",
    "and": lambda _: "and",
}
