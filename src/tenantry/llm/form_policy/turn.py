"""One step of the form policy while it is being thought out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from tenantry.domain.agent import Variable, VariableType
from tenantry.domain.conversation import VOICE
from tenantry.domain.tools import ToolCallRequest
from tenantry.domain.values import VariableValue
from tenantry.domain.wall_time import ZONES
from tenantry.llm.base import (
    ConversationEnded,
    ModelEvent,
    ModelRequest,
    QuickReplies,
    StateSaved,
    TextDelta,
    VariableNoted,
)
from tenantry.llm.form_policy.language import Clock, Language
from tenantry.llm.form_policy.languages import load_language
from tenantry.llm.form_policy.readers.amounts import say_money
from tenantry.llm.form_policy.readers.contacts import say_phone
from tenantry.llm.form_policy.state import DialogueState, Wish, load_state, save_state

_MONTH_FIRST = frozenset({"US", "PH", "PR", "GU"})
_LONGEST_SHOWN = 160
_SHORT = frozenset({VariableType.YES_NO, VariableType.NUMBER, VariableType.TEXT})
_MAX_QUICK_REPLIES = 10

SET = "set_appointment"
CHECK = "check_availability"
MOVE = "reschedule_appointment"
CANCEL = "cancel_appointment"
HAND_OFF = "hand_off"
APPOINTMENT_TOOLS = frozenset({SET, CHECK, MOVE, CANCEL})


class Turn:
    """What is known, and what is to be said, noted and called in this step. `spoken` tells that the contact speaks and
    hears; `ended` that they are done."""

    def __init__(self, request: ModelRequest) -> None:
        self.request = request
        self.agent = request.agent
        self.language: Language = load_language(request.agent.language)
        self.state: DialogueState = load_state(request.state)
        self.known: dict[str, VariableValue] = dict(request.known)
        self.tools = frozenset(tool.name for tool in request.tools)
        self.day_first = request.agent.region not in _MONTH_FIRST
        self.owners_zone = ZoneInfo(request.agent.time_zone)
        self.zone = ZoneInfo(request.contact_time_zone) if request.contact_time_zone else self.owners_zone
        self._settle_zone()
        self.clock = Clock(request.now.astimezone(self.zone), request.agent.business_hours, self.day_first)
        self.lines: list[str] = []
        self.quick: tuple[str, ...] = ()
        self.call: ToolCallRequest | None = None
        self.progress = False
        self.spoken = request.channel == VOICE
        self.ended = False
        self._notes: dict[str, VariableValue | None] = {}

    def _settle_zone(self) -> None:
        """Wall times are the contact's; those that were said in another zone of theirs do not hold any more."""
        state, zone = self.state, self.zone.key
        if state.zone not in {"", zone}:
            state.wanted, state.offers = Wish(), []
        if (booked := state.appointment) and booked.time_zone in ZONES and booked.time_zone != zone:
            start = wall_time(booked.start).replace(tzinfo=ZoneInfo(booked.time_zone)).astimezone(self.zone)
            state.appointment = replace(booked, start=f"{start:%Y-%m-%dT%H:%M}", time_zone=zone)
        state.zone = zone

    # What is known

    @property
    def required(self) -> Iterator[Variable]:
        """The required variables that are asked for one by one."""
        return (v for v in self.agent.variables if v.required and v.name not in self.slot_names)

    @cached_property
    def slot_names(self) -> frozenset[str]:
        """The variables that are the wanted time of the appointment: a date with time, or a date and a time."""
        if SET not in self.tools:
            return frozenset()
        function = next((f for f in self.agent.enabled_functions() if f.name == SET), None)
        listed = [v for name in (function.variables if function else ()) if (v := self.agent.variable(name))]
        moments = [v.name for v in listed if v.type is VariableType.DATETIME]
        if moments:
            return frozenset(moments[:1])
        days = [v.name for v in listed if v.type is VariableType.DATE]
        times = [v.name for v in listed if v.type is VariableType.TIME]
        return frozenset((days[0], times[0])) if days and times else frozenset()

    def unconfirmed(self) -> list[Variable]:
        """The noted values that were not read back yet."""
        return [v for v in self.agent.variables if v.name in self.known and not self.known[v.name].confirmed]

    def exact(self, variable: Variable, value: Any) -> bool:
        """Whether a value was heard that has to be right to the letter: what the contact is reached by, and ids."""
        if variable.type is VariableType.TEXT:
            return self.spoken and isinstance(value, str) and self.language.speech.code(value) == value
        return self.spoken and variable.type in {VariableType.EMAIL, VariableType.PHONE}

    @property
    def checking(self) -> Variable | None:
        """The noted value that was just read back by itself."""
        asked = self.agent.variable(self.state.asked) if self.state.expecting == "check" else None
        return asked if asked is not None and asked.name in self.known else None

    # What is noted

    def note(self, variable: Variable, value: Any, heard: str, *, confirmed: bool) -> None:
        """Note a value."""
        noted = VariableValue(value, heard[:_LONGEST_SHOWN], confirmed)
        if self.known.get(variable.name) != noted:
            self.known[variable.name] = noted
            self._notes[variable.name] = noted
        self.progress = True

    def confirm(self, names: Iterable[str]) -> None:
        """The contact agreed to these values."""
        for name in names:
            noted = self.known.get(name)
            if noted and not noted.confirmed:
                self.known[name] = self._notes[name] = VariableValue(noted.value, noted.heard)

    def take_back(self, name: str) -> None:
        """Forget a value."""
        if self.known.pop(name, None) is not None:
            self._notes[name] = None

    # What is said

    def phrase(self, key: str, index: int = 0, **values: str) -> str:
        """A phrase of the language; its phrasings take turns with `index`."""
        phrasings = self.language.phrases[key]
        return phrasings[index % len(phrasings)].format(**values)

    def say(self, key: str, index: int = 0, **values: str) -> None:
        """Say a phrase."""
        self.lines.append(self.phrase(key, index, **values))

    def rotate(self, key: str, **values: str) -> None:
        """Say a phrase in the next of its phrasings, so that it is not the same every time."""
        self.say(key, self.state.turns, **values)

    def offer_replies(self, *choices: str) -> None:
        """Short answers to choose from."""
        self.quick = tuple(dict.fromkeys(choices))[:_MAX_QUICK_REPLIES]

    def show(self, variable: Variable, value: Any) -> str:
        """A value as one would say it."""
        region = self.agent.region
        match variable.type, value:
            case VariableType.MONEY, {"amount": int() | float() as amount, **rest}:
                currency = rest.get("currency")
                return self.show_money(amount, currency if isinstance(currency, str) else None)
            case VariableType.PHONE, str():
                return say_phone(value, region)
            case VariableType.YES_NO, bool():
                return self.phrase("yes_value" if value else "no_value")
            case VariableType.DATE, str():
                return self._show_iso(value)
            case VariableType.TIME, str():
                return self._show_iso(f"1970-01-01T{value}", day=False)
            case VariableType.DATETIME, str():
                return self._show_iso(value)
            case _:
                text = str(value)
                return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1].rstrip() + "…"

    def show_money(self, amount: float, currency: str | None) -> str:
        """An amount with its currency."""
        return say_money(amount, currency)

    def _show_iso(self, iso: str, *, day: bool = True) -> str:
        try:
            moment = datetime.fromisoformat(iso)
        except ValueError:
            return iso
        if not day:
            return self.say_time(moment.time())
        return self.say_moment(moment) if "T" in iso else self.say_day(moment.date())

    def say_day(self, day: date) -> str:
        """A day in words."""
        return self.language.say_day(day, self.day_first, self.clock.now.date())

    def say_time(self, at: time) -> str:
        """A time of day in words."""
        return self.language.say_time(at, self.agent.region)

    def say_moment(self, moment: datetime) -> str:
        """ "Tuesday 24 November at 3:00 pm"."""
        return self.phrase("at", day=self.say_day(moment.date()), time=self.say_time(moment.time()))

    def owners_time(self, moment: datetime) -> datetime:
        """The wall time that it is in the agent's zone at this one of the contact's."""
        return moment.replace(tzinfo=self.zone).astimezone(self.owners_zone).replace(tzinfo=None)

    def say_both(self, moment: datetime) -> str:
        """As `say_moment`; for a contact in another zone than the agent's, in both."""
        return self.beside_owners(self.say_moment(moment), [moment])

    def beside_owners(self, said: str, moments: Sequence[datetime]) -> str:
        """Times of one day as they were `said`; for a contact in another zone than the agent's, with what they are
        there: "… at 3:00 pm your time (America/New_York), 9:00 pm Berlin time"."""
        if self.zone.key == self.owners_zone.key:
            return said
        there = [(moment, self.owners_time(moment)) for moment in moments]
        times = [
            self.say_time(theirs.time()) if theirs.date() == moment.date() else self.say_moment(theirs)
            for moment, theirs in there
        ]
        zone = self.language.say_zone(self.owners_zone.key)
        return self.phrase("both_zones", when=said, zone=self.zone.key, there=self.language.either(times), owners=zone)

    def say_start(self, start: str) -> str:
        """ "on Tuesday 24 November at 3:00 pm", of a wall time."""
        return self.phrase("on_day", day=self.say_both(wall_time(start)))

    def say_wish(self, wish: Wish) -> str:
        """A wish as far as it goes."""
        if wish.start:
            return self.say_start(wish.start)
        if wish.day and wish.last_day:
            first, last = date.fromisoformat(wish.day), date.fromisoformat(wish.last_day)
            return self.phrase("between_days", day=self.say_day(first), last=self.say_day(last))
        if wish.day:
            return self.phrase("on_day", day=self.say_day(date.fromisoformat(wish.day)))
        return (
            self.phrase("at_time", time=self.say_time(time.fromisoformat(wish.at))) if wish.at else self.phrase("then")
        )

    def describe(self, variable: Variable) -> str:
        """ "the email is jane@example.com", of a noted value."""
        value = self.show(variable, self.known[variable.name].value)
        key = "is_short" if variable.type in _SHORT else "is"
        return self.phrase(key, label=variable.label, value=value)

    def question(self, variable: Variable) -> str:
        """The agent's own question, else the language's."""
        return variable.question.strip() or self.language.question(variable)

    # What comes of it

    def ask_tool(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Call a tool of the owner; nothing else is done in this step."""
        self.state.calls += 1
        self.call = ToolCallRequest(f"form-{self.state.calls}", name, {"user_id": self.request.user_id, **arguments})

    def events(self) -> Iterator[ModelEvent]:
        """The step as events."""
        for name, value in self._notes.items():
            yield VariableNoted(name, value)
        if self.lines:
            yield TextDelta(" ".join(self.lines) + (" " if self.call else ""))
        if self.quick and self.call is None:
            yield QuickReplies(self.quick)
        yield StateSaved(save_state(self.state))
        if self.ended:
            yield ConversationEnded()
        if self.call is not None:
            yield self.call


def wall_time(moment: str) -> datetime:
    """The wall time of an ISO moment, without its offset.

    Raises ValueError for a text that is no moment.
    """
    return datetime.fromisoformat(moment).replace(tzinfo=None)
