"""How English says dates, times, lists, questions and examples."""

from datetime import date, datetime, time

from tenantry.domain.agent import WEEKDAYS, OpeningHours, Variable, VariableType
from tenantry.domain.speakable_english import say_code, say_email, say_phone

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_TWELVE_HOURS = frozenset({"US", "CA", "AU", "NZ", "GB", "IE", "IN", "PH", "ZA"})


def join(parts: list[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def say_day(day: date, day_first: bool, today: date) -> str:
    """ "Tuesday 24 November", in America "Tuesday, November 24"; the year where it is another."""
    month = _MONTHS[day.month - 1]
    year = "" if day.year == today.year else f" {day.year}"
    if day_first:
        return f"{_DAYS[day.weekday()]} {day.day} {month}{year}"
    return f"{_DAYS[day.weekday()]}, {month} {day.day}{',' if year else ''}{year}"


def say_time(at: time, region: str) -> str:
    """ "3:00 pm", in regions that count to 24 "15:00"."""
    if region not in _TWELVE_HOURS:
        return at.strftime("%H:%M")
    return f"{at.hour % 12 or 12}:{at.minute:02d} {'am' if at.hour < 12 else 'pm'}"


def say_slot(start: datetime, day_first: bool) -> str:
    """A slot short enough for a button: "Tue 24 Nov, 3:00 pm"."""
    day, month = _DAYS[start.weekday()][:3], _MONTHS[start.month - 1][:3]
    named = f"{day} {start.day} {month}" if day_first else f"{day}, {month} {start.day}"
    return f"{named}, {start.hour % 12 or 12}:{start.minute:02d} {'am' if start.hour < 12 else 'pm'}"


def say_zone(zone: str) -> str:
    """ "New York time" for America/New_York."""
    return zone if "/" not in zone else f"{zone.rsplit('/', 1)[-1].replace('_', ' ')} time"


def say_hours(hours: tuple[OpeningHours, ...], region: str) -> str:
    """ "Monday to Friday from 9:00 am to 5:00 pm"."""
    return join(
        [f"{_say_days(row)} from {_say_bound(row.opens, region)} to {_say_bound(row.closes, region)}" for row in hours]
    )


def say_exactly(kind: VariableType, value: str) -> str:
    """ "m, a, r, k, at example dot com"; numbers to dial and ids symbol by symbol."""
    match kind:
        case VariableType.EMAIL:
            return say_email(value, spelled=True)
        case VariableType.PHONE:
            return say_phone(value)
        case _:
            return say_code(value)


def _say_days(row: OpeningHours) -> str:
    numbers = sorted(WEEKDAYS.index(day) for day in row.days)
    if len(numbers) == 7:
        return "every day"
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{_DAYS[numbers[0]]} to {_DAYS[numbers[-1]]}"
    return join([_DAYS[number] for number in numbers])


def _say_bound(at: str, region: str) -> str:
    return "midnight" if at in {"24:00", "00:00"} else say_time(time.fromisoformat(at), region)


_QUESTIONS = {
    VariableType.ADDRESS: "What is the {label}?",
    VariableType.EMAIL: "What is your {label}?",
    VariableType.PHONE: "What is your {label}?",
    VariableType.NAME: "What is your {label}?",
    VariableType.NUMBER: "What is the {label}, as a number?",
    VariableType.MONEY: "What is the {label}?",
    VariableType.DATE: "What is the {label}?",
    VariableType.TIME: "What is the {label}?",
    VariableType.DATETIME: "What is the {label}, day and time?",
}
_FRIENDLY = {
    "email": "email address", "e mail": "email address", "mail": "email address", "phone": "phone number",
    "tel": "phone number", "telephone": "phone number", "mobile": "mobile number", "address": "address",
}  # fmt: skip


def question(variable: Variable) -> str:
    """The question for a variable whose agent brings none."""
    label = _FRIENDLY.get(variable.label.lower(), variable.label)
    if variable.type is VariableType.YES_NO:
        return f"{label.capitalize()}: yes or no?"
    if variable.type is VariableType.CHOICE:
        return f"Which {label} is it: {either(list(variable.choices))}?"
    if variable.type is VariableType.NUMBER and label.endswith("s"):
        return f"How many {label}?"
    return _QUESTIONS.get(variable.type, "What is the {label}?").format(label=label)


def either(parts: list[str]) -> str:
    """ "a, b or c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}" if parts else ""


_EXAMPLES = {
    VariableType.ADDRESS: "the house number, street and town, such as 12 Oak Street, Springfield",
    VariableType.EMAIL: "something like jane@example.com, or jane at example dot com",
    VariableType.PHONE: "the whole number with its area code, digit by digit if you like",
    VariableType.NAME: "your first and last name",
    VariableType.NUMBER: "a number, such as 3",
    VariableType.MONEY: "an amount, such as 450,000 or half a million",
    VariableType.DATE: "a day, such as next Tuesday or November 24",
    VariableType.TIME: "a time, such as 3 pm",
    VariableType.DATETIME: "a day and a time, such as next Tuesday at 3 pm",
    VariableType.YES_NO: "yes or no",
    VariableType.TEXT: "a few words are enough",
}


def example(variable: Variable) -> str:
    """What an answer looks like."""
    if variable.type is VariableType.CHOICE:
        return f"one of {either(list(variable.choices))}"
    return _EXAMPLES[variable.type]
