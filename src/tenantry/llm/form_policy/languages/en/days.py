"""English days: "next Tuesday", "the 24th", "in two weeks on Monday", "Nov 24", "11/24/2026"."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta

from tenantry.llm.form_policy.language import Clock

Span = tuple[date, date | None]
_Reader = Callable[[re.Match[str], Clock], Span | None]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_DAY = r"(?P<weekday>mondays?|tuesdays?|wednesdays?|wendesday|wensday|thursdays?|fridays?|saturdays?|sundays?)"
_SHORT_DAY = r"(?:mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\.?"
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_ORDINALS = {"first": 1, "second": 2, "third": 3}
_NTH = r"(?P<nth>\d{1,2}(?:st|nd|rd|th)?|first|second|third)"
_YEAR = r"(?:,? (?P<year>20\d\d|20 \d\d))?"
_COUNT = r"(?P<count>\d{1,3}|a|an|one|two|three|a couple of)"
_DAY_2, _COUNT_2 = _DAY.replace("weekday", "weekday2"), _COUNT.replace("count", "count2")


def _weekday(word: str) -> int:
    start = "wed" if word.lower().startswith("wen") else word.lower()[:3]
    return next(index for index, name in enumerate(_DAYS) if name.startswith(start))


def _coming(today: date, weekday: int, least: int = 1) -> date:
    """The first such weekday at least `least` days from today."""
    return today + timedelta((weekday - today.weekday() - least) % 7 + least)


def _count(word: str) -> int:
    return {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "a couple of": 2}.get(word.lower()) or int(word)


def _make(year: int, month: int, day: int) -> date | None:
    return date(year, month, day) if 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1] else None


def _month_day(found: re.Match[str], clock: Clock) -> Span | None:
    nth = found["nth"].lower()
    day = _ORDINALS.get(nth) or int(re.sub(r"\D", "", nth))
    month = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(found["month"].lower()[:3]))
    return _in_year(clock, month, day, found["year"])


def _in_year(clock: Clock, month: int, day: int, year: str | None) -> Span | None:
    """With no year the next such day, be it next year's."""
    today = clock.now.date()
    if year:
        number = int(year.replace(" ", ""))
        made = _make(number + 2000 if number < 100 else number, month, day)
    else:
        made = _make(today.year, month, day)
        if made is None or made < today:
            made = _make(today.year + 1, month, day)
    return (made, None) if made else None


def _iso(found: re.Match[str], clock: Clock) -> Span | None:
    made = _make(int(found[1]), int(found[2]), int(found[3]))
    return (made, None) if made else None


def _numeric(found: re.Match[str], clock: Clock) -> Span | None:
    first, second = int(found[1]), int(found[3])
    day, month = (first, second) if clock.day_first or found[2] == "." else (second, first)
    if month > 12 >= day:
        day, month = month, day
    return _in_year(clock, month, day, found[4]) if 1 <= month <= 12 else None


def _nth_of_month(found: re.Match[str], clock: Clock) -> Span | None:
    today = clock.now.date()
    day = int(re.sub(r"\D", "", found["nth"]))
    year, month = today.year, today.month
    for _ in range(4):
        made = _make(year, month, day)
        if made and made >= today:
            return (made, None)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return None


def _weekday_and_number(found: re.Match[str], clock: Clock) -> Span | None:
    """ "Tuesday 24", where the 24th is a Tuesday; else the number is a time."""
    span = _nth_of_month(found, clock)
    named = found["weekday"] or found["weekday2"]
    return span if span and span[0].weekday() == _weekday(named) else None


def _plain_weekday(found: re.Match[str], clock: Clock) -> Span | None:
    return (_coming(clock.now.date(), _weekday(found["weekday"])), None)


def _next_weekday(found: re.Match[str], clock: Clock) -> Span | None:
    # Whoever means tomorrow says so; "next Tuesday" on a Monday is the one of the week after.
    return (_coming(clock.now.date(), _weekday(found["weekday"]), least=2), None)


def _this_weekday(found: re.Match[str], clock: Clock) -> Span | None:
    return (_coming(clock.now.date(), _weekday(found["weekday"]), least=0), None)


def _weekday_of_week(found: re.Match[str], clock: Clock) -> Span | None:
    """ "Monday in two weeks", "in a week on Monday", "Tuesday next week": counted by calendar weeks."""
    named = found.groupdict()
    weeks = _count(named["count"]) if named.get("count") else 1
    today = clock.now.date()
    monday = today - timedelta(today.weekday())
    return (monday + timedelta(7 * weeks + _weekday(found["weekday"])), None)


def _ahead(found: re.Match[str], clock: Clock) -> Span | None:
    count, unit, today = _count(found["count"]), found["unit"].lower(), clock.now.date()
    if unit.startswith("month"):
        year, month = divmod(today.month - 1 + count, 12)
        last = monthrange(today.year + year, month + 1)[1]
        return (date(today.year + year, month + 1, min(today.day, last)), None)
    return (today + timedelta(count * (7 if unit.startswith("week") else 14 if unit.startswith("fort") else 1)), None)


def _relative(found: re.Match[str], clock: Clock) -> Span | None:
    word = found[0].lower()
    return (
        clock.now.date() + timedelta(2 if "after" in word else 0 if word.startswith(("today", "toni", "this")) else 1),
        None,
    )


def _week(found: re.Match[str], clock: Clock) -> Span | None:
    today = clock.now.date()
    monday = today - timedelta(today.weekday())
    if found[1].lower() == "this":
        return (today, monday + timedelta(6))
    if found[1].lower() in {"next", "the following"}:
        return (monday + timedelta(7), monday + timedelta(13))
    return (monday + timedelta(14), monday + timedelta(20))


def _weekend(found: re.Match[str], clock: Clock) -> Span | None:
    saturday = _coming(clock.now.date(), 5, least=0)
    if (found[1] or "").lower() == "next":
        saturday += timedelta(7)
    return (saturday, saturday + timedelta(1))


def _month_span(found: re.Match[str], clock: Clock) -> Span | None:
    today = clock.now.date()
    year, month = (today.year, today.month + 1) if today.month < 12 else (today.year + 1, 1)
    return (date(year, month, 1), date(year, month, monthrange(year, month)[1]))


def _weeks_on(found: re.Match[str], clock: Clock) -> Span | None:
    weeks = _count(found["count"] or found["count2"])
    weekday = _weekday(found["weekday"])
    if found["count"]:
        return (_coming(clock.now.date(), weekday) + timedelta(7 * weeks), None)
    # "In two weeks on Monday" is the Monday nearest to two weeks from now.
    nearest = clock.now.date() + timedelta(7 * weeks - 3)
    return (nearest + timedelta((weekday - nearest.weekday()) % 7), None)


def _week_later(found: re.Match[str], clock: Clock) -> Span | None:
    return (_coming(clock.now.date(), _weekday(found["weekday"] or found["weekday2"])) + timedelta(7), None)


def _ahead_of(found: re.Match[str], clock: Clock) -> Span | None:
    if found["count"]:
        return _ahead(found, clock)
    days = {"d": 1, "w": 7, "m": 30}[re.sub(r".* (\w)\w* from.*", r"\1", found[0].lower())]
    begin = clock.now.date() + timedelta(1 if found[0].lower().endswith("tomorrow") else 0)
    return (begin + timedelta(_count(found["count2"]) * days), None)


def _compile(*rows: tuple[str, _Reader]) -> tuple[tuple[re.Pattern[str], _Reader], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), reader) for pattern, reader in rows)


_ON = r"(?:on |this |next |coming |for |from |to |until |by |of |and |or )"
_SHORT = _SHORT_DAY.replace("(?:mon", "(?P<weekday>mon", 1).replace(r"\.?", "", 1)
_GRAMMAR = _compile(
    (r"\b(20\d\d)-(\d{1,2})-(\d{1,2})(?=T|\b)", _iso),
    (rf"\b(?:(?:{_DAY}|{_SHORT_DAY}),? )?(?:the )?{_NTH} (?:of )?{_MONTH}{_YEAR}", _month_day),
    (rf"\b(?:(?:{_DAY}|{_SHORT_DAY}),? )?{_MONTH} (?:the )?{_NTH}\b(?!:){_YEAR}", _month_day),
    (r"(?<![\d.,/-])(\d{1,2})(/|-|\.)(\d{1,2})\2(\d{4}|\d\d)\b(?![./\d])", _numeric),
    (r"(?<![\d.,/-])(\d{1,2})(/)(\d{1,2})()(?![\d/])", _numeric),
    (r"(?<![\d.,/-])(?<!at )(\d{1,2})(\.)(\d{1,2})()\.(?! ?\d)", _numeric),
    (r"\b(?:the )?day after tomorrow\b|\bovermorrow\b", _relative),
    (rf"\b(?:{_COUNT} weeks? (?:from|on) |in {_COUNT_2} weeks? )(?:on )?{_DAY}\b", _weeks_on),
    (rf"\b(?:on )?{_DAY} (?:in {_COUNT} weeks?|(?:of )?(?:the )?(?:next|following) week)\b", _weekday_of_week),
    (rf"\b(?:the )?(?:next|following) week,? (?:on )?{_DAY}\b", _weekday_of_week),
    (
        rf"\b(?:a week (?:on|from)|the) {_DAY} (?:after next|week)\b|\b{_DAY_2} (?:week|"
        rf"after next)\b",
        _week_later,
    ),
    (rf"\b(?:{_DAY}|{_SHORT_DAY}),? (?:the )?(?P<nth>\d{{1,2}}(?:st|nd|rd|th))\b", _nth_of_month),
    (rf"\b(?:{_DAY_2}|{_SHORT}),? (?P<nth>1[3-9]|2\d|3[01])\b(?![:.h]\d|h\b)", _weekday_and_number),
    (rf"\b(?:next) {_DAY}\b", _next_weekday),
    (rf"\bthis {_DAY}\b", _this_weekday),
    (rf"\b(?:(?:the )?(?:coming|following) |on |(?:the )?){_DAY}\b", _plain_weekday),
    (
        rf"\bin {_COUNT} (?P<unit>days?|weeks?|fortnights?|months?)(?:'? time)?\b|\b{_COUNT_2} "
        rf"(?:days?|weeks?|months?) from (?:now|today|tomorrow)\b",
        _ahead_of,
    ),
    (r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b", _relative),
    (r"\b(?:tomorrow|tomorow|tommorow|tommorrow|tmrw|tmr|2morrow)\b", _relative),
    (r"\b(the week after next|this|next|the following)(?:(?<=after next)| week)\b", _week),
    (r"\b(?:this |the |(next) |on the )weekend\b", _weekend),
    (r"\bnext month\b", _month_span),
    (
        r"\b(?:on )?(?:the )?(?P<nth>\d{1,2}(?:st|nd|rd|th))\b(?! (?:one|option|slot|street|avenue|floor|choice))",
        _nth_of_month,
    ),
    (r"\bon the (?P<nth>[12]?\d|3[01])\b(?![:.]\d)", _nth_of_month),
    (rf"\bnext {_SHORT}\b", _next_weekday),
    (rf"\b{_ON}{_SHORT}\b", _plain_weekday),
    (rf"\b{_SHORT}\b\.?(?= *(?:$|[,.!?]|at\b|\d|morning|afternoon|evening|noon))", _plain_weekday),
)


def read_day(text: str, clock: Clock) -> tuple[Span, bool, int, int] | None:
    """The day or span of days that `text` names by the most telling pattern, whether by its weekday alone, and
    where it stands."""
    for pattern, reader in _GRAMMAR:
        if found := pattern.search(text):
            span = reader(found, clock)
            if span is not None:
                return span, reader is _plain_weekday, found.start(), found.end()
    return None
