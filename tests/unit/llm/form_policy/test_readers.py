"""What is read out of the words, type by type."""

from datetime import datetime
from typing import Any

import pytest

from tenantry.domain.agent import AgentDefinition, Variable, VariableType
from tenantry.llm.form_policy.language import Clock
from tenantry.llm.form_policy.languages import load_language

from .talking import MARK, SATURDAY, Talk

ENGLISH = load_language("en")


async def read(variable: Variable, said: str, *, region: str = "US") -> Any:
    """The value noted when `said` answers the question for the variable."""
    talk = Talk(AgentDefinition(name="Clerk", region=region, time_zone="America/New_York", variables=(variable,)))
    await talk.say("hello")
    await talk.say(said)
    return talk.value(variable.name)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("mark@peterei.example", "mark@peterei.example"),
        ("MARK@Peterei.Example.", "mark@peterei.example"),
        ("it's mark at example dot com", "mark@example.com"),
        ("mark at example dot com please", "mark@example.com"),
        ("m as in mike a r k at example dot com", "mark@example.com"),
        ("m a r k at g mail dot com", "mark@gmail.com"),
        ("mark dot smith at example dot co dot uk", "mark.smith@example.co.uk"),
        ("mark underscore smith at example dot com", "mark_smith@example.com"),
        ("jane dash doe one two at peterei dash homes dot com", "jane-doe12@peterei-homes.com"),
        ("mark point smith at example point org", "mark.smith@example.org"),
        ("mark (at) example.com", "mark@example.com"),
        ("mark @ example.com", "mark@example.com"),
        ("my email address is mark+home@example.com, thanks", "mark+home@example.com"),
        ("you can write me at mark at example dot com", "mark@example.com"),
        ("mark@shop.test", "mark@shop.test"),
        ("mark@example", None),
        ("mark", None),
        ("I am at home", None),
    ],
)
async def test_email(said: str, value: str | None) -> None:
    assert await read(Variable("email", VariableType.EMAIL), said) == value


@pytest.mark.parametrize(
    ("said", "region", "value"),
    [
        ("212 555 0187", "US", "+12125550187"),
        ("(212) 555-0187", "US", "+12125550187"),
        ("it's 212.555.0187", "US", "+12125550187"),
        ("two one two five five five oh one eight seven", "US", "+12125550187"),
        ("two one two, triple five, oh one eight seven", "US", "+12125550187"),
        ("two one two double five five zero one eight seven", "US", "+12125550187"),
        ("plus one two one two five five five zero one eight seven", "US", "+12125550187"),
        ("+49 30 901820", "US", "+4930901820"),
        ("0049 30 901820", "US", "+4930901820"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("five five five one two three four", "US", None),
        ("12", "US", None),
        ("no", "US", None),
    ],
)
async def test_phone(said: str, region: str, value: str | None) -> None:
    assert await read(Variable("phone", VariableType.PHONE), said, region=region) == value


async def test_a_phone_number_is_completed_by_its_area_code() -> None:
    talk = Talk(AgentDefinition(name="Clerk", variables=(Variable("phone", VariableType.PHONE),)))
    await talk.say("hello")
    assert "area code" in await talk.say("five five five one two three four")
    await talk.say("two one two")
    assert talk.value("phone") == "+12125551234"


@pytest.mark.parametrize(
    ("said", "region", "amount", "currency"),
    [
        ("450k", "US", 450_000, "USD"),
        ("1.2m", "US", 1_200_000, "USD"),
        ("half a million", "US", 500_000, "USD"),
        ("about half a million dollars", "US", 500_000, "USD"),
        ("a quarter of a million", "US", 250_000, "USD"),
        ("one and a half million", "US", 1_500_000, "USD"),
        ("one point two million", "US", 1_200_000, "USD"),
        ("1,5 million", "US", 1_500_000, "USD"),
        ("a million", "US", 1_000_000, "USD"),
        ("four hundred fifty thousand dollars", "US", 450_000, "USD"),
        ("four hundred and fifty thousand", "US", 450_000, "USD"),
        ("around four fifty k", "US", 450_000, "USD"),
        ("four fifty thousand", "US", 450_000, "USD"),
        ("four hundred fifty grand", "US", 450_000, "USD"),
        ("a hundred thousand", "US", 100_000, "USD"),
        ("€300.000", "US", 300_000, "EUR"),
        ("300.000 euros", "DE", 300_000, "EUR"),
        ("£1,200", "US", 1_200, "GBP"),
        ("1,200.50 pounds", "GB", 1_200.5, "GBP"),
        ("$ 12.50", "CA", 12.5, "CAD"),
        ("CHF 1'200", "CH", 1_200, "CHF"),
        ("450000", "GB", 450_000, "GBP"),
        ("I was hoping for 450,000", "US", 450_000, "USD"),
        ("99", "XX", 99, None),
    ],
)
async def test_money(said: str, region: str, amount: float, currency: str | None) -> None:
    value = await read(Variable("price", VariableType.MONEY), said, region=region)
    assert value == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("123 Main Street, Springfield", "123 Main Street, Springfield"),
        ("one twenty three main street springfield", "123 Main Street, Springfield"),
        ("one two three main street", "123 Main Street"),
        ("I live at 12 oak ave, apt 4, Dayton, OH 45402", "12 Oak Avenue, Apt 4, Dayton, OH 45402"),
        ("12 N Oak Ave", "12 N Oak Avenue"),
        ("221B Baker Street, London NW1 6XE", "221B Baker Street, London, NW1 6XE"),
        ("Flat 2, 14 Oak Road, Leeds", "Flat 2, 14 Oak Road, Leeds"),
        ("Hauptstraße 5, 10115 Berlin", "Hauptstraße 5, 10115 Berlin"),
        ("it's 5 elm ct please", "5 Elm Court"),
        ("in the city", None),
        ("hello", None),
    ],
)
async def test_address(said: str, value: str | None) -> None:
    assert await read(Variable("address", VariableType.ADDRESS), said) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("Jane Doe", "Jane Doe"),
        ("my name is jane doe", "Jane Doe"),
        ("I'm Jane", "Jane"),
        ("it's Jean-Luc O'Neill, thanks", "Jean-Luc O'Neill"),
        ("j a n e", "Jane"),
        ("Zoë Müller", "Zoë Müller"),
        ("what?", None),
        ("12345", None),
        ("yes", None),
    ],
)
async def test_name(said: str, value: str | None) -> None:
    assert await read(Variable("name", VariableType.NAME), said) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("the premium one", "Premium plan"),
        ("premium plan", "Premium plan"),
        ("PREMIUM PLAN please", "Premium plan"),
        ("the second one", "Premium plan"),
        ("number 2", "Premium plan"),
        ("2", "Premium plan"),
        ("entreprise", "Enterprise"),
        ("the last", "Enterprise"),
        ("I think basic", "Basic plan"),
        ("either basic plan or enterprise", None),
        ("banana", None),
        ("9", None),
    ],
)
async def test_choice(said: str, value: str | None) -> None:
    plans = ("Basic plan", "Premium plan", "Enterprise")
    assert await read(Variable("plan", VariableType.CHOICE, choices=plans), said) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [("yes", True), ("yep", True), ("of course", True), ("yes we have two dogs", True), ("no", False),
     ("nope", False), ("not really", False), ("maybe", None)],
)  # fmt: skip
async def test_yes_no(said: str, value: bool | None) -> None:
    assert await read(Variable("has_pets", VariableType.YES_NO), said) is value


@pytest.mark.parametrize(
    ("said", "value"),
    [("3", 3), ("three", 3), ("it has four bedrooms", 4), ("about 2.5", 2.5), ("one hundred and twenty", 120),
     ("1,500", 1500), ("-4", -4), ("lots", None)],
)  # fmt: skip
async def test_number(said: str, value: float | None) -> None:
    assert await read(Variable("bedrooms", VariableType.NUMBER), said) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("my heating is broken", "my heating is broken"),
        ("it's the boiler, it leaks", "the boiler, it leaks"),
        ("why does it cost so much?", "why does it cost so much?"),
    ],
)
async def test_text(said: str, value: str) -> None:
    assert await read(Variable("issue", VariableType.TEXT), said) == value


def moment(said: str, *, day_first: bool = False, now: datetime = SATURDAY) -> tuple[str, str]:
    """Day and time that `said` means as the answer to "when?", empty where it is open."""
    clock = Clock(now, MARK.business_hours, day_first)
    when = ENGLISH.when(ENGLISH.digits(said), clock, True)
    if when is None:
        return "", ""
    return (when.day.isoformat() if when.day else ""), (when.at.strftime("%H:%M") if when.at else "")


@pytest.mark.parametrize(
    ("said", "day", "at"),
    [
        ("next Tuesday at three pm", "2026-11-24", "15:00"),
        ("Tuesday 3", "2026-11-24", "15:00"),
        ("at three", "", "15:00"),
        ("at 9", "", "09:00"),
        ("9:00", "", "09:00"),
        ("at 8", "", "08:00"),
        ("half past two", "", "14:30"),
        ("a quarter past nine", "", "09:15"),
        ("quarter to four", "", "15:45"),
        ("ten past three", "", "15:10"),
        ("twenty to four", "", "15:40"),
        ("noon on Monday", "2026-11-23", "12:00"),
        ("3.30pm", "", "15:30"),
        ("three thirty pm", "", "15:30"),
        ("15h", "", "15:00"),
        ("15h30", "", "15:30"),
        ("5 p.m.", "", "17:00"),
        ("3 in the afternoon", "", "15:00"),
        ("8 in the evening", "", "20:00"),
        ("tonight at 8", "2026-11-21", "20:00"),
        ("the 24th at 10", "2026-11-24", "10:00"),
        ("in two weeks on Monday", "2026-12-07", ""),
        ("in a week", "2026-11-28", ""),
        ("a week from Tuesday", "2026-12-01", ""),
        ("Tuesday week", "2026-12-01", ""),
        ("tomorrow", "2026-11-22", ""),
        ("day after tomorrow", "2026-11-23", ""),
        ("Nov 24", "2026-11-24", ""),
        ("the third of January", "2027-01-03", ""),
        ("January 3rd, 2027 at noon", "2027-01-03", "12:00"),
        ("11/24/2026", "2026-11-24", ""),
        ("24/11/2026", "2026-11-24", ""),
        ("24.11.2026", "2026-11-24", ""),
        ("2026-11-24T15:00", "2026-11-24", "15:00"),
        ("Friday the 27th", "2026-11-27", ""),
        ("Tuesday 24", "2026-11-24", ""),
        ("three weeks from tomorrow", "2026-12-13", ""),
        ("not Tuesday, Wednesday", "2026-11-25", ""),
        ("Wednesday instead of Tuesday", "2026-11-25", ""),
        ("move it from Tuesday to Wednesday at 4", "2026-11-25", "16:00"),
        ("tomorrow, sorry, Monday at 10", "2026-11-23", "10:00"),
        ("in two hours", "2026-11-21", "12:00"),
        ("around 4ish", "", "16:00"),
        ("Tue, Nov 24, 9:00 am", "2026-11-24", "09:00"),
        ("Tue 24 Nov, 3:00 pm", "2026-11-24", "15:00"),
        ("good morning", "", ""),
        ("the sun is out", "", ""),
        ("I sat down in march", "", ""),
        ("2026-13-45", "", ""),
        ("02/30/2027", "", ""),
    ],
)
def test_when(said: str, day: str, at: str) -> None:
    assert moment(said) == (day, at)


def test_the_order_of_day_and_month_is_the_regions() -> None:
    assert moment("5/12", day_first=True)[0] == "2026-12-05"
    assert moment("5/12")[0] == "2027-05-12"


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("tuesday", "2026-11-24"),
        ("next tuesday", "2026-12-01"),
        ("next wednesday", "2026-11-25"),
        ("today", "2026-11-23"),
    ],
)
def test_next_is_the_coming_one_unless_that_is_tomorrow(said: str, day: str) -> None:
    assert moment(said, now=SATURDAY.replace(day=23))[0] == day


@pytest.mark.parametrize(
    ("said", "earliest", "latest"),
    [
        ("tomorrow morning", "06:00", "12:00"),
        ("Tuesday after 3", "15:00", None),
        ("Tuesday before noon", None, "12:00"),
        ("between 2 and 4 on Tuesday", "14:00", "16:00"),
        ("Monday afternoon", "12:00", "18:00"),
    ],
)
def test_a_part_of_the_day(said: str, earliest: str | None, latest: str | None) -> None:
    when = ENGLISH.when(ENGLISH.digits(said), Clock(SATURDAY, MARK.business_hours, False), True)
    assert when is not None
    assert when.at is None
    assert (when.earliest and when.earliest.strftime("%H:%M"), when.latest and when.latest.strftime("%H:%M")) == (
        earliest,
        latest,
    )


async def test_an_unusual_date_is_left_to_the_slow_reader() -> None:
    assert await read(Variable("start_date", VariableType.DATE), "24-nov-2026") == "2026-11-24"


def test_a_language_without_a_folder_is_answered_in_english() -> None:
    assert load_language("xx-YY") is ENGLISH
    assert load_language("../en") is ENGLISH
    assert load_language("en-GB") is ENGLISH
