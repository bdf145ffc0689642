"""The types that come with Tenantry, each in a conversation that needs no model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tenantry.agent_files.agent_file import read_agent_files, write_agent_file
from tenantry.agent_files.built_in_types import built_in_types
from tenantry.domain.agent_validation import validate_definition
from tenantry.llm.typed_values import field_value
from tests.unit.llm.form_policy.talking import ZONE, Calendar, Talk

TYPES = ("automotive_sales", "interview", "onboarding", "property_seller", "rental_inquiry", "sales", "support")
# What is said, what the answer has to hold, and some of the turn fields after it.
Line = tuple[str, str, dict[str, Any]]


def test_there_is_a_file_for_each() -> None:
    assert tuple(built_in_types()) == TYPES
    assert built_in_types() is built_in_types()


@pytest.mark.parametrize("name", TYPES)
def test_each_is_complete(name: str) -> None:
    file = built_in_types()[name]
    definition = file.definition
    validate_definition(definition, ())
    assert file.head.type == name
    assert file.head.tags
    assert definition.greeting
    assert definition.personality
    assert definition.tonality
    assert definition.instructions
    assert definition.turn_fields
    assert all(variable.question and variable.description for variable in definition.variables)
    assert read_agent_files(write_agent_file(file), name) == [file]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("support", "issue_category sentiment issue_resolved escalation_needed"),
        ("sales", "sales_stage customer_intent pain_points qualification_score objections_raised"),
        ("onboarding", "onboarding_step completion_percentage user_understanding next_step"),
        ("interview", "interview_stage credibility_score red_flags voice_instructions"),
    ],
)
def test_the_turn_schemas_that_were_asked_for(name: str, fields: str) -> None:
    turn_fields = built_in_types()[name].definition.turn_fields
    assert [field.name for field in turn_fields] == fields.split()
    ranges = {field.name: (field.minimum, field.maximum) for field in turn_fields if field.minimum is not None}
    assert ranges.get("qualification_score", (0, 100)) == (0, 100)
    assert ranges.get("credibility_score", (1, 10)) == (1, 10)


async def _converse(name: str, lines: Sequence[Line]) -> Talk:
    """The whole conversation, every answer and field as expected and every field valid."""
    definition = replace(built_in_types()[name].definition, time_zone=ZONE)
    enabled = {function.name for function in definition.functions}
    talk = Talk(definition, {name: tool for name, tool in Calendar().tools().items() if name in enabled})
    for said, answered, fields in lines:
        reply = await talk.say(said)
        assert answered in reply, said
        assert {key: talk.fields.get(key) for key in fields} == fields, said
        for field in definition.turn_fields:
            if field.name in talk.fields:
                assert field_value(field, talk.fields[field.name]) == talk.fields[field.name], said
    assert len(talk.fields) == len(definition.turn_fields), "at the end every field is told"
    return talk


async def test_support() -> None:
    talk = await _converse(
        "support",
        [
            (
                "Hi, I was charged twice for my subscription this month and nobody answers me",
                "Is it about billing, a technical problem",
                {"sentiment": "negative", "issue_resolved": False, "escalation_needed": False},
            ),
            ("billing", "May I have your name?", {"issue_category": "billing"}),
            (
                "This is ridiculous, I want to talk to a real person",
                "Your wish to speak with a person is on record. May I have your name?",
                {"sentiment": "negative", "escalation_needed": True},
            ),
            ("my name is Ana Ruiz", "Which e-mail address", {"sentiment": "neutral"}),
            ("ana.ruiz@example.com", "order or customer number", {"issue_category": "billing"}),
            ("it's AB-1234", "the issue category is billing; the name is Ana Ruiz; the email is ana.ruiz@", {}),
            ("yes", "that is all I need", {"issue_resolved": False}),
            (
                "Oh wait, the refund just arrived, so it's solved now. Thank you!",
                "I am glad to hear that.",
                {"sentiment": "positive", "issue_resolved": True},
            ),
            ("bye", "Goodbye", {"issue_resolved": True, "escalation_needed": False}),
        ],
    )
    assert talk.value("issue_description").startswith("I was charged twice")
    assert talk.value("order_number") == "AB-1234"


async def test_sales() -> None:
    talk = await _converse(
        "sales",
        [
            (
                "Hello, I'm looking for a tool for our support team",
                "what bothers you most",
                {"sales_stage": "discovery", "pain_points": [], "objections_raised": []},
            ),
            (
                "We lose leads because nobody answers at night",
                "Which company",
                {"pain_points": ["We lose leads because nobody answers at night"]},
            ),
            ("Acme Logistics", "How many people", {"sales_stage": "discovery"}),
            ("about 25 people", "How soon", {"sales_stage": "qualification", "qualification_score": 50}),
            ("What does it cost?", "stays on record for the team. How soon", {"qualification_score": 50}),
            (
                "this quarter, but I'm worried that it is too complicated for us",
                "Who am I talking to?",
                {"objections_raised": ["I'm worried that it is too complicated for us"]},
            ),
            ("Tom Becker", "invitation", {"sales_stage": "qualification"}),
            ("tom@acme.example", "Is there a budget", {"sales_stage": "scheduling"}),
            ("20k, anything more is too expensive", "the budget is $20,000", {"qualification_score": 100}),
            ("yes", "When would a call suit you?", {"sales_stage": "scheduling"}),
            ("Tuesday at 10 am", "booked for Tuesday, November 24 at 10:00 am", {"sales_stage": "call_booked"}),
        ],
    )
    assert talk.fields["customer_intent"] == "Hello, I'm looking for a tool for our support team"
    assert talk.fields["objections_raised"][1] == "20k, anything more is too expensive"
    assert talk.called("set_appointment")[0]["company"] == "Acme Logistics"


async def test_onboarding() -> None:
    await _converse(
        "onboarding",
        [
            ("hi", "what is your name?", {"onboarding_step": "welcome", "next_step": "Ask for the name"}),
            ("I'm Priya Shah", "your company called", {"onboarding_step": "profile", "completion_percentage": 17}),
            ("Northwind Bakery", "sign in with?", {"user_understanding": "clear"}),
            ("why do you need that?", "You will sign in with it.", {"user_understanding": "unsure"}),
            ("priya@northwind.example", "the first month?", {"onboarding_step": "goals"}),
            ("Take phone orders automatically by the end of the month", "How many people", {}),
            ("what do you mean?", "How many people", {"user_understanding": "confused"}),
            ("6", "in another system", {"completion_percentage": 67, "user_understanding": "clear"}),
            ("yes, from a spreadsheet", "Is that correct?", {"next_step": "Have the details confirmed"}),
            ("yes, that's right", "When would the first session", {"completion_percentage": 100}),
            ("what times are free on Monday?", "9:00 am, 11:00 am", {"onboarding_step": "first_session"}),
            ("the second one", "Monday, November 23 at 11:00 am", {"onboarding_step": "complete"}),
            ("great, thank you", "My pleasure!", {"next_step": "Nothing is open", "completion_percentage": 100}),
        ],
    )


async def test_interview() -> None:
    talk = await _converse(
        "interview",
        [
            ("Hello", "Which role", {"interview_stage": "introduction", "red_flags": []}),
            ("Backend engineer", "your full name", {"interview_stage": "experience", "credibility_score": 10}),
            ("Daniel Osei", "How many years", {}),
            ("7", "a piece of work that you are proud of", {"interview_stage": "experience"}),
            (
                "I led the move of our payment service to Kubernetes, designed the rollout and mentored two juniors.",
                "Why would you like to work here?",
                {"interview_stage": "motivation"},
            ),
            ("I like that you work on open source and that the team is small.", "When could you start", {}),
            ("in four weeks, after my notice period", "e-mail address", {"red_flags": []}),
            ("daniel.osei@example.com", "ask about your work?", {"interview_stage": "closing"}),
            (
                "I'd rather not say",
                "Is that correct?",
                {"red_flags": ["Did not say: reference"], "credibility_score": 9},
            ),
            ("correct", "talk to the hiring team?", {"interview_stage": "closing"}),
            ("Wednesday 2pm", "Wednesday, November 25 at 2:00 pm", {"interview_stage": "finished"}),
            ("thank you, goodbye", "goodbye", {"voice_instructions": "Warm, attentive and neutral."}),
        ],
    )
    assert talk.value("earliest_start") == "in four weeks, after my notice period"


async def test_property_seller() -> None:
    talk = await _converse(
        "property_seller",
        [
            (
                "Hi, we are thinking about selling our house at 12 Elm Street, Springfield",
                "the property address 12 Elm Street, Springfield and the property type house. How soon",
                {"listing_stage": "about_the_property", "objections_raised": []},
            ),
            (
                "this year. I'm not sure it is worth it right now though",
                "What is your name?",
                {"timeline": "this year", "objections_raised": ["I'm not sure it is worth it right now though"]},
            ),
            ("Maria Keller", "e-mail address", {"listing_stage": "about_the_owner"}),
            ("maria.keller@example.com", "phone number", {"next_step": "Ask for the phone"}),
            ("415 555 0132", "How many bedrooms", {"listing_stage": "arranging_the_visit"}),
            ("four", "an asking price", {}),
            ("around 450k", "Is that correct?", {}),
            ("no, the phone number is 415 555 0133", "(415) 555-0133. When may we come", {}),
            ("next Tuesday afternoon", "Tuesday, November 24 at 12:00 pm, 1:00 pm", {}),
            ("2 pm", "booked for Tuesday, November 24 at 2:00 pm", {"listing_stage": "visit_booked"}),
            ("Can we move it to Wednesday at 11?", "Wednesday, November 25 at 11:00 am", {"timeline": "this year"}),
            ("perfect, thanks", "You're welcome!", {"sentiment": "positive", "listing_stage": "visit_booked"}),
        ],
    )
    assert talk.value("bedrooms") == 4
    assert talk.value("visit_time") == "2026-11-25T11:00"


async def test_rental_inquiry() -> None:
    talk = await _converse(
        "rental_inquiry",
        [
            (
                "Hello, I'm looking for a two bedroom apartment near the river",
                "the bedrooms 2",
                {"inquiry_stage": "what_is_wanted", "qualification_score": 22},
            ),
            ("up to 1800 dollars", "From which date", {}),
            ("January 1st", "How many people", {"inquiry_stage": "about_the_renter"}),
            ("two adults and a child, so 3", "did not catch that. How many people", {}),
            ("3", "What is your name?", {"next_step": "Ask for the name"}),
            ("Sam Lee", "e-mail address", {"escalation_needed": False}),
            ("sam.lee@example.com", "phone number", {}),
            ("212 555 0147", "pets?", {"inquiry_stage": "arranging_the_viewing"}),
            ("no pets", "pets: no", {"qualification_score": 100}),
            ("no, the rent is 1900", "$1,900. When would a viewing suit you?", {}),
            ("when can I see one?", "Monday, November 23 at 9:00 am, 11:00 am", {}),
            ("the first one", "booked for Monday, November 23 at 9:00 am", {"inquiry_stage": "viewing_booked"}),
            ("great!", "All is set", {"sentiment": "positive", "next_step": "Nothing is open"}),
        ],
    )
    assert (talk.value("bedrooms"), talk.value("occupants")) == (2, 3)
    assert talk.called("set_appointment")[0]["monthly_rent"] == {"amount": 1900, "currency": "USD"}


async def test_automotive_sales() -> None:
    talk = await _converse(
        "automotive_sales",
        [
            (
                "Good morning, I want something for a family of five that is cheap to run",
                "Should it be new, used",
                {"sales_stage": "finding_the_car", "objections_raised": []},
            ),
            ("used", "a car to trade in?", {"sales_stage": "finding_the_car"}),
            ("yes, an old Golf", "What is your name?", {"trade_in": True, "sales_stage": "about_the_customer"}),
            (
                "That sounds too expensive for me, I need to think about it",
                "I have noted it for the team. What is your name?",
                {"objections_raised": ["That sounds too expensive for me, I need to think about it"]},
            ),
            ("Lena Vogt", "phone number", {}),
            ("+1 415 555 0188", "price", {"sales_stage": "arranging_the_test_drive"}),
            ("up to 25k", "e-mail address", {"qualification_score": 86}),
            ("skip", "the budget is $25,000", {}),
            ("yes", "the test drive?", {}),
            ("Saturday at 11", "The nearest free times are Monday, November 30", {}),
            ("Monday at 11 then", "Monday, November 30 at 11:00 am", {"sales_stage": "test_drive_booked"}),
            ("thanks", "You're welcome!", {"trade_in": True}),
        ],
    )
    assert talk.fields["vehicle_interest"] == "I want something for a family of five that is cheap to run"
