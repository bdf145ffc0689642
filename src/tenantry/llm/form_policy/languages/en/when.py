"""English wishes for a time: a day, a time of day, or both, in one message."""

import re
from dataclasses import replace
from datetime import date, time, timedelta

from tenantry.domain.agent import WEEKDAYS
from tenantry.llm.form_policy.language import Clock, When
from tenantry.llm.form_policy.languages.en.days import read_day

_MERIDIEM = r"(?P<meridiem>[ap]\.?m\b\.?|[ap]\b(?= *(?:$|[,.!?])))"
_H = r"(?P<hour>[01]?\d|2[0-4])"
_M = r"(?P<minute>[0-5]\d)"
_PART = r"(?:in the |at )?(?P<part>morning|afternoon|evening|night)"
_FRACTIONS = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20}
_TIMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?P<fraction>half|(?:a )?quarter|\d{{1,2}})(?: minutes?)? (?P<way>past|after|to|before|"
        rf"of|til) {_H}\b(?! ?(?:mill|thou))(?: ?{_MERIDIEM})?",
        rf"\b(?P<fraction>half) {_H}\b(?! ?(?:mill|thou))(?: ?{_MERIDIEM})?",
        rf"(?<![\d.:/])(?:at )?{_H}:{_M}(?::\d\d)?\b(?: ?{_MERIDIEM})?",
        rf"(?<![\d.:/])(?:at )?{_H}[. ]?{_M} ?{_MERIDIEM}",
        rf"(?<![\d.:/-])(?:at )?{_H}(?: ?o'?clock)? ?{_MERIDIEM}",
        rf"(?<![\d.:/-])(?:at )?{_H} ?o'?clock\b",
        rf"(?<![\d.:/-]){_H}h{_M}?\b",
        rf"(?<![\d.:/-])(?:at )?{_H}{_M} ?(?:hours|hrs)\b",
        r"\b(?P<word>noon|midday|mid-day|midnight|lunch ?time)\b",
        rf"\b(?:at|@) ?{_H}[. ]{_M}\b(?![\d.]| ?(?:mill|thou|%|dollars))",
        rf"(?:\bat |@ ?){_H}\b(?![\d.,:]*\d| ?(?:[$€£%]|mill|thou|k\b|m\b|dollars|euros?|pounds))",
        rf"(?<![\d.:/-]){_H}(?= ?{_PART.replace('(?P<part>', '(?:')})",
    )
)
_LOOSE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:around|about|approximately|roughly|make it|for|say|to) {_H}(?:[:. ]{_M})?(?:ish)?\b(?![\d.,:]*\d|"
        rf" ?(?:[$€£%]|mill|thou|k\b|m\b|dollars|people|days|weeks))",
        rf"^\W*(?:(?:at|yes|ok|okay|sure|then|maybe|perhaps|no|and|what about|how about|or|is|would|"
        rf"does|do|can we do|could we do|can you do|not \d{{1,2}}),? )*"
        rf"{_H}(?:[:. ]{_M})?(?:ish)?(?= *(?:$|"
        rf"[,!?]|\.(?!\d)|works|is|would|please|then|sounds|suits|fine|free|available|possible|ok\b))",
    )
)
_AFTER_DAY = re.compile(
    rf"^ *,? ?{_H}(?:[:. ]{_M})?(?= *(?:$|[,!?]|\.(?!\d)|would|is|works|please|if|and|sounds|suits))", re.IGNORECASE
)
_PARTS = re.compile(r"(?<!good )\b(?P<part>morning|afternoon|evening|tonight|night|first thing)s?\b", re.IGNORECASE)
_WINDOWS = {
    "morning": (time(6), time(12)),
    "first thing": (time(6), time(12)),
    "afternoon": (time(12), time(18)),
    "evening": (time(17), time(22)),
    "tonight": (time(17), time(23)),
    "night": (time(18), time(23)),
}
_BETWEEN = re.compile(
    r"\b(?:between |from )?(?P<a>[01]?\d|2[0-4])(?::(?P<am>[0-5]\d))? ?(?P<ma>[ap]\.?m\b\.?)? ?(?:-|"
    r"to|and|till|until) ?(?P<b>[01]?\d|2[0-4])(?::(?P<bm>[0-5]\d))? ?(?P<mb>[ap]\.?m\b\.?)?(?![\d/:])",
    re.IGNORECASE,
)
_BOUND = re.compile(
    rf"\b(?P<bound>(?:any ?time )?(?:after|from|(?<!half )(?<!quarter )(?<!\d )past|before|by|"
    rf"until|till|not (?:before|after)|no (?:later|earlier) than|later than|earlier than))(?: about|"
    rf" around)? (?P<what>{_H}(?::{_M})?(?: ?{_MERIDIEM})?|noon|midday|lunch)(?:\b|$)(?! ?(?:mill|"
    rf"thou|days|weeks|k\b|m\b))(?: onwards?)?",
    re.IGNORECASE,
)
_DROPPED = re.compile(
    r"^\W*not (?:on |at )?(?!before|after)[^,.;]{1,30}$|"
    r"\bnot (?:on |at |for )?(?!before|after|sure|until)[^,.;]{1,30}(?:,| but )(?= *\S)|,? (?:instead of|"
    r"rather than|and not|not) (?:on |at )?(?!before|after)[^,.;]{1,30}$|\bfrom [^,.;]{1,30}?(?= to )",
    re.IGNORECASE,
)


def when(text: str, clock: Clock, bare: bool) -> When | None:
    """The wished time in `text`; with `bare` also a lone "3" or "around ten"."""
    masked = _DROPPED.sub(lambda found: " " * len(found[0]), text)
    if (repair := _REPAIR.match(masked)) and read_day(masked[repair.end() :], clock):
        masked = " " * repair.end() + masked[repair.end() :]
    spans: list[tuple[int, int]] = []
    if ahead := _AHEAD.search(masked):
        return _time_ahead(ahead, clock)
    read = read_day(masked, clock)
    wish = When()
    if read:
        (day, last), weekday, start, end = read
        spans.append((start, end))
        wish = replace(wish, day=day, last_day=last, weekday=weekday)
        masked = masked[:start] + "\0" * (end - start) + masked[end:]
        if masked[start:end] and "tonight" in text[start:end].lower():
            wish = replace(wish, earliest=time(17), latest=time(23))
    wish, masked = _part_of_day(wish, text, masked, spans)
    loose = bare or read is not None
    windowed = _window(wish, masked, clock, spans, loose)
    if windowed:
        start, end = spans[-1]
        masked = masked[:start] + " " * (end - start) + masked[end:]
    wish = _clock_time(windowed or wish, masked, clock, spans, loose)
    if not spans:
        return None
    return _not_over(replace(wish, spans=tuple(sorted(spans))), text, clock)


def _part_of_day(wish: When, text: str, masked: str, spans: list[tuple[int, int]]) -> tuple[When, str]:
    found = _PARTS.search(text)
    if found is None:
        return wish, masked
    earliest, latest = _WINDOWS[found["part"].lower()]
    spans.append(found.span())
    return replace(wish, earliest=earliest, latest=latest), masked


def _window(wish: When, text: str, clock: Clock, spans: list[tuple[int, int]], loose: bool) -> When | None:
    if (found := _BETWEEN.search(text)) and (
        loose or found["ma"] or found["mb"] or found[0].lower().startswith("between")
    ):
        late = _hour(found["b"], found["bm"], found["mb"], wish, clock)
        early = _hour(found["a"], found["am"], found["ma"] or found["mb"], wish, clock)
        if early and late and early >= late and not found["ma"]:
            early = _hour(found["a"], found["am"], None, wish, clock)
        if early and late and early < late:
            spans.append(found.span())
            return replace(wish, earliest=early, latest=late)
    if (found := _BOUND.search(text)) and (loose or found["meridiem"] or found["minute"] or not found["hour"]):
        limit = _hour(found["hour"], found["minute"], found["meridiem"], wish, clock) if found["hour"] else time(12)
        if limit:
            spans.append(found.span())
            before = re.search(r"before|by|until|till|later than", found["bound"].lower()) is not None
            before = before != found["bound"].lower().startswith(("not", "later"))
            return replace(wish, latest=limit) if before else replace(wish, earliest=limit, latest=wish.latest)
    return None


def _clock_time(wish: When, text: str, clock: Clock, spans: list[tuple[int, int]], loose: bool) -> When:
    for pattern in (*_TIMES, *(_LOOSE if loose else ())):
        if (found := pattern.search(text)) and (at := _time_of(found, wish, clock)):
            spans.append(found.span())
            return replace(wish, at=at, earliest=None, latest=None)
    if wish.day and (behind := text.rfind("\0")) >= 0:
        found = _AFTER_DAY.match(text[behind + 1 :])
        if found and (at := _time_of(found, wish, clock)):
            spans.append((behind + 1 + found.start(), behind + 1 + found.end()))
            return replace(wish, at=at, earliest=None, latest=None)
    return wish


def _time_of(found: re.Match[str], wish: When, clock: Clock) -> time | None:
    groups = found.groupdict()
    if word := groups.get("word"):
        return time(0) if word.lower() == "midnight" else time(12)
    fraction = (groups.get("fraction") or "").lower().removeprefix("a ")
    if not fraction:
        return _hour(groups["hour"], groups.get("minute"), groups.get("meridiem"), wish, clock)
    minutes = _FRACTIONS.get(fraction) or int(fraction)
    before = (groups.get("way") or "past") in {"to", "before", "of", "til"}
    whole = _hour(groups["hour"], None, groups.get("meridiem"), wish, clock)
    if whole is None or minutes >= 60:
        return None
    total = whole.hour * 60 + (-minutes if before else minutes)
    return time(total // 60 % 24, total % 60)


def _hour(hour: str, minute: str | None, meridiem: str | None, wish: When, clock: Clock) -> time | None:
    """A time of day; with no "am" or "pm" that of the two in the part of the day named, else in the opening hours."""
    number, minutes = int(hour), int(minute or 0)
    if number > 24 or minutes > 59:
        return None
    if meridiem:
        if number > 12:
            return time(number % 24, minutes)
        return time(number % 12 + (12 if meridiem[0].lower() == "p" else 0), minutes)
    if number == 0 or number > 12 or (len(hour) == 2 and hour[0] == "0"):
        return time(number % 24, minutes)
    early, late = time(number % 12, minutes), time(number % 12 + 12, minutes)
    if wish.earliest and wish.latest:
        return late if wish.earliest <= late < wish.latest or wish.earliest.hour >= 12 else early
    if number == 12:
        return late
    open_early, open_late = _open(early, wish.day, clock), _open(late, wish.day, clock)
    if open_early != open_late:
        return early if open_early else late
    return early if number >= 7 else late


def _open(at: time, day: date | None, clock: Clock) -> bool:
    said = at.strftime("%H:%M")
    name = WEEKDAYS[day.weekday()] if day else None
    rows = [row for row in clock.hours if name is None or name in row.days] or list(clock.hours)
    return any(row.opens <= said < row.closes for row in rows)


def _not_over(wish: When, text: str, clock: Clock) -> When:
    """A day named without its date and already over at that time is the next one."""
    today = clock.now.date()
    if (
        wish.day == today
        and wish.at
        and wish.at <= clock.now.time()
        and re.search(r"\b(?:mon|tue|wed|thu|fri|sat|sun)", text, re.IGNORECASE)
    ):
        return replace(wish, day=today + timedelta(7))
    return wish


_REPAIR = re.compile(r"^.*\b(?:sorry|no wait|wait|i meant?|rather|actually|make that|make it)\b[,.]? ", re.IGNORECASE)
_AHEAD = re.compile(r"\bin (?P<count>\d{1,3}|an?|half an) (?P<unit>hours?|minutes?|mins?)\b", re.IGNORECASE)
_ROUND_MINUTES = 15


def _time_ahead(found: re.Match[str], clock: Clock) -> When:
    """ "In two hours", on to the next quarter of an hour."""
    word = found["count"].lower()
    count = 0.5 if word.startswith("half") else 1 if word.startswith("a") else int(word)
    minutes = count * (60 if found["unit"].lower().startswith("h") else 1)
    moment = clock.now.replace(tzinfo=None, second=0, microsecond=0) + timedelta(minutes=minutes)
    moment += timedelta(minutes=-moment.minute % _ROUND_MINUTES)
    return When(moment.date(), at=moment.time(), spans=(found.span(),))


_HINT = re.compile(
    r"\d|\b(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|week|"
    r"month|day|fortnight|ago|year|end of)",
    re.IGNORECASE,
)


def date_hint(text: str) -> bool:
    """Whether a slower reader may find a date in `text` at all."""
    return _HINT.search(text) is not None
