"""Drives a conversation with the form policy, tools answering as they are told to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tenantry.domain.agent import AgentDefinition, Function, Variable, VariableType
from tenantry.domain.calendar import BookingNotice
from tenantry.domain.tools import ToolCallRequest, ToolResult, ToolSpec
from tenantry.domain.values import VariableValue
from tenantry.llm.base import (
    ChatMessage,
    ConversationEnded,
    FieldsNoted,
    ModelEvent,
    ModelRequest,
    QuickReplies,
    StateSaved,
    TextDelta,
    VariableNoted,
)
from tenantry.llm.form_policy import FormPolicy

ZONE = "America/New_York"
SATURDAY = datetime(2026, 11, 21, 10, 0, tzinfo=ZoneInfo(ZONE))
POLICY = FormPolicy()
OWNER = "0190aaaa-0000-7000-8000-000000000001"

ADDRESS = Variable("property_address", VariableType.ADDRESS, "What is the address of the property?")
EMAIL = Variable("email", VariableType.EMAIL, "What is your email address?")
PHONE = Variable("phone", VariableType.PHONE, "What is your phone number?")
PRICE = Variable("asking_price", VariableType.MONEY, "What price do you have in mind?", required=False)

MARK = AgentDefinition(
    name="Property Seller Agent",
    greeting="Hi, I'm Mark's assistant. I help you sell your property.",
    time_zone=ZONE,
    variables=(ADDRESS, EMAIL, PRICE),
    functions=(
        Function("get_valuation", variables=("property_address",)),
        Function("set_appointment", variables=("property_address", "email", "asking_price")),
    ),
)
JON = AgentDefinition(
    name="Property Seller Agent",
    time_zone=ZONE,
    variables=(ADDRESS, EMAIL, PHONE),
    functions=(Function("set_appointment", variables=("property_address", "email", "phone")),),
)
CALENDAR_TOOLS = ("check_availability", "set_appointment", "reschedule_appointment", "cancel_appointment")

Tool = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Calendar:
    """A calendar with some starts taken; answers as the appointment tools do."""

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self.taken = set(taken)
        self.booked: str | None = None

    def tools(self) -> dict[str, Tool]:
        """The appointment tools by name."""
        return {
            "set_appointment": self.set,
            "check_availability": self.check,
            "reschedule_appointment": self.move,
            "cancel_appointment": self.cancel,
        }

    def set(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Book, or say why not."""
        return self._take(arguments["start"], "booked")

    def move(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Move the one booking."""
        return self._take(arguments["start"], "moved") if self.booked else {"status": "not_found"}

    def cancel(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Cancel the one booking."""
        if not self.booked:
            return {"status": "not_found"}
        start, self.booked = self.booked, None
        return {"status": "cancelled", "booking_id": "b1", "start": _aware(start)}

    def check(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Whole free hours from 9 to 17, at most six."""
        start = datetime.fromisoformat(arguments.get("start", "2026-11-23T00:00"))
        end = datetime.fromisoformat(arguments.get("end", "2027-12-31T00:00"))
        return {"status": "ok", "free": [_aware(s) for s in self._free(start, end, 6)], "time_zone": ZONE}

    def _take(self, start: str, status: str) -> Mapping[str, Any]:
        at = datetime.fromisoformat(start)
        reason = (
            "past" if at <= SATURDAY.replace(tzinfo=None)
            else "outside_business_hours" if at.weekday() > 4 or not 9 <= at.hour < 17
            else "taken" if start in self.taken
            else ""
        )  # fmt: skip
        if reason:
            near = self._free(max(at, SATURDAY.replace(tzinfo=None)).replace(hour=9, minute=0), None, 3)
            return {"status": "unavailable", "reason": reason, "alternatives": [_aware(s) for s in near]}
        self.booked = start
        end = (at + timedelta(minutes=30)).isoformat(timespec="minutes")
        return {"status": status, "booking_id": "b1", "start": _aware(start), "end": _aware(end), "time_zone": ZONE}

    def _free(self, start: datetime, end: datetime | None, most: int) -> list[str]:
        slots: list[str] = []
        at = start.replace(minute=0) + timedelta(hours=1 if start.minute else 0)
        for _ in range(24 * 60):
            said = at.isoformat(timespec="minutes")
            if (end is not None and at >= end) or len(slots) == most:
                break
            if at.weekday() < 5 and 9 <= at.hour < 17 and said not in self.taken:
                slots.append(said)
            at += timedelta(hours=1)
        return slots


def _aware(start: str) -> str:
    return datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(ZONE)).isoformat()


@dataclass
class Talk:
    """A conversation; `tools` are those the agent may really use."""

    agent: AgentDefinition
    tools: Mapping[str, Tool] = field(default_factory=dict)
    now: datetime = SATURDAY
    contact_time_zone: str | None = None
    channel: str = "chat"
    ended: bool = False
    notices: tuple[BookingNotice, ...] = ()
    known: dict[str, VariableValue] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    messages: list[ChatMessage] = field(default_factory=list)
    calls: list[ToolCallRequest] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    quick: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    field_events: int = 0
    requests: list[ModelRequest] = field(default_factory=list)

    async def say(self, text: str) -> str:
        """The contact says `text`; the reply."""
        self.messages.append(ChatMessage("user", text))
        self.quick, self.fields, self.field_events, self.ended = (), {}, 0, False
        said = ""
        request = self._request()
        for _ in range(6):
            events = [event async for event in POLICY.respond(request)]
            said += "".join(event.text for event in events if isinstance(event, TextDelta))
            self._take(events)
            calls = [event for event in events if isinstance(event, ToolCallRequest)]
            if not calls:
                break
            results = [self._result(call) for call in calls]
            messages = (*request.messages, ChatMessage("assistant", "", tool_calls=tuple(calls)), *results)
            request = replace(request, messages=messages, known=dict(self.known), state=self.state)
        else:
            raise AssertionError("the policy calls tools without end")
        self.messages.append(ChatMessage("assistant", said))
        self.replies.append(said)
        self.notices = ()
        return said

    def _request(self) -> ModelRequest:
        request = ModelRequest(
            agent=self.agent,
            system_prompt="",
            messages=tuple(self.messages),
            tools=tuple(ToolSpec(name, "", {"type": "object"}) for name in self.tools),
            known=dict(self.known),
            now=self.now,
            user_id=OWNER,
            state=self.state,
            contact_time_zone=self.contact_time_zone,
            notices=self.notices,
            channel=self.channel,
        )
        self.requests.append(request)
        return request

    def _take(self, events: Sequence[ModelEvent]) -> None:
        for event in events:
            match event:
                case VariableNoted(name, None):
                    self.known.pop(name, None)
                case VariableNoted(name, VariableValue() as value):
                    self.known[name] = value
                case ConversationEnded():
                    self.ended = True
                case StateSaved(state):
                    self.state = state
                case QuickReplies(choices):
                    self.quick = choices
                case FieldsNoted(values, faults):
                    assert values
                    assert not faults
                    self.fields = values
                    self.field_events += 1
                case _:
                    continue

    def _result(self, call: ToolCallRequest) -> ChatMessage:
        self.calls.append(call)
        assert call.arguments["user_id"] == OWNER
        output = self.tools[call.name](call.arguments)
        return ChatMessage("tool", "", tool_call_id=call.id, tool_result=ToolResult(output))

    def called(self, name: str) -> list[Mapping[str, Any]]:
        """The arguments of the calls of one tool."""
        return [call.arguments for call in self.calls if call.name == name]

    def value(self, name: str) -> Any:
        """What is noted of a variable, or None."""
        return self.known[name].value if name in self.known else None


def with_mark(taken: Sequence[str] = (), *, valuation: Mapping[str, Any] | None = None) -> Talk:
    """A conversation with Mark's agent of the demo; `valuation` is what his service answers."""
    tools: dict[str, Tool] = dict(Calendar(taken).tools())
    if valuation is not None:
        tools["get_valuation"] = lambda arguments: valuation
    return Talk(MARK, tools)


def with_jon(taken: Sequence[str] = ()) -> Talk:
    """A conversation with Jon's agent of the demo, which may only set appointments."""
    return Talk(JON, {"set_appointment": Calendar(taken).tools()["set_appointment"]})
