"""Whole conversations: what is said, noted and called, in order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tenantry.domain.agent import AgentDefinition, Function, Variable, VariableType

from .talking import MARK, Calendar, Talk, with_jon, with_mark

ESTIMATE = {"status": "ok", "estimate": {"amount": 480_000, "currency": "USD"}, "confidence": "high"}
FORM = ("hi", "123 Main Street, Springfield", "mark@peterei.example", "skip", "yes")


async def say_all(talk: Talk, *said: str) -> str:
    """The reply to the last."""
    reply = ""
    for text in said:
        reply = await talk.say(text)
    return reply


async def test_one_message_may_hold_it_all() -> None:
    talk = with_mark(valuation=ESTIMATE)
    reply = await talk.say(
        "I want to sell 123 Main Street, Springfield, my mail is mark@peterei.example "
        "and I'd like about half a million, next Tuesday at 3 would be good"
    )
    assert reply.startswith(MARK.greeting)
    for part in ("123 Main Street, Springfield", "mark@peterei.example", "$500,000", "November 24 at 3:00 pm"):
        assert part in reply
    assert talk.quick == ("Yes", "No")
    assert not talk.calls
    reply = await talk.say("yes")
    assert [call.name for call in talk.calls] == ["get_valuation", "set_appointment"]
    assert "estimate $480,000" in reply
    assert "booked for Tuesday, November 24 at 3:00 pm (New York time)" in reply
    assert all(value.confirmed for value in talk.known.values())


async def test_asks_in_the_agents_words_one_at_a_time() -> None:
    talk = with_mark()
    assert (await talk.say("hi")).endswith("What is the address of the property?")
    assert (await talk.say("123 Main Street, Springfield")).endswith("What is your email address?")
    assert not talk.known["property_address"].confirmed
    assert "You can skip" in await talk.say("mark@peterei.example")


async def test_an_agent_without_a_greeting_names_itself() -> None:
    assert (await with_jon().say("hi")).startswith("Hello, this is Property Seller Agent.")


async def test_greets_once_even_when_the_state_is_lost() -> None:
    talk = with_mark()
    await talk.say("hi")
    talk.state = {}
    assert MARK.greeting not in await talk.say("hi again")


@pytest.mark.parametrize("words", ["skip", "no", "I'd rather not", "don't know yet", "not sure", "pass", "none"])
async def test_an_optional_value_may_be_left_out(words: str) -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM[:3], words)
    assert "Is that correct?" in reply
    assert talk.value("asking_price") is None


@pytest.mark.parametrize("words", ["skip", "no", "I'd rather not say"])
async def test_a_required_value_may_not(words: str) -> None:
    talk = with_mark()
    assert "cannot go on without" in await say_all(talk, "hi", words)
    assert "What is your email" in await talk.say("123 Main Street, Springfield")


async def test_an_optional_value_may_be_added_later() -> None:
    talk = with_mark()
    await say_all(talk, *FORM, "my asking price is 450k")
    assert talk.value("asking_price") == {"amount": 450_000, "currency": "USD"}


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ("no, the street is Oak", "property_address", "123 Oak Street, Springfield"),
        ("the street is Oak Avenue", "property_address", "123 Oak Avenue, Springfield"),
        ("no the number is 125", "property_address", "125 Main Street, Springfield"),
        ("the city is Shelbyville", "property_address", "123 Main Street, Shelbyville"),
        ("it's Springfeld with e", "property_address", "123 Main Street, Springfeld"),
        ("Oak, not Main", "property_address", "123 Oak Street, Springfield"),
        ("not Main but Oak", "property_address", "123 Oak Street, Springfield"),
        ("no, it's 9 Elm Road, Dayton", "property_address", "9 Elm Road, Dayton"),
        ("no, it's mark at example dot org", "email", "mark@example.org"),
        ("change my email to m@example.org", "email", "m@example.org"),
        ("yes but my email is m@example.org", "email", "m@example.org"),
    ],
)
async def test_a_correction_needs_one_message(said: str, name: str, value: str) -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM[:4], said)
    assert talk.value(name) == value
    assert value in reply


async def test_a_typed_correction_is_not_read_back_twice_but_a_spoken_one_is() -> None:
    typed, spoken = with_mark(), with_mark()
    assert "When would suit you" in await say_all(typed, *FORM[:4], "no, it's m@example.org")
    assert "Is that correct?" in await say_all(spoken, *FORM[:4], "no, it's m at example dot org")
    assert not spoken.known["email"].confirmed
    await spoken.say("yes")
    assert spoken.known["email"].confirmed


async def test_no_asks_what_is_wrong_and_the_name_of_it_is_enough() -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM[:4], "no")
    assert "change" in reply
    assert talk.quick == ("property address", "email")
    assert "What is your email address?" in await talk.say("email")
    assert talk.value("email") is None
    assert "jane@example.com" in await talk.say("jane@example.com")


@pytest.mark.parametrize("said", ["what did you note?", "what do you have so far", "can you repeat that"])
async def test_says_what_it_noted(said: str) -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM[:2], "Tuesday at 3", said)
    assert "the property address is 123 Main Street, Springfield" in reply
    assert "November 24 at 3:00 pm" in reply
    assert reply.endswith("What is your email address?")


async def test_start_over_forgets() -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM[:3], "start over")
    assert not talk.known
    assert reply.endswith("What is the address of the property?")


async def test_offers_the_nearest_when_the_time_is_taken() -> None:
    talk = with_mark(["2026-11-24T15:00"])
    reply = await say_all(talk, *FORM, "Tuesday at 3")
    assert "already taken" in reply
    assert "9:00 am, 10:00 am or 11:00 am" in reply
    assert talk.quick == ("Tue, Nov 24, 9:00 am", "Tue, Nov 24, 10:00 am", "Tue, Nov 24, 11:00 am", "None of these")


@pytest.mark.parametrize(
    ("said", "start"),
    [
        ("the second one", "2026-11-24T10:00"),
        ("10", "2026-11-24T10:00"),
        ("10 am works", "2026-11-24T10:00"),
        ("Tue, Nov 24, 10:00 am", "2026-11-24T10:00"),
        ("Tuesday at ten", "2026-11-24T10:00"),
        ("the last", "2026-11-24T11:00"),
        ("first one please", "2026-11-24T09:00"),
        ("I don't mind", "2026-11-24T09:00"),
        ("4 pm works", "2026-11-24T16:00"),
        ("no, Thursday at 9", "2026-11-26T09:00"),
    ],
)
async def test_an_offer_is_taken_in_many_ways(said: str, start: str) -> None:
    talk = with_mark(["2026-11-24T15:00"])
    await say_all(talk, *FORM, "Tuesday at 3", said)
    assert talk.called("set_appointment")[-1]["start"] == start
    assert "Done" in talk.replies[-1]


async def test_a_weekday_means_the_one_just_offered() -> None:
    talk = with_mark()
    await say_all(talk, *FORM, "Saturday December 5 at 10", "Monday at 9")
    assert talk.called("set_appointment")[-1]["start"] == "2026-12-07T09:00"


async def test_none_of_these_finds_others() -> None:
    talk = with_mark(["2026-11-24T15:00"])
    reply = await say_all(talk, *FORM, "Tuesday at 3", "none of these")
    assert talk.called("check_availability")
    assert "12:00 pm" in reply


async def test_yes_takes_the_only_offer() -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM, "do you have anything on Tuesday between 3 and 4?")
    assert "Tuesday, November 24 at 3:00 pm" in reply
    await talk.say("yes")
    assert talk.called("set_appointment")[-1]["start"] == "2026-11-24T15:00"


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("Saturday at 10", "outside our opening hours (Monday to Friday from 9:00 am to 5:00 pm)"),
        ("today at 9", "has already passed"),
    ],
)
async def test_says_why_a_time_is_not_available(said: str, part: str) -> None:
    assert part in await say_all(with_mark(), *FORM, said)


async def test_a_day_alone_brings_its_free_times() -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM, "Wednesday afternoon")
    assert talk.called("check_availability")[0]["start"] == "2026-11-25T12:00"
    assert "Wednesday, November 25 at 12:00 pm" in reply


async def test_a_full_day_brings_the_next_free_times() -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM, "what times do you have tomorrow?")
    assert "nothing free on Sunday, November 22" in reply
    assert "Monday, November 23 at 9:00 am" in reply


async def test_without_availability_the_time_is_asked_for() -> None:
    talk = with_jon()
    await say_all(talk, "123 Main Street, Springfield; jon@example.com; +1 212 555 0187", "yes")
    assert "cannot look up" in await talk.say("what times do you have?")
    assert "What time on Tuesday, November 24?" in await talk.say("Tuesday")
    await talk.say("3")
    assert talk.called("set_appointment")[0] == {
        "user_id": talk.calls[0].arguments["user_id"],
        "start": "2026-11-24T15:00",
        "property_address": "123 Main Street, Springfield",
        "email": "jon@example.com",
        "phone": "+12125550187",
    }
    assert "not able to cancel" in await talk.say("cancel it")
    assert "not able to move" in await talk.say("can you move it to Friday at 3?")


async def test_moves_and_cancels() -> None:
    talk = with_mark()
    await say_all(talk, *FORM, "Tuesday at 3")
    assert "now Wednesday, November 25 at 10:00 am" in await talk.say("can you move it to Wednesday at 10")
    assert talk.called("reschedule_appointment")[0]["booking_id"] == "b1"
    assert "now Wednesday, November 25 at 11:00 am" in await talk.say("actually make it 11")
    assert (await talk.say("please reschedule")).startswith(("To which day", "Please tell me the new day"))
    assert "Thursday" in await talk.say("Thursday at 2")
    await talk.say("can you change the time?")
    assert "stays as it is" in await talk.say("never mind")
    assert "Shall I really cancel" in await talk.say("cancel it")
    assert "stays as it is" in await talk.say("no")
    await talk.say("cancel my appointment")
    assert "is cancelled" in await talk.say("yes")
    assert [call.name for call in talk.calls][-1] == "cancel_appointment"


async def test_a_time_named_after_the_booking_is_moved_to_only_when_meant() -> None:
    talk = with_mark()
    await say_all(talk, *FORM, "Tuesday at 3")
    assert "Shall I move your appointment to Friday, November 27 at 3:00 pm?" in await talk.say("Friday")
    assert "stays as it is" in await talk.say("no")
    await say_all(talk, "Friday", "yes")
    assert talk.called("reschedule_appointment")[0]["start"] == "2026-11-27T15:00"


async def test_another_time_instead_of_cancelling() -> None:
    talk = with_mark()
    await say_all(talk, *FORM, "Tuesday at 3", "I can't make it", "no, I want another time", "Friday at 11")
    assert talk.called("reschedule_appointment")[0]["start"] == "2026-11-27T11:00"


async def test_asking_whether_a_time_is_free_does_not_book_it() -> None:
    talk = with_mark(["2026-11-24T15:00"])
    reply = await say_all(talk, *FORM, "Tuesday at 3", "is 4 free?")
    assert "Tuesday, November 24 at 4:00 pm" in reply
    assert len(talk.called("set_appointment")) == 1
    await talk.say("yes please")
    assert talk.called("set_appointment")[-1]["start"] == "2026-11-24T16:00"


async def test_a_time_named_early_is_acknowledged() -> None:
    assert "Monday, November 23 at 10:00 am" in await with_mark().say("Can I get an appointment Monday at 10?")


async def test_an_appointment_of_an_earlier_conversation_is_cancelled_and_moved() -> None:
    talk = with_mark()
    await talk.say("hi")
    assert "Shall I really cancel" in await talk.say("I want to cancel my appointment")
    assert "could not find" in await talk.say("yes")
    assert talk.called("cancel_appointment") == [{"user_id": talk.calls[0].arguments["user_id"]}]
    assert "could not find" in await talk.say("reschedule my appointment to Friday at 3")


async def test_a_changed_detail_after_the_booking_is_noted() -> None:
    talk = with_mark()
    reply = await say_all(talk, *FORM, "Tuesday at 3", "my email is now m@example.org")
    assert talk.value("email") == "m@example.org"
    assert "m@example.org" in reply
    assert len(talk.called("set_appointment")) == 1


@pytest.mark.parametrize("status", ["failed", "invalid"])
async def test_a_failed_booking_is_told_and_tried_again_only_when_wanted(status: str) -> None:
    answers = iter([{"status": status, "reason": "calendar_down"}] * 2 + [None])
    calendar = Calendar()

    def book(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return next(answers) or calendar.set(arguments)

    talk = Talk(MARK, {**calendar.tools(), "set_appointment": book})
    assert "nothing was booked" in await say_all(talk, *FORM, "Tuesday at 3")
    await talk.say("hmm, how much does it cost?")
    assert len(talk.called("set_appointment")) == 1
    assert "nothing was booked" in await talk.say("try again")
    assert "Done!" in await talk.say("yes")


async def test_a_refused_booking_is_told() -> None:
    talk = Talk(MARK, {**Calendar().tools(), "set_appointment": lambda _: {"status": "refused", "reason": "user_id"}})
    assert "nothing was booked" in await say_all(talk, *FORM, "Tuesday at 3")
    await talk.say("ok")
    assert len(talk.calls) == 1


async def test_a_failed_tool_does_not_stop_the_booking() -> None:
    talk = with_mark(valuation={"status": "failed", "reason": "timeout"})
    reply = await say_all(talk, *FORM)
    assert "could not get the valuation" in reply
    assert reply.endswith("Any day or time you like.")
    await talk.say("Tuesday at 3")
    assert [call.name for call in talk.calls] == ["get_valuation", "set_appointment"]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ({"status": "ok", "estimate": 512000, "currency": "USD"}, "Here is the valuation: estimate $512,000."),
        ({"status": "ok", "low": 5, "high": 9, "currency": "USD"}, "low 5, high 9 and currency USD"),
        ({"status": "ok", "service_status": "final", "answer": "soon"}, "Here is the valuation: answer soon."),
        ({"status": "failed", "reason": "http_500", "message": "The service …"}, "could not get the valuation"),
        (
            {"status": "unknown", "reason": "outcome_unknown", "message": "An …"},
            "cannot tell yet whether the valuation",
        ),
    ],
)
async def test_what_a_service_answered_is_told(output: dict[str, object], says: str) -> None:
    talk = with_mark(valuation=output)
    assert says in await say_all(talk, *FORM)


async def test_a_tool_is_called_again_when_its_values_changed() -> None:
    talk = with_mark(valuation=ESTIMATE)
    await say_all(talk, *FORM, "no wait, the street is Oak")
    assert [a["property_address"] for a in talk.called("get_valuation")] == [
        "123 Main Street, Springfield",
        "123 Oak Street, Springfield",
    ]


async def test_only_tools_that_are_there_are_called() -> None:
    talk = Talk(MARK)
    reply = await say_all(talk, *FORM)
    assert not talk.calls
    assert "that is all I need" in reply
    assert "all I need" not in await talk.say("ok")


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("when are you open?", "Monday to Friday from 9:00 am to 5:00 pm (New York time)"),
        ("are you a robot?", "automated assistant"),
        ("help", "property address and email"),
        ("I want to speak with a person", "person"),
        ("how much do you charge?", "on record"),
        ("what?", "What is the address"),
        ("I'd like to sell my house", "glad to help"),
    ],
)
async def test_a_question_is_answered_and_the_form_goes_on(said: str, part: str) -> None:
    talk = with_mark()
    await talk.say("hi")
    reply = await talk.say(said)
    assert part in reply
    assert reply.endswith("What is the address of the property?")


async def test_a_goodbye_is_answered() -> None:
    talk = with_mark()
    assert "oodbye" in await say_all(talk, "hi", "bye")
    assert "I still need email" in await say_all(talk, "123 Main Street, Springfield", "bye")


async def test_an_agent_with_nothing_to_collect_takes_a_message() -> None:
    talk = Talk(AgentDefinition(name="Front desk"))
    assert "What may I note" in await talk.say("hi") or "write what" in talk.replies[-1]
    assert "message" in await talk.say("my heating is broken")
    assert "welcome" in await talk.say("thank you") or "pleasure" in talk.replies[-1]


TWO_MAILS = AgentDefinition(
    name="HR",
    variables=(Variable("work_email", VariableType.EMAIL), Variable("private_email", VariableType.EMAIL)),
)


@pytest.mark.parametrize(
    "said",
    [
        ["my work email is w@example.com and my private email is p@example.com"],
        ["my private email is p@example.com, the work email is w@example.com"],
        ["p@example.com is my private email", "w@example.com"],
        ["hi", "my private email is p@example.com", "w@example.com"],
        ["hi", "w@example.com", "p@example.com"],
    ],
)
async def test_two_values_of_a_type_are_told_apart(said: list[str]) -> None:
    talk = Talk(TWO_MAILS)
    await say_all(talk, *said)
    assert (talk.value("work_email"), talk.value("private_email")) == ("w@example.com", "p@example.com")


SALON = AgentDefinition(
    name="Salon",
    region="GB",
    time_zone="America/New_York",
    variables=(
        Variable("name", VariableType.NAME, "What's your name?"),
        Variable("visit", VariableType.DATETIME, "When would you like to come in?"),
    ),
    functions=(Function("set_appointment", variables=("name", "visit")),),
)


async def test_a_variable_of_the_function_may_be_the_wanted_time() -> None:
    talk = Talk(SALON, dict(Calendar(["2026-11-24T15:00"]).tools()))
    assert "When would you like to come in?" in await say_all(talk, "hi", "Sam")
    await talk.say("Tuesday at 3")
    assert talk.value("visit") is None
    await talk.say("the first one")
    assert talk.value("visit") == "2026-11-24T09:00"
    assert talk.called("set_appointment")[-1] == {
        "user_id": talk.calls[0].arguments["user_id"],
        "start": "2026-11-24T09:00",
        "name": "Sam",
        "visit": "2026-11-24T09:00",
    }


async def test_a_date_and_a_time_may_be_the_wanted_time() -> None:
    variables = (Variable("day", VariableType.DATE), Variable("hour", VariableType.TIME))
    agent = replace(SALON, variables=variables, functions=(Function("set_appointment", variables=("day", "hour")),))
    talk = Talk(agent, dict(Calendar().tools()))
    await say_all(talk, "hi", "Tuesday at 3")
    assert talk.called("set_appointment")[0]["start"] == "2026-11-24T15:00"
    assert (talk.value("day"), talk.value("hour")) == ("2026-11-24", "15:00")


async def test_the_answers_to_a_failure_to_understand_lead_out() -> None:
    talk = with_mark()
    await talk.say("hi")
    assert "did not catch" in await talk.say("blubb")
    assert "such as 12 Oak Street" in await talk.say("blubb")
    await say_all(talk, "123 Main Street, Springfield", "mark@example.com", "blubb", "blubb")
    assert "leave the asking price out" in await talk.say("blubb")


SUPPORT = AgentDefinition(name="Support", variables=(Variable("issue", VariableType.TEXT, "What is the matter?"),))


@pytest.mark.parametrize(
    "said",
    [
        "I want to reset my password",
        "please cancel that order of mine from last week",
        "nobody could tell me what times you have it available",
        "no",
    ],
)
async def test_an_open_question_is_answered_by_any_words(said: str) -> None:
    talk = Talk(SUPPORT)
    await say_all(talk, "hi", said)
    assert talk.value("issue") == said


@pytest.mark.parametrize(
    "said", ["start over", "can we start over?", "please restart", "let's start from scratch", "reset"]
)
async def test_starting_over_is_said_in_many_ways(said: str) -> None:
    talk = with_mark()
    await say_all(talk, *FORM[:3], said)
    assert not talk.known


@pytest.mark.parametrize("can_change", [True, False])
async def test_only_what_the_agent_can_do_is_offered_afterwards(can_change: bool) -> None:
    tools = {name: tool for name, tool in Calendar().tools().items() if can_change or name == "set_appointment"}
    replies = [await say_all(talk := Talk(MARK, tools), *FORM, "Tuesday at 3", "yes"), await talk.say("yes")]
    assert any("Your appointment is" in reply or "your appointment is" in reply for reply in replies), replies
    assert any("move or cancel it" in reply for reply in replies) is can_change, replies
