"""English."""

from tenantry.llm.form_policy.language import Language, MoneyWords, Speech
from tenantry.llm.form_policy.languages.en.addresses import addresses, correct_address, tidy_address
from tenantry.llm.form_policy.languages.en.answers import FILLER, answer, labels, names, word_correction
from tenantry.llm.form_policy.languages.en.heard import code, domain, letters, mend_email, said_part, tidy, with_part
from tenantry.llm.form_policy.languages.en.intents import intents, ordinal, wants
from tenantry.llm.form_policy.languages.en.numbers import digits
from tenantry.llm.form_policy.languages.en.phrases import PHRASES
from tenantry.llm.form_policy.languages.en.purposes import asked_purpose
from tenantry.llm.form_policy.languages.en.speech import (
    either,
    example,
    join,
    question,
    say_day,
    say_exactly,
    say_hours,
    say_slot,
    say_time,
    say_zone,
)
from tenantry.llm.form_policy.languages.en.spelling import join_letters, spoken_emails
from tenantry.llm.form_policy.languages.en.when import date_hint, when

LANGUAGE = Language(
    code="en",
    digits=digits,
    intents=intents,
    wants=wants,
    spoken_emails=spoken_emails,
    join_letters=join_letters,
    addresses=addresses,
    tidy_address=tidy_address,
    correct_address=correct_address,
    when=when,
    answer=answer,
    names=names,
    labels=labels,
    ordinal=ordinal,
    word_correction=word_correction,
    asked_purpose=asked_purpose,
    filler=FILLER,
    date_hint=date_hint,
    money=MoneyWords(
        factors={
            "k": 1_000, "thousand": 1_000, "grand": 1_000, "thou": 1_000, "m": 1_000_000, "mil": 1_000_000,
            "mill": 1_000_000, "mio": 1_000_000, "mn": 1_000_000, "million": 1_000_000, "millions": 1_000_000,
            "bn": 1_000_000_000, "billion": 1_000_000_000, "hundred": 100,
        },
        currencies={
            "usd": "USD", "dollar": "USD", "dollars": "USD", "bucks": "USD", "eur": "EUR", "euro": "EUR",
            "euros": "EUR", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "quid": "GBP", "chf": "CHF",
            "francs": "CHF", "cad": "CAD", "aud": "AUD", "yen": "JPY", "jpy": "JPY", "rupees": "INR", "inr": "INR",
        },
    ),
    speech=Speech(
        tidy=tidy,
        letters=letters,
        email=mend_email,
        part_of_email=said_part,
        domain=domain,
        with_part=with_part,
        code=code,
        say_exactly=say_exactly,
    ),
    phrases=PHRASES,
    question=question,
    example=example,
    join=join,
    either=either,
    say_day=say_day,
    say_time=say_time,
    say_slot=say_slot,
    say_zone=say_zone,
    say_hours=say_hours,
)  # fmt: skip
