"""What the form policy remembers between messages, besides the values themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from typing import Any, Literal, get_type_hints

import msgspec

from tenantry.llm.form_policy.language import When

VERSION = 1

Expecting = Literal["", "variable", "check", "confirm", "correction", "slot", "cancel", "retry", "code"]


@dataclass(slots=True)
class Wish:
    """A wanted time as far as it is known; days and times in ISO form."""

    day: str = ""
    last_day: str = ""
    at: str = ""
    earliest: str = ""
    latest: str = ""

    @property
    def start(self) -> str:
        """The moment as wall time, empty while day or time is open."""
        return f"{self.day}T{self.at}" if self.day and self.at and not self.last_day else ""

    @property
    def empty(self) -> bool:
        """Whether nothing is known."""
        return not (self.day or self.at or self.earliest or self.latest)

    def merge(self, when: When) -> None:
        """Take over what `when` says; a new day keeps the time of before, a new time the day."""
        if when.day:
            self.day, self.last_day = when.day.isoformat(), when.last_day.isoformat() if when.last_day else ""
        if when.at:
            self.at, self.earliest, self.latest = _hhmm(when.at), "", ""
        elif when.earliest or when.latest:
            self.at = ""
            self.earliest = _hhmm(when.earliest) if when.earliest else ""
            self.latest = _hhmm(when.latest) if when.latest else ""

    def date(self) -> date | None:
        """The one day wanted, or the first of several."""
        return date.fromisoformat(self.day) if self.day else None

    def fits(self, slot: datetime) -> bool:
        """Whether a free slot is what was wished for."""
        day, at = slot.date().isoformat(), _hhmm(slot.time())
        if self.day and not self.day <= day <= (self.last_day or self.day):
            return False
        if self.at:
            return at == self.at
        return (not self.earliest or self.earliest <= at) and (not self.latest or at < self.latest)


def _hhmm(at: time) -> str:
    return at.strftime("%H:%M")


@dataclass(slots=True)
class Appointment:
    """The appointment that this conversation made; `start` is wall time in `time_zone`."""

    booking_id: str = ""
    start: str = ""
    time_zone: str = ""


@dataclass(slots=True)
class DialogueState:
    """`asked` is the variable asked for last, `misses` how often its answers were not understood, `offered` the
    optional ones asked, `confirming` those being read back, `offers` free slots told last, `moving` whether the wanted
    time is for the appointment that is there, `called` what tools were called with, `partial` half an answer to
    `asked`, `reference` the code of an appointment that the contact gave, `zone` the zone of all wall times,
    `failed` how often a value that has to be right to the letter was heard wrong."""

    expecting: Expecting = ""
    asked: str = ""
    misses: int = 0
    turns: int = 0
    calls: int = 0
    offered: list[str] = field(default_factory=list[str])
    confirming: list[str] = field(default_factory=list[str])
    partial: str = ""
    wanted: Wish = field(default_factory=Wish)
    offers: list[str] = field(default_factory=list[str])
    searched: bool = False
    moving: bool = False
    done: bool = False
    appointment: Appointment | None = None
    called: dict[str, str] = field(default_factory=dict[str, str])
    read_back: bool = False
    reference: str = ""
    zone: str = ""
    failed: dict[str, int] = field(default_factory=dict[str, int])


_HINTS = get_type_hints(DialogueState)


def load_state(saved: Mapping[str, Any]) -> DialogueState:
    """The state that was saved; what is missing or not of this version's form is as at the start."""
    if saved.get("version") != VERSION:
        return DialogueState()
    try:
        state = msgspec.convert(saved, DialogueState)
    except msgspec.ValidationError:
        state = _what_fits(saved)
    wish = state.wanted
    if not all(_reads(date.fromisoformat, iso) for iso in (wish.day, wish.last_day)) or not all(
        _reads(time.fromisoformat, iso) for iso in (wish.at, wish.earliest, wish.latest)
    ):
        state.wanted = Wish()
    state.offers = [offer for offer in state.offers if offer and _reads(datetime.fromisoformat, offer)]
    if state.appointment and not (state.appointment.start and _reads(datetime.fromisoformat, state.appointment.start)):
        state.appointment = None
    return state


def _what_fits(saved: Mapping[str, Any]) -> DialogueState:
    state = DialogueState()
    for entry in fields(DialogueState):
        if entry.name in saved:
            try:
                setattr(state, entry.name, msgspec.convert(saved[entry.name], _HINTS[entry.name]))
            except msgspec.ValidationError:
                continue
    return state


def _reads(read: Callable[[str], object], text: str) -> bool:
    """Whether a text is empty or of the form that `read` wants."""
    try:
        if text:
            read(text)
    except ValueError:
        return False
    return True


def save_state(state: DialogueState) -> dict[str, Any]:
    """JSON values only."""
    return {"version": VERSION, **msgspec.to_builtins(state)}
