"""Calls with the form policy: what recognisers write of what was said, read back until it is right."""

from dataclasses import replace

import pytest

from tenantry.domain.agent import AgentDefinition, Function, Variable, VariableType
from tenantry.llm.form_policy.languages.en.heard import code, letters, tidy
from tests.unit.llm.form_policy.talking import EMAIL, MARK, Talk, with_jon, with_mark

MARKS = "mark@example.com"
HOUSE = "I want to sell 12 Oak Street, Springfield"
ORDER = Variable("order_id", VariableType.TEXT, "What is your order number?")
SUPPORT = AgentDefinition(name="Support", variables=(ORDER,), functions=())


def call(agent: AgentDefinition) -> Talk:
    """A call to an agent that may do nothing but collect."""
    return Talk(agent, {}, channel="voice")


def on_the_phone(talk: Talk) -> Talk:
    """The same talk as a call."""
    talk.channel = "voice"
    return talk


async def asked_for_email() -> Talk:
    """A call in which the e-mail address was just asked for."""
    talk = call(AgentDefinition(name="Agent", variables=(EMAIL,)))
    assert "email" in await talk.say("hello")
    return talk


@pytest.mark.parametrize(
    ("heard", "address"),
    [
        ("mark@example.com", MARKS),
        ("Mark@Example.com.", MARKS),
        ("Mark at example dot com.", MARKS),
        ("mark at example.com", MARKS),
        ("Mark at Example.com, please.", MARKS),
        ("market example.com", MARKS),
        ("Market example dot com.", MARKS),
        ("market example dot calm", MARKS),
        ("mark it example dot com", MARKS),
        ("mark add example.com", MARKS),
        ("mark example.com", MARKS),
        ("markatexample.com", MARKS),
        ("Mark. At. Example. Dot. Com.", MARKS),
        ("mark, at, example, dot, com", MARKS),
        ("um it's uh mark at example dot com", MARKS),
        ("well you know it's mark at at example dot com", MARKS),
        ("it's it's mark at example dot dot com", MARKS),
        ("my email is mark at example dot com", MARKS),
        ("The email address is mark at example dot com. Thank you.", MARKS),
        ("I said mark at example dot com", MARKS),
        ("sure that's mark at example dot com", MARKS),
        ("m a r k at example dot com", MARKS),
        ("M-A-R-K at example dot com", MARKS),
        ("M, A, R, K, at example dot com.", MARKS),
        ("M. A. R. K. at example dot com.", MARKS),
        ("m a are kay at example dot com", MARKS),
        ("M as in Mike, A as in Alpha, R as in Romeo, K as in Kilo, at example dot com", MARKS),
        ("m like mike a like alpha r like romeo k like kilo at example dot com", MARKS),
        ("Mike Alpha Romeo Kilo at example dot com", MARKS),
        ("mark with a k at example dot com", MARKS),
        ("marc with a k at example dot com", MARKS),
        ("mark at E X A M P L E dot com", MARKS),
        ("Mark at sign example period com", MARKS),
        ("mark dot smith at gmail", "mark.smith@gmail.com"),
        ("mark.smith at g mail dot com", "mark.smith@gmail.com"),
        ("Mark dot Smith at Gmail.com", "mark.smith@gmail.com"),
        ("jane doe at hot mail dot com", "janedoe@hotmail.com"),
        ("jane underscore doe at yahoo dot co dot uk", "jane_doe@yahoo.co.uk"),
        ("jane dash doe at out look dot com", "jane-doe@outlook.com"),
        ("mark two at example dot com", "mark2@example.com"),
        ("mark seventy seven at example dot com", "mark77@example.com"),
        ("mark one nine eight four at example dot com", "mark1984@example.com"),
        ("double you i l at example dot com", "wil@example.com"),
        ("info at my dash company dot org", "info@my-company.org"),
    ],
)
async def test_an_email_address_is_read_as_it_was_meant_and_back(heard: str, address: str) -> None:
    talk = await asked_for_email()
    reply = await talk.say(heard)
    assert (talk.value("email"), talk.known["email"].confirmed) == (address, False)
    local = address.partition("@")[0]
    assert ", ".join({".": "dot", "_": "underscore", "-": "dash"}.get(sign, sign) for sign in local) in reply
    assert "@" not in reply
    await talk.say("yes")
    assert (talk.value("email"), talk.known["email"].confirmed) == (address, True)


@pytest.mark.parametrize(
    "agreed",
    ["yes", "Yeah.", "yep that's right", "um yes", "yes yes", "Correct.", "that's correct thank you", "exactly",
     "yes it is", "okay", "Yes, mark at example dot com.", "right", "uh yeah that's right",
     "? Yes, that's right.", ". yes"],
)  # fmt: skip
async def test_a_yes_however_it_is_said_confirms(agreed: str) -> None:
    talk = await asked_for_email()
    await talk.say("mark at example dot com")
    await talk.say(agreed)
    assert (talk.value("email"), talk.known["email"].confirmed) == (MARKS, True)


@pytest.mark.parametrize(
    ("first", "correction", "address"),
    [
        ("marc at example dot com", "no it's mark with a k", MARKS),
        ("marc at example dot com", "nope that's wrong it's mark with a k", MARKS),
        ("marc at example dot com", "No. M A R K.", MARKS),
        ("marc at example dot com", "no, m as in mike, a as in alpha, r as in romeo, k as in kilo", MARKS),
        ("marc at example dot com", "no mike alpha romeo kilo", MARKS),
        ("marc at example dot com", "no mark at example dot com", MARKS),
        ("marc at example dot com", "wrong, it is mark at example dot com", MARKS),
        ("mark at example dot org", "no it's example dot com", MARKS),
        ("mark at example dot org", "no, dot com... no, mark at example dot com", MARKS),
        ("market at example dot com", "no it's mark", MARKS),
        ("jane dot smith at example dot com", "no it's smyth with a y", "jane.smyth@example.com"),
        ("jane dot smith at example dot com", "no S M Y T H", "jane.smyth@example.com"),
        ("jane dot smith at example dot com", "no j a n e dot s m y t h", "jane.smyth@example.com"),
        ("el dot stone at example dot com", "no lima dot sierra tango oscar november echo", "l.stone@example.com"),
    ],
)
async def test_a_correction_replaces_what_was_heard_and_is_read_back_too(
    first: str, correction: str, address: str
) -> None:
    talk = await asked_for_email()
    await talk.say(first)
    reply = await talk.say(correction)
    assert "Is that right?" in reply
    assert (talk.value("email"), talk.known["email"].confirmed) == (address, False)
    await talk.say("yes")
    assert talk.known["email"].confirmed


@pytest.mark.parametrize("other", ["Skip.", "Next Tuesday at three p.m.", "tomorrow at ten", "What times do you have?"])
async def test_what_is_no_answer_to_the_read_back_changes_nothing(other: str) -> None:
    talk = await asked_for_email()
    await talk.say("mark at example dot com")
    await talk.say(other)
    assert (talk.value("email"), talk.known["email"].confirmed) == (MARKS, False)


@pytest.mark.parametrize(
    "refused", ["no", "Nope.", "that's wrong", "no that's not right", "wrong", "not quite", "uh no"]
)
async def test_a_no_takes_the_address_back(refused: str) -> None:
    talk = await asked_for_email()
    await talk.say("market example dot com")
    assert "once more" in await talk.say(refused)
    assert talk.value("email") is None


async def test_a_goodbye_agrees_to_nothing() -> None:
    talk = await asked_for_email()
    await talk.say("market example dot com")
    await talk.say("okay goodbye")
    assert talk.ended
    assert not talk.known["email"].confirmed


async def test_after_two_failed_tries_it_is_spelt_and_the_domain_is_kept() -> None:
    talk = await asked_for_email()
    await talk.say("marc at example dot com")
    await talk.say("no")
    await talk.say("marc at example dot com")
    assert "letter by letter" in await talk.say("no")
    await talk.say("M A R K")
    await talk.say("yes")
    assert (talk.value("email"), talk.known["email"].confirmed) == (MARKS, True)


async def test_an_optional_address_that_stays_wrong_may_be_left_out() -> None:
    talk = call(AgentDefinition(name="Agent", variables=(replace(EMAIL, required=False),)))
    await talk.say("hello")
    for _ in range(2):
        await talk.say("marc at example dot com")
        assert "skip" not in await talk.say("no")
    await talk.say("marc at example dot com")
    assert "skip" in await talk.say("no")
    assert "Is that right" not in await talk.say("skip")
    assert talk.value("email") is None


@pytest.mark.parametrize(
    ("heard", "number"),
    [
        ("two oh two five five five oh one two four", "+12025550124"),
        ("202 555 0124", "+12025550124"),
        ("(202) 555-0124.", "+12025550124"),
        ("two zero two, five five five, zero one two four", "+12025550124"),
        ("um it's two oh two triple five oh one to for", "+12025550124"),
        ("plus one two oh two five five five oh one two four", "+12025550124"),
    ],
)
async def test_a_phone_number_is_read_back_digit_by_digit(heard: str, number: str) -> None:
    talk = on_the_phone(with_jon())
    for said in ("12 Oak Street, Springfield", MARKS, "yes"):
        await talk.say(said)
    assert "2 0 2, 5 5 5, 0 1 2 4. Is that right?" in await talk.say(heard)
    assert "once more" in await talk.say("no")
    assert talk.value("phone") is None
    await talk.say(heard)
    await talk.say("yes")
    assert (talk.value("phone"), talk.known["phone"].confirmed) == (number, True)


@pytest.mark.parametrize(
    "heard", ["AB 792", "a B792", "A B seven nine two", "alpha bravo seven nine two", "it's ab792"]
)
async def test_an_id_is_read_back_letter_by_letter(heard: str) -> None:
    talk = call(SUPPORT)
    await talk.say("hi")
    assert "A B 7 9 2. Is that right?" in await talk.say(heard)
    assert "once more" in await talk.say("no")
    await talk.say("A B 7 9 3")
    await talk.say("yes")
    assert talk.value("order_id") == "AB793"


async def test_what_is_typed_is_read_back_at_the_end_as_ever() -> None:
    talk = Talk(AgentDefinition(name="Agent", variables=(EMAIL,)))
    await talk.say("hello")
    reply = await talk.say(MARKS)
    assert f"the email is {MARKS}" in reply


async def test_a_call_began_with_the_greeting() -> None:
    typed, spoken = with_mark(), on_the_phone(with_mark())
    assert (await typed.say("hello")).startswith(MARK.greeting)
    reply = await spoken.say("hello")
    assert MARK.greeting not in reply
    assert "address of the property" in reply


async def test_no_more_than_three_times_are_said() -> None:
    talk = on_the_phone(with_mark())
    await talk.say("what times do you have on Tuesday")
    assert len(talk.state["offers"]) == 3


@pytest.mark.parametrize(
    "bye",
    ["bye", "Goodbye.", "thanks, that's all, goodbye", "nothing else thank you", "no that's all",
     "that's everything thanks", "no that will be all", "um bye bye", "thank you bye"],
)  # fmt: skip
async def test_a_goodbye_ends_and_says_that_nothing_was_booked(bye: str) -> None:
    talk = on_the_phone(with_mark())
    await talk.say(HOUSE)
    assert not talk.ended
    reply = await talk.say(bye)
    assert talk.ended
    assert "Nothing is booked" in reply
    assert not talk.called("set_appointment")


@pytest.mark.parametrize("done", ["no", "no thank you", "nope", "no thanks that's all", "thank you goodbye", "bye"])
async def test_a_caller_who_needs_nothing_more_is_done(done: str) -> None:
    talk = on_the_phone(with_mark())
    for said in (HOUSE, MARKS, "yes", "skip", "yes", "Tuesday at 3 pm"):
        await talk.say(said)
        assert not talk.ended
    assert talk.called("set_appointment")
    reply = await talk.say(done)
    assert talk.ended
    assert "oodbye" in reply
    assert "Nothing" not in reply


@pytest.mark.parametrize("going_on", ["thank you", "when is my appointment", "hello", "can you move it"])
async def test_what_is_no_goodbye_does_not_end(going_on: str) -> None:
    talk = on_the_phone(with_mark())
    for said in (HOUSE, MARKS, "yes", "skip", "yes", "Tuesday at 3 pm"):
        await talk.say(said)
    await talk.say(going_on)
    assert not talk.ended


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("um I I'd like to to sell my my house", "I I'd like to sell my house"),
        ("at three P. M. on Tuesday", "at three pm on Tuesday"),
        ("5 5 5 to for 1 2", "5 5 5 two four 1 2"),
        ("nine to five", "nine to five"),
        ("between 2 to 4 pm", "between 2 to 4 pm"),
        ("double you", "w"),
        ("five oh one", "five zero one"),
        ("I want to go for a walk", "I want to go for a walk"),
    ],
)
def test_only_what_nobody_meant_is_taken_out(heard: str, meant: str) -> None:
    assert tidy(heard) == meant


@pytest.mark.parametrize(
    ("heard", "joined"),
    [
        ("m a r k", "mark"), ("M-A-R-K", "mark"), ("golf papa x-ray", "gpx"), ("I am here", "I am here"),
        ("are you there", "are you there"), ("Mike and Charlie", "Mike and Charlie"), ("a b", "a b"),
        ("see you at 5", "see you at 5"), ("k 7 q f", "k7qf"),
    ],
)  # fmt: skip
def test_words_are_put_together_only_where_they_were_spelt(heard: str, joined: str) -> None:
    assert letters(heard) == joined


@pytest.mark.parametrize("words", ["room 5", "2020", "it's fine", "3 pm", "12 Oak Street", "yes", ""])
def test_what_is_no_id_is_none(words: str) -> None:
    assert code(words) == ""


async def test_the_code_of_a_booking_is_understood_as_it_is_said() -> None:
    function = Function("cancel_appointment")
    talk = Talk(
        AgentDefinition(name="Agent", functions=(function,)),
        {
            "cancel_appointment": lambda arguments: {
                "status": "cancelled" if "booking_reference" in arguments else "not_found"
            }
        },
        channel="voice",
    )
    await talk.say("please cancel my appointment")
    assert "code" in await talk.say("yes")
    await talk.say("K seven Q F, two nine M D, four X")
    assert talk.called("cancel_appointment")[-1]["booking_reference"] == "K7QF-29MD-4X"
