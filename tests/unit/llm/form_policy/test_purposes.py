"""Whom a message asks to be handed over to."""

import pytest

from tenantry.llm.form_policy.languages.en.purposes import asked_purpose

PURPOSES = ("sales", "human", "property_sale")


@pytest.mark.parametrize(
    ("text", "purpose"),
    [
        ("put me through to sales", "sales"),
        ("I want to talk to sales about a discount", "sales"),
        ("Can you please transfer me to your sales team?", "sales"),
        ("No. I need the sales department", "sales"),
        ("can i talk to someone from sales?", "sales"),
        ("hello, connect me with property sale", "property_sale"),
        ("I want to speak to a real person", "human"),
        ("I bought from your sales team last year", None),
        ("I was told to talk to sales and nobody answered", None),
        ("my sales are down", None),
        ("I want to sell my house", None),
        ("sales", None),
    ],
)
def test_a_purpose_is_asked_for_with_words_that_ask(text: str, purpose: str | None) -> None:
    assert asked_purpose(text, PURPOSES, False) == purpose


@pytest.mark.parametrize(("text", "purpose"), [("sales please", "sales"), ("Sales", "sales"), ("ok", None)])
def test_where_no_answer_is_waited_for_its_name_is_enough(text: str, purpose: str | None) -> None:
    assert asked_purpose(text, PURPOSES, True) == purpose


def test_a_person_is_nobody_where_no_purpose_means_one() -> None:
    assert asked_purpose("I want to speak to a real person", ("sales",), True) is None
