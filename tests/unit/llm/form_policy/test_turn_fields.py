"""Turn fields that are told without a model."""

from dataclasses import replace
from typing import Any

import pytest

from tenantry.domain.agent import AgentDefinition, TurnField, TurnFieldType, Variable, VariableType
from tests.unit.llm.form_policy.talking import ADDRESS, CALENDAR_TOOLS, EMAIL, JON, PHONE, PRICE, Calendar, Talk

CATEGORY = TurnField(
    "issue_category", TurnFieldType.CHOICE, choices=("billing", "technical_issue", "Order", "Re-order")
)
TOPICS = TurnField("topics", TurnFieldType.LIST, choices=("late_delivery", "price", "refund"))
COMPLETION = TurnField("completion_percentage", TurnFieldType.NUMBER, minimum=0, maximum=100)
ESCALATION = TurnField("escalation_needed", TurnFieldType.YES_NO)


def _agent(*fields: TurnField, **more: Any) -> AgentDefinition:
    return AgentDefinition(name="Help", turn_fields=fields, **more)


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("It is about BILLING.", "billing"),
        ("I have a technical issue", "technical_issue"),
        ("two technical issues", "technical_issue"),
        ("a re-order, please", "Re-order"),
        ("my orders", "Order"),
        ("the biller called", None),
        ("billings_department", None),
        ("a technical question, an issue", None),
        ("billing or a technical issue", None),
        ("", None),
    ],
)
async def test_a_choice_that_is_named(said: str, category: str | None) -> None:
    talk = Talk(_agent(CATEGORY))
    await talk.say(said)
    assert talk.fields.get("issue_category") == category
    assert ("issue_category" in talk.fields) is (category is not None)


@pytest.mark.parametrize(
    ("said", "topics"),
    [
        ("A refund for the late delivery", ["refund", "late_delivery"]),
        ("price, price and price", ["price"]),
        ("nothing of it", None),
    ],
)
async def test_a_list_holds_all_that_are_named(said: str, topics: list[str] | None) -> None:
    talk = Talk(_agent(TOPICS))
    await talk.say(said)
    assert talk.fields.get("topics") == topics


async def test_how_much_is_known_and_confirmed() -> None:
    talk = Talk(_agent(COMPLETION, variables=(ADDRESS, EMAIL, PHONE, PRICE)))
    await talk.say("hello")
    assert talk.fields == {"completion_percentage": 0}
    await talk.say("12 Elm Street, Springfield")
    assert talk.fields == {"completion_percentage": 0}
    await talk.say("jane@example.com")
    await talk.say("+1 415 555 0123")
    await talk.say("no")
    assert not all(value.confirmed for value in talk.known.values())
    await talk.say("yes, that is right")
    assert talk.fields == {"completion_percentage": 100}


@pytest.mark.parametrize(
    ("low", "high", "percent"), [(None, None, 0), (1, 10, 1), (None, -5, -5), (0.5, None, 0.5), (0, 100, 0)]
)
async def test_the_share_stays_in_its_range(low: float | None, high: float | None, percent: float) -> None:
    talk = Talk(_agent(replace(COMPLETION, minimum=low, maximum=high), variables=(EMAIL,)))
    await talk.say("hello")
    assert talk.fields == {"completion_percentage": percent}


async def test_who_asks_for_a_person() -> None:
    talk = Talk(_agent(ESCALATION))
    await talk.say("I want to talk to a human")
    assert talk.fields == {"escalation_needed": True}
    await talk.say("My order is late")
    assert talk.fields == {"escalation_needed": False}


async def test_what_cannot_be_told_is_left_out() -> None:
    others = (
        TurnField("summary", TurnFieldType.TEXT),
        TurnField("score", TurnFieldType.NUMBER, minimum=1, maximum=10),
        TurnField("resolved", TurnFieldType.YES_NO),
        TurnField("objections", TurnFieldType.LIST),
        replace(COMPLETION, name="other_percentage"),
        replace(ESCALATION, type=TurnFieldType.TEXT),
    )
    for fields in (others, (COMPLETION,), ()):
        talk = Talk(_agent(*fields))
        await talk.say("I want to talk to a human about billing")
        assert talk.fields == {}


async def test_once_a_turn_from_the_contacts_words() -> None:
    """Also where tools were called in between; what they answered is not read."""
    calendar = Calendar()
    calendar.check = lambda _: {"status": "ok", "free": [], "note": "billing"}  # pyright: ignore[reportAttributeAccessIssue]
    agent = replace(JON, variables=(), turn_fields=(CATEGORY, TOPICS))
    tools = {name: tool for name, tool in calendar.tools().items() if name in CALENDAR_TOOLS}
    talk = Talk(agent, tools)
    await talk.say("What times are free? It is about the price.")
    assert talk.called("check_availability")
    assert talk.fields == {"topics": ["price"]}
    assert talk.field_events == 1


STAGE = TurnField("sales_stage", TurnFieldType.CHOICE, choices=("new", "asking", "ready", "done"))


@pytest.mark.parametrize(
    ("choices", "stages"),
    [
        (("new", "asking", "more", "ready", "done"), ["new", "more", "more", "ready", "ready", "done"]),
        (("new", "asking", "ready", "done"), ["new", "asking", "asking", "ready", "ready", "done"]),
        (("new", "under way", "done"), ["new", "under way", "under way", "under way", "under way", "done"]),
        (("open", "done"), ["open", "open", "open", "open", "open", "done"]),
    ],
)
async def test_a_stage_follows_the_conversation(choices: tuple[str, ...], stages: list[str]) -> None:
    talk = Talk(_agent(replace(STAGE, choices=choices), variables=(ADDRESS, EMAIL, PRICE)))
    told: list[Any] = []
    for said in ("hello", "12 Elm Street, Springfield", "hm", "jane@example.com", "skip", "yes"):
        await talk.say(said)
        told.append(talk.fields["sales_stage"])
    assert told == stages


async def test_a_stage_is_not_done_before_the_appointment_nor_after_it_is_cancelled() -> None:
    talk = Talk(replace(JON, variables=(EMAIL,), functions=JON.functions, turn_fields=(STAGE,)), Calendar().tools())
    for said, told in (
        ("jane@example.com", "ready"),
        ("yes", "ready"),
        ("Tuesday at 3", "done"),
        ("cancel the appointment", "done"),
        ("yes", "ready"),
    ):
        await talk.say(said)
        assert talk.fields["sales_stage"] == told, said


@pytest.mark.parametrize(
    ("said", "sentiment"),
    [
        ("This is unacceptable", "negative"),
        ("it is still not working", "negative"),
        ("that is not great", "negative"),
        ("that is great", "positive"),
        ("thanks a lot", "positive"),
        ("great, but it is too expensive", "neutral"),
        ("twelve boxes", "neutral"),
    ],
)
async def test_sentiment_in_plain_words(said: str, sentiment: str) -> None:
    field = TurnField("sentiment", TurnFieldType.CHOICE, choices=("positive", "neutral", "negative"))
    talk = Talk(_agent(field, replace(field, name="customer_sentiment", choices=("good", "bad"))))
    await talk.say(said)
    assert talk.fields == {"sentiment": sentiment}


async def test_resolved_is_what_was_said_last() -> None:
    talk = Talk(_agent(TurnField("issue_resolved", TurnFieldType.YES_NO)))
    for said, resolved in (
        ("my phone is broken", False),
        ("it works again", True),
        ("where are you?", True),
        ("no, it still does not work", False),
        ("ok", False),
    ):
        await talk.say(said)
        assert talk.fields == {"issue_resolved": resolved}, said


async def test_a_field_has_the_value_of_its_variable_where_that_is_one() -> None:
    size, urgent = Variable("size", VariableType.NUMBER, "Size?"), Variable("urgent", VariableType.YES_NO, "Urgent?")
    topic = Variable("topic", VariableType.TEXT, "Topic?")
    fields = (
        TurnField("topic", TurnFieldType.LIST),
        TurnField("size", TurnFieldType.NUMBER, maximum=5),
        TurnField("urgent", TurnFieldType.YES_NO),
    )
    talk = Talk(_agent(*fields, variables=(topic, size, urgent)))
    await talk.say("hello")
    assert talk.fields == {"topic": []}
    for said in ("the bill", "4", "yes"):
        await talk.say(said)
    assert talk.fields == {"topic": ["the bill"], "size": 4, "urgent": True}
    await talk.say("change the size to 6")
    assert talk.value("size") == 6
    assert talk.fields == {"topic": ["the bill"], "urgent": True}
