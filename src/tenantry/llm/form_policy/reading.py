"""Reads all values that a message holds for the agent's variables."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tenantry.domain.agent import Variable, VariableType
from tenantry.domain.values import VariableValue
from tenantry.llm.form_policy.answers import whole_answer
from tenantry.llm.form_policy.language import Found, Intent, When
from tenantry.llm.form_policy.message import Message
from tenantry.llm.form_policy.readers.amounts import Amount, read_money, read_numbers
from tenantry.llm.form_policy.readers.choices import mentioned_choices
from tenantry.llm.form_policy.readers.contacts import Phone, read_emails, read_phones
from tenantry.llm.form_policy.slow_dates import LONGEST, parse_date
from tenantry.llm.form_policy.turn import APPOINTMENT_TOOLS, Turn

_NEAR = 34
_LIKELY_PRICE = 10_000
_LONGEST_WISH = 1_000
_MOMENTS = frozenset({VariableType.DATE, VariableType.TIME, VariableType.DATETIME})


@dataclass(frozen=True, slots=True)
class Reading:
    """A value for a variable; `spoken` when it was not typed as it is noted."""

    variable: Variable
    value: Any
    heard: str
    spoken: bool = False


@dataclass(slots=True)
class Readings:
    """What a message holds. `hint` names a phrase about a value that was begun but not complete."""

    values: list[Reading] = field(default_factory=list[Reading])
    when: When | None = None
    hint: str = ""
    partial: str = ""

    def of(self, name: str) -> Reading | None:
        """The reading for a variable."""
        return next((reading for reading in self.values if reading.variable.name == name), None)


class Reader:
    """Reads one message; what one reader took is blank for the next."""

    def __init__(self, turn: Turn, message: Message, intents: frozenset[Intent], asked: Variable | None) -> None:
        self.turn = turn
        self.message = message
        self.intents = intents
        self.asked = asked
        self.left = message.text
        self.readings = Readings()
        self._types = {variable.type for variable in turn.agent.variables}

    def read(self) -> Readings:
        """All values, then the rest as the answer to the question asked."""
        self._emails()
        self._addresses()
        self._phones()
        self._money()
        self._moment()
        self._numbers()
        self._names()
        self._choices()
        self._labelled_texts()
        if self.asked and not self.readings.of(self.asked.name):
            self._answer(self.asked)
        return self.readings

    def _emails(self) -> None:
        asked = self._is_asked(VariableType.EMAIL)
        if VariableType.EMAIL in self._types:
            if asked and self.turn.spoken:
                self._mend_email()
            source = self.left
            if asked:
                source = self.turn.language.answer(source, self.asked) if self.asked else source
            offset = max(0, self.left.find(source))
            for found in read_emails(source, self.turn.language, asked):
                place = Found(found.start + offset, found.end + offset, found.value)
                self._assign(VariableType.EMAIL, place.value, place.start, place.end)
            if asked and not self.readings.values and "@" in self.left:
                self.readings.hint = "bad_email"

    def _mend_email(self) -> None:
        mended = self.turn.language.speech.email(self.message.text)
        if read_emails(mended, self.turn.language, True):
            self.left = mended

    def _addresses(self) -> None:
        if VariableType.ADDRESS in self._types:
            for found in self.turn.language.addresses(self.left):
                self._assign(VariableType.ADDRESS, found.value, found.start, found.end)

    def _phones(self) -> None:
        if VariableType.PHONE not in self._types:
            return
        asked = self._is_asked(VariableType.PHONE)
        for phone in read_phones(self.left, self.turn.agent.region):
            near = self._label_before(phone.start, self._of_type(VariableType.PHONE)) is not None
            if not (asked or near or self._clearly_phone(phone)):
                continue
            if phone.complete:
                self._assign(VariableType.PHONE, phone.value, phone.start, phone.end)
            else:
                self.readings.partial = phone.value
                self._blank(phone.start, phone.end)
        if (
            asked
            and not self.readings.of(self.asked.name if self.asked else "")
            and re.search(r"\d.*\d.*\d", self.left)
        ):
            self.readings.hint = "bad_phone"

    def _clearly_phone(self, phone: Phone) -> bool:
        said = self.left[phone.start : phone.end]
        return phone.complete and (said.startswith(("+", "00", "(")) or sum(c.isdigit() for c in said) >= 9)

    def _money(self) -> None:
        if VariableType.MONEY not in self._types:
            return
        asked = self._is_asked(VariableType.MONEY)
        amounts = read_money(self.left, self.turn.language, self.turn.agent.region)
        best = next((a for a in amounts if a.certain), None)
        when = self._when(bare=False) if amounts and not best else None
        clock_spans = when.spans if when else ()
        for amount in amounts:
            if not amount.certain and (best or not self._money_here(amount, clock_spans, asked)):
                continue
            value = {"amount": amount.amount, "currency": amount.currency}
            self._assign(VariableType.MONEY, value, amount.start, amount.end)

    def _money_here(self, amount: Amount, clock_spans: tuple[tuple[int, int], ...], asked: bool) -> bool:
        if any(start <= amount.start < end for start, end in clock_spans):
            return False
        near = self._label_before(amount.start, self._of_type(VariableType.MONEY)) is not None
        # A lone number answers another question, or none.
        in_a_sentence = self.asked is None or len(self.message.text.split()) > 2
        return asked or near or (in_a_sentence and amount.amount >= _LIKELY_PRICE)

    def _moment(self) -> None:
        wanted = bool(self.turn.tools & APPOINTMENT_TOOLS)
        if not wanted and not self._types & _MOMENTS:
            return
        asked = self.asked is not None and self.asked.type in _MOMENTS
        changing = self.turn.state.appointment is not None and bool(self.intents & {Intent.MOVE, Intent.CORRECTION})
        expecting = asked or changing or self.turn.state.expecting == "slot"
        when = self._when(bare=expecting)
        if when is None and expecting and self.turn.language.date_hint(self.left) and len(self.left) <= LONGEST:
            when = self._slow_when()
        if when is None:
            return
        heard = " ".join(self.left[start:end].strip() for start, end in when.spans)
        target = self._moment_variable(when)
        for start, end in when.spans:
            self._blank(start, end)
        if target is None:
            self.readings.when = when
            return
        value = _moment_value(target, when)
        if value is not None:
            self.readings.values.append(Reading(target, value, heard))
        elif target.type is VariableType.DATETIME:
            self.readings.when = when

    def _when(self, *, bare: bool) -> When | None:
        return self.turn.language.when(self.left[:_LONGEST_WISH], self.turn.clock, bare)

    def _slow_when(self) -> When | None:
        text = self.left.strip()
        moment = parse_date(text, self.turn.language.code, self.turn.clock.now, self.turn.day_first)
        if moment is None:
            return None
        timed = moment.time() != datetime.min.time() and ":" in text
        return When(
            moment.date(),
            at=moment.time().replace(second=0, microsecond=0) if timed else None,
            spans=((0, len(self.left)),),
        )

    def _moment_variable(self, when: When) -> Variable | None:
        """The variable that a moment is for: the one asked, the one named beside it, else none: then it is a wish."""
        slots = self.turn.slot_names
        free = [v for v in self.turn.agent.variables if v.type in _MOMENTS and v.name not in slots]
        if self.asked in free:
            return self.asked
        start = when.spans[0][0]
        if named := self._label_before(start, free):
            return named
        if self.turn.tools & APPOINTMENT_TOOLS:
            return None
        return next((v for v in free if v.name not in self.turn.known and _moment_value(v, when) is not None), None)

    def _numbers(self) -> None:
        variables = self._of_type(VariableType.NUMBER)
        if not variables:
            return
        plain: list[Amount] = []
        for number in read_numbers(self.left):
            if near := self._label_around(number.start, number.end, variables):
                self._assign(VariableType.NUMBER, number.amount, number.start, number.end, near)
            else:
                plain.append(number)
        # Of several numbers that nothing names, "two adults and a child, so 3", none is surely the answer.
        if self._is_asked(VariableType.NUMBER) and len({number.amount for number in plain}) == 1:
            number = plain[0]
            self._assign(VariableType.NUMBER, number.amount, number.start, number.end, self.asked)

    def _names(self) -> None:
        if VariableType.NAME in self._types:
            for found in self.turn.language.names(self.left):
                self._assign(VariableType.NAME, found.value, found.start, found.end)

    def _choices(self) -> None:
        for variable in self._of_type(VariableType.CHOICE):
            choices = tuple(c for c in variable.choices if len(c) > 2)
            hits = mentioned_choices(self.left, choices) if variable is not self.asked else []
            if len(hits) == 1:
                hit = hits[0]
                labelled = self._label_before(hit[1], [variable]) is not None
                if labelled or variable.name not in self.turn.known:
                    self.readings.values.append(Reading(variable, hit[0], hit[0]))
                    self._blank(hit[1], hit[2])

    def _labelled_texts(self) -> None:
        """ "my company is Acme", for texts, names and addresses that are not asked for now."""
        for variable in self.turn.agent.variables:
            if variable.type not in {VariableType.TEXT, VariableType.NAME, VariableType.ADDRESS}:
                continue
            if variable is self.asked or self.readings.of(variable.name):
                continue
            label = re.escape(self.turn.language.labels(variable)[0])
            pattern = (
                rf"\b{label}(?: (?:is|to|should be|=)|:) (?P<value>[^\0.;!?]{{2,120}}?)(?=\0| and my |, my |[.;!?]|$)"
            )
            if found := re.search(pattern, self.left, re.IGNORECASE):
                value = found["value"].strip(" ,")
                if value:
                    tidy = self.turn.language.tidy_address(value) if variable.type is VariableType.ADDRESS else value
                    self.readings.values.append(Reading(variable, tidy, value))
                    self._blank(*found.span())

    def _answer(self, variable: Variable) -> None:
        others = self.readings.values
        if variable.type is VariableType.TEXT and not others and self.readings.when:
            # "Tuesday at 3" answers the open question that was asked, whatever it was.
            self.left, self.readings.when = self.message.text, None
        if self._nothing_left() or self.intents & {Intent.SKIP, Intent.RECALL, Intent.RESTART}:
            return
        value = whole_answer(variable, self.message, self.left, self.intents, self.turn)
        if value is not None:
            heard = self.message.original
            self.readings.values.append(Reading(variable, value, heard, self._spoken(heard, value)))

    def _nothing_left(self) -> bool:
        words = re.findall(r"\w+", self.left.lower())
        if not words:
            return True
        taken = bool(self.readings.values or self.readings.when)
        return taken and all(word in self.turn.language.filler for word in words)

    def _assign(self, kind: VariableType, value: Any, start: int, end: int, named: Variable | None = None) -> None:
        heard = self.left[start:end].strip()
        variable = named or self._variable_for(kind, start, end)
        self._blank(start, end)
        if variable is None or self.readings.of(variable.name):
            return
        self.readings.values.append(Reading(variable, value, heard, self._spoken(heard, value)))

    def _spoken(self, heard: str, value: Any) -> bool:
        if self.turn.spoken:
            return True
        if isinstance(value, str) and "@" in value and "@" not in heard:
            return True
        return any(c.isdigit() for c in heard) and heard.lower() not in self.message.original.lower()

    def _variable_for(self, kind: VariableType, start: int, end: int) -> Variable | None:
        """Which variable of a type a value is for: the one named by it, the one asked for, the first missing, else the
        one that is being confirmed, else the only one."""
        variables = [v for v in self._of_type(kind) if not self.readings.of(v.name)]
        if len(variables) == 1:
            return variables[0]
        if named := self._label_before(start, variables) or self._label_behind(end, variables):
            return named
        if self.asked in variables:
            return self.asked
        confirming = [v for v in variables if v.name in self.turn.state.confirming]
        missing = [v for v in variables if v.name not in self.turn.known]
        return next(iter(missing or confirming or variables), None)

    def _label_before(self, start: int, variables: Iterable[Variable]) -> Variable | None:
        """The variable whose name stands nearest before a place."""
        before = self.left[max(0, start - _NEAR) : start].lower()
        best: tuple[tuple[int, int], Variable] | None = None
        for variable in variables:
            for label in self.turn.language.labels(variable):
                at = _last_word(before, label)
                if at >= 0 and (best is None or (at + len(label), len(label)) > best[0]):
                    best = ((at + len(label), len(label)), variable)
        return best[1] if best else None

    def _label_behind(self, end: int, variables: list[Variable]) -> Variable | None:
        """The variable whose own name follows a place closely: "jane@work.example is my work email"."""
        behind = self.left[end : end + _NEAR].lower().split(" and ")[0]
        return next((v for v in variables if v.label.lower() in behind), None)

    def _label_around(self, start: int, end: int, variables: list[Variable]) -> Variable | None:
        behind = self.left[end : end + 20].lower()
        for variable in variables:
            last = variable.label.lower().split()[-1].rstrip("s")
            if re.match(rf"[ -]{re.escape(last)}", behind):
                return variable
        return self._label_before(start, variables)

    def _of_type(self, kind: VariableType) -> list[Variable]:
        return [variable for variable in self.turn.agent.variables if variable.type is kind]

    def _is_asked(self, kind: VariableType) -> bool:
        return self.asked is not None and self.asked.type is kind

    def _blank(self, start: int, end: int) -> None:
        self.left = self.left[:start] + "\0" * (end - start) + self.left[end:]


def _last_word(text: str, word: str) -> int:
    """Where `word` stands last in `text` as a word of its own and with no other value between, or -1."""
    at = text.rfind(word)
    if at < 0 or "\0" in text[at:]:
        return -1
    before, after = text[:at], text[at + len(word) :]
    return -1 if before[-1:].isalnum() or after[:1].isalnum() else at


def _moment_value(variable: Variable, when: When) -> Any:
    if variable.type is VariableType.DATE and when.day and not when.last_day:
        return when.day.isoformat()
    if variable.type is VariableType.TIME and when.at:
        return when.at.strftime("%H:%M")
    if variable.type is VariableType.DATETIME and when.exact and when.day and when.at:
        return f"{when.day.isoformat()}T{when.at.strftime('%H:%M')}"
    return None


def same(known: VariableValue | None, value: Any) -> bool:
    """Whether a value is the one already noted."""
    return known is not None and known.value == value
