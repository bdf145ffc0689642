"""Many ways to say the same booking."""

import pytest

from .talking import JON, Calendar, Talk, with_mark

START = "2026-11-24T15:00"
HOUSE = "123 Main Street, Springfield"
MAIL = "mark@peterei.example"

GIVEN = ["Hi", HOUSE, MAIL, "skip"]
CONFIRMED = [*GIVEN, "yes"]

# Each row is what the contact says, message by message; a "yes" to the read-back follows where it is asked for.
WAYS: list[list[str]] = [
    [
        "I want to sell 123 Main Street, Springfield, my mail is mark@peterei.example, next Tuesday at 3 would be good",
        "skip",
    ],
    ["hi", "123 Main Street, Springfield", "mark@peterei.example", "skip", "yes", "next Tuesday at 3 pm"],
    ["hello there", "it's 123 Main Street, Springfield", "it's mark@peterei.example", "no", "yes", "Tuesday at three"],
    ["Hi", "123 main street springfield", "mark at peterei dot example", "skip", "yes", "tuesday 3pm"],
    [
        "Hi",
        "one twenty three main street, springfield",
        "mark at peterei dot example",
        "skip",
        "yes",
        "tuesday at three pm",
    ],
    [
        "Hi",
        "one two three Main Street, Springfield",
        "m a r k at peterei dot example",
        "skip",
        "yes",
        "on the 24th at 3",
    ],
    [
        "Hi",
        "123 Main St, Springfield",
        "m as in mike a r k at peterei dot example",
        "pass",
        "yep",
        "November 24 at 3pm",
    ],
    ["Hi", "123 Main St. in Springfield", "MARK@PETEREI.EXAMPLE", "I'd rather not say", "correct", "Nov 24th, 15:00"],
    ["my house is at 123 Main Street, Springfield", "mark @ peterei.example", "don't know yet", "yes", "11/24 at 3 pm"],
    ["123 MAIN STREET, SPRINGFIELD", "mark(at)peterei.example", "none", "yes", "11/24/2026 3:00 PM"],
    [
        "Hi",
        "the address is 123 Main Street, Springfield",
        "my email is mark@peterei.example",
        "skip",
        "yes",
        "2026-11-24 15:00",
    ],
    [
        "Hi",
        "123 Main Street in Springfield",
        "you can reach me at mark@peterei.example",
        "skip",
        "yes",
        "2026-11-24T15:00",
    ],
    ["Hi", "property address: 123 Main Street, Springfield", "email: mark@peterei.example", "skip", "yes", "Tue 3pm"],
    ["Could you book me for Tuesday at 3? It's 123 Main Street, Springfield, mark@peterei.example", "skip"],
    ["Tuesday 3pm please. 123 Main Street, Springfield. mark@peterei.example", "skip"],
    ["mark@peterei.example / 123 Main Street, Springfield / Tuesday 15:00", "skip"],
    [
        "I'd like an appointment next Tuesday at three pm",
        "123 Main Street, Springfield",
        "mark@peterei.example",
        "skip",
    ],
    ["can someone come by on Tuesday afternoon at 3", "123 Main Street, Springfield", "mark@peterei.example", "skip"],
    [
        "Hi",
        "I live at 123 Main Street, Springfield",
        "write to mark@peterei.example",
        "not sure",
        "that's right",
        "3 pm on Tuesday",
    ],
    [*CONFIRMED, "Tuesday", "3"],
    [*CONFIRMED, "Tuesday", "at three"],
    [*CONFIRMED, "Tuesday afternoon", "3 pm works"],
    [*CONFIRMED, "at 3 pm", "Tuesday"],
    [*CONFIRMED, "in three days at 3 pm"],
    [*CONFIRMED, "the day after the day after tomorrow, sorry, the 24th at 3pm"],
    [*CONFIRMED, "Tuesday of next week at 3"],
    ["Hi", "124 Main Street, Springfield", "mark@peterei.example", "skip", "no, the number is 123", "Tuesday at 3pm"],
    ["Hi", "123 Oak Street, Springfield", "mark@peterei.example", "skip", "no, the street is Main", "Tuesday at 3pm"],
    [
        "Hi",
        "123 Main Street, Springfeld",
        "mark@peterei.example",
        "skip",
        "no, it's Springfield with an i",
        "Tuesday at 3pm",
    ],
    [
        "Hi",
        "123 Main Street, Shelbyville",
        "mark@peterei.example",
        "skip",
        "no, the city is Springfield",
        "Tuesday at 3pm",
    ],
    [
        "Hi",
        "123 Main Street, Springfield",
        "mark@peterei.com",
        "skip",
        "no, it's mark at peterei dot example",
        "yes",
        "Tuesday at 3pm",
    ],
    [
        "Hi",
        "123 Main Street, Springfield",
        "jane@peterei.example",
        "skip",
        "the email is wrong",
        "mark@peterei.example",
        "yes",
        "Tuesday at 3",
    ],
    [*GIVEN, "Wednesday at 3 pm", "actually make it Tuesday"],
    [*GIVEN, "Tuesday at 2 pm", "not 2, 3 pm"],
    [*CONFIRMED, "what times do you have on Tuesday?", "3:00 pm"],
    [*CONFIRMED, "what do you have on Tuesday after 2?", "the second one"],
    [*CONFIRMED, "Tuesday after lunch around 3"],
    [*CONFIRMED, "Tuesday at fifteen hundred hours"],
    [*CONFIRMED, "tuesday 15h"],
    [*CONFIRMED, "Tuesday at 3 o'clock"],
    [*CONFIRMED, "tuesday, 3 in the afternoon"],
    [*CONFIRMED, "the twenty fourth of November at three in the afternoon"],
    [*CONFIRMED, "November twenty fourth at three"],
    [
        "Hi, I'm Mark. I want to sell my home, 123 Main Street in Springfield, and my e-mail address is "
        "mark@peterei.example. Tuesday the 24th at 3pm?",
        "skip",
    ],
    [
        "hey uh so I wanna sell one twenty three main street springfield my email is mark at peterei dot example "
        "and tuesday at three pm works for me",
        "skip",
    ],
    [
        "change of plans, I do want to sell. 123 Main Street, Springfield; mark@peterei.example; 24 November 15:00",
        "skip",
    ],
    [
        "when are you open?",
        "ok, 123 Main Street, Springfield",
        "mark@peterei.example",
        "skip",
        "yes",
        "then Tuesday at 3",
    ],
    [
        "who are you?",
        "123 Main Street, Springfield please",
        "mark@peterei.example please",
        "nothing",
        "all correct",
        "Tuesday at 3 please",
    ],
    ["Hi", "123 Main Street Springfield, mark@peterei.example", "skip", "yes", "book it for 24 Nov 2026 at 3.00pm"],
    [
        "Hi",
        "sorry, it would be 123 Main Street, Springfield",
        "that's mark dot at, no sorry, mark@peterei.example",
        "skip",
        "yes",
        "Tuesday @ 3pm",
    ],
]


@pytest.mark.parametrize("said", WAYS, ids=[" / ".join(way)[-60:] for way in WAYS])
async def test_is_booked_the_same(said: list[str]) -> None:
    talk = with_mark()
    for text in said:
        await talk.say(text)
    for _ in range(2):
        if not talk.called("set_appointment") and "Yes" in talk.quick:
            await talk.say("yes")
    booked = talk.called("set_appointment")
    assert booked, talk.replies
    assert len(booked) == 1
    assert (booked[0]["start"], booked[0]["property_address"], booked[0]["email"]) == (START, HOUSE, MAIL)
    assert "November 24 at 3:00 pm" in talk.replies[-1]


def test_there_are_enough_ways() -> None:
    assert len({tuple(way) for way in WAYS}) >= 40


async def test_the_region_decides_what_stands_first_in_a_date() -> None:
    agent = type(JON)(name="Seller", region="GB", time_zone="Europe/London", functions=JON.functions)
    talk = Talk(agent, dict(Calendar().tools()))
    await talk.say("24/11/2026 at 3 pm")
    assert talk.called("set_appointment")[0]["start"] == START
    assert "Tuesday 24 November at 3:00 pm" in talk.replies[-1]
