"""What the form policy needs of a language; each folder of `languages` gives one `Language`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from tenantry.domain.agent import OpeningHours, Variable, VariableType


class Intent(StrEnum):
    """What a message asks of the conversation itself, besides the values that it holds."""

    YES = "yes"
    NO = "no"
    SKIP = "skip"
    RECALL = "recall"
    RESTART = "restart"
    HELLO = "hello"
    BYE = "bye"
    NOTHING_ELSE = "nothing_else"  # a goodbye, unless a question was asked that it answers
    THANKS = "thanks"
    HELP = "help"
    WHO = "who"
    HOURS = "hours"
    PERSON = "person"
    TIMES = "times"
    CANCEL = "cancel"
    MOVE = "move"
    NONE_OF_THESE = "none_of_these"
    RETRY = "retry"
    CORRECTION = "correction"
    QUESTION = "question"
    PARDON = "pardon"
    GOAL = "goal"
    KEEP = "keep"
    WHY = "why"
    ANY = "any"
    DOUBT = "doubt"
    UPSET = "upset"
    PLEASED = "pleased"
    SOLVED = "solved"
    UNSOLVED = "unsolved"


@dataclass(frozen=True, slots=True)
class Found:
    """A value read at `start` up to `end` of a text."""

    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True)
class Clock:
    """What dates and times are read against: now in the contact's zone or else the agent's, the agent's opening hours,
    the order of day and month."""

    now: datetime
    hours: tuple[OpeningHours, ...]
    day_first: bool


@dataclass(frozen=True, slots=True)
class When:
    """A wish for a time, as far as it was said: a day or a span of days, a time or a part of the day. `weekday` tells
    that the day was named by its weekday alone; `spans` are the places of the text that it was read from."""

    day: date | None = None
    last_day: date | None = None
    at: time | None = None
    earliest: time | None = None
    latest: time | None = None
    weekday: bool = False
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def exact(self) -> bool:
        """Whether it names one moment."""
        return self.day is not None and self.last_day is None and self.at is not None


@dataclass(frozen=True, slots=True)
class MoneyWords:
    """How amounts are said: factors ("k", "million") and the currencies' names, all lower case."""

    factors: Mapping[str, int]
    currencies: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """What a language needs where it is spoken and heard.

    Functions: `tidy` takes out of a recognised message what nobody meant to say; `letters` puts words together that
    were spelt, however the letters were said; `email` puts right what is often misheard in an answer that is an e-mail
    address; `part_of_email` is what may be a part of one in a message, and `domain` the domain where that is one;
    `with_part` replaces in a local part what another one is most like; `code` is the id that an answer is, or empty;
    `say_exactly` says an e-mail address, a number to dial or an id so that no letter of it is mistaken.
    """

    tidy: Callable[[str], str]
    letters: Callable[[str], str]
    email: Callable[[str], str]
    part_of_email: Callable[[str], str]
    domain: Callable[[str], str]
    with_part: Callable[[str, str], str]
    code: Callable[[str], str]
    say_exactly: Callable[[VariableType, str], str]


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One language. Texts handed to its functions are at most a few thousand characters long.

    Functions: `digits` writes spoken numbers and spelt letters as one would type them; `intents` names what a message
    wants, `wants` tells it for one intent alone; `spoken_emails` finds addresses said in words (with True the text is
    nothing else); `join_letters` puts spelt words together; `addresses` finds postal addresses and `correct_address`
    changes one part of a noted address; `when` reads a wish for a time (`bare` allows a lone number, as the answer to
    "what time?"); `answer` takes what stands before and behind an answer off ("it's …, please"); `labels` are the words
    that a contact would call a variable by; `ordinal` reads "the second one" as 1 out of `count`; `word_correction`
    reads ("Springfeld", "") out of "it's Springfeld with e" and ("Oak", "Main") out of "Oak, not Main"; `asked_purpose`
    finds which of these purposes a message asks to be handed over to (with True its name alone asks for it).
    """

    code: str
    digits: Callable[[str], str]
    intents: Callable[[str], frozenset[Intent]]
    wants: Callable[[str, Intent], bool]
    spoken_emails: Callable[[str, bool], list[Found]]
    join_letters: Callable[[str], str]
    addresses: Callable[[str], list[Found]]
    tidy_address: Callable[[str], str]
    correct_address: Callable[[str, str], str | None]
    when: Callable[[str, Clock, bool], When | None]
    answer: Callable[[str, Variable], str]
    names: Callable[[str], list[Found]]
    labels: Callable[[Variable], tuple[str, ...]]
    ordinal: Callable[[str, int], int | None]
    word_correction: Callable[[str], tuple[str, str] | None]
    asked_purpose: Callable[[str, Sequence[str], bool], str | None]
    filler: frozenset[str]
    date_hint: Callable[[str], bool]
    money: MoneyWords
    speech: Speech
    phrases: Mapping[str, tuple[str, ...]]
    question: Callable[[Variable], str]
    example: Callable[[Variable], str]
    join: Callable[[list[str]], str]
    either: Callable[[list[str]], str]
    say_day: Callable[[date, bool, date], str]
    say_time: Callable[[time, str], str]
    say_slot: Callable[[datetime, bool], str]
    say_zone: Callable[[str], str]
    say_hours: Callable[[tuple[OpeningHours, ...], str], str]
