"""What a turn has come to so far, and how it went."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenantry.domain.conversation import EventType, ToolCallRecord, TurnResult, Usage
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.domain.trace import MemoryUsed, ModelAttempt, StageTimes, ToolStep, TurnTrace
from tenantry.domain.values import VariableValue
from tenantry.engine.accept import Work
from tenantry.engine.events import LiveEvent
from tenantry.engine.live import LiveTurn
from tenantry.llm.base import ChatMessage
from tenantry.storage.repositories.tool_calls import RecordedCall
from tenantry.tools.end_conversation.tool import END_CONVERSATION
from tenantry.tools.hand_off.tool import HAND_OFF, HandedOver

FIXED_REPLY = (
    "I am sorry, something went wrong on our side. Your message is kept; "
    "please try again in a moment or ask for a person."
)


class Clock:
    """Milliseconds of one turn, from its begin, and of each of its stages."""

    def __init__(self, accept_ms: float, wait_ms: float) -> None:
        self._began = time.perf_counter()
        self.stages = {"accept": accept_ms, "wait": wait_ms, "prompt": 0.0, "models": 0.0, "tools": 0.0, "store": 0.0}
        self.first_text: float | None = None

    def now(self) -> float:
        """Milliseconds since the turn was begun."""
        return (time.perf_counter() - self._began) * 1000

    def spent(self, stage: str, since: float) -> float:
        """Add what passed since that moment to the stage; how much it was."""
        took = self.now() - since
        self.stages[stage] += took
        return took


@dataclass(slots=True)
class Draft:
    """One attempt at a turn. `events` are those that the conversation's record will hold; every one of them, and each
    piece of text, is told to whoever follows `live`. `replays` are calls of an earlier attempt that the form policy is
    about to ask for again."""

    work: Work
    live: LiveTurn
    clock: Clock
    known: dict[str, VariableValue]
    policy_state: Mapping[str, Any]
    messages: list[ChatMessage] = field(default_factory=list[ChatMessage])
    model: str = ""
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    usage: dict[str, Usage] = field(default_factory=dict[str, Usage])
    said: list[str] = field(default_factory=list[str])
    quick_replies: tuple[str, ...] = ()
    calls: dict[int, ToolCallRecord] = field(default_factory=dict[int, ToolCallRecord])
    next_step: int = 0
    replays: list[RecordedCall] = field(default_factory=list[RecordedCall])
    degraded: list[str] = field(default_factory=list[str])
    events: list[LiveEvent] = field(default_factory=list[LiveEvent])
    prompts: list[str] = field(default_factory=list[str])
    attempts: list[ModelAttempt] = field(default_factory=list[ModelAttempt])
    steps: list[ToolStep] = field(default_factory=list[ToolStep])
    tools: tuple[Any, ...] = ()
    said_goodbye: bool = False
    history_length: int = 0
    _in_messages: int = 0

    def tell(self, kind: EventType, data: Mapping[str, Any]) -> None:
        """Something happened that the conversation's record will hold."""
        event = LiveEvent(kind, data)
        self.events.append(event)
        self.live.publish(event)

    def say(self, text: str) -> None:
        """The next piece of the reply."""
        if not self.said:
            text = text.lstrip()
            if not text:
                return
            self.clock.first_text = self.clock.now()
        self.said.append(text)
        self.live.say(text)

    def say_apart(self) -> None:
        """What is said next does not belong to what was said before."""
        if self.said and not self.said[-1][-1].isspace():
            self.say(" ")

    def apologise(self) -> None:
        """Nobody has an answer: the contact is told so, after whatever was said."""
        self.degraded.append("fixed_reply")
        self.say_apart()
        self.say(FIXED_REPLY)

    def unsent(self) -> str:
        """What was said since the last of the messages."""
        return "".join(self.said[self._in_messages :])

    def add_calls(self, calls: tuple[ToolCallRequest, ...]) -> None:
        """The model said what it said and asked for these tools."""
        self.messages.append(ChatMessage("assistant", self.unsent().strip(), tool_calls=calls))
        self._in_messages = len(self.said)

    def add_result(self, call_id: str, result: ToolResult) -> None:
        """What came of one of the tools."""
        self.messages.append(ChatMessage("tool", "", tool_call_id=call_id, tool_result=result))

    def note(self, name: str, value: VariableValue | None) -> None:
        """A variable was noted, corrected, confirmed or (None) taken back."""
        if value is None:
            self.known.pop(name, None)
        else:
            self.known[name] = value
        confirmed = bool(value and value.confirmed)
        self.tell(
            EventType.VARIABLE_NOTED, {"name": name, "value": value.value if value else None, "confirmed": confirmed}
        )

    def ended(self, step: ToolStep) -> None:
        """A tool call has come to its end."""
        self.steps.append(step)
        self.calls[step.step] = ToolCallRecord(step.name, step.arguments, step.output)
        if step.output.get("status") == "unknown":
            self.degraded.append(f"tool_outcome_unknown:{step.name}")
        self.tell(EventType.TOOL_FINISHED, {"step": step.step, "name": step.name, "output": step.output})

    def result(self) -> TurnResult:
        """The outcome, and as its last events the fields and the reply."""
        stopped = self.live.stop_reason
        if stopped is None and not "".join(self.said).strip():
            self.apologise()
        reply = "".join(self.said).strip()
        if (handed := self.handed_over) is not None:
            self.tell(EventType.HANDED_OVER, {"agent_id": handed.agent_id, "purpose": handed.purpose})
        if self.fields:
            self.tell(EventType.FIELDS_NOTED, {"fields": self.fields})
        self.events.append(
            LiveEvent(
                EventType.REPLY,
                {
                    "text": reply,
                    "quick_replies": self.quick_replies,
                    "degraded": self.degraded,
                    "fields": self.fields,
                    "stopped": stopped,
                    "attempt": self.work.turn.attempts,
                },
            )
        )
        total = Usage()
        for usage in self.usage.values():
            total = total.plus(usage)
        return TurnResult(
            reply=reply,
            quick_replies=self.quick_replies,
            variables={name: entry.value for name, entry in self.known.items()},
            missing=tuple(
                variable.name
                for variable in self.work.agent.definition.variables
                if variable.required and not (variable.name in self.known and self.known[variable.name].confirmed)
            ),
            tool_calls=tuple(call for _, call in sorted(self.calls.items())),
            degraded=tuple(self.degraded),
            fields=self.fields,
            model=self.model,
            usage=total,
            stopped=stopped,
            agent_id=self.work.agent.id,
            agent_version=self.work.agent.version,
            ended=stopped is None and self.over,
        )

    @property
    def over(self) -> bool:
        """Whether the contact is done, as the form policy saw or a model said by its function."""
        return self.said_goodbye or any(
            call.name == END_CONVERSATION and call.output["status"] == "ok" for call in self.calls.values()
        )

    @property
    def handed_over(self) -> HandedOver | None:
        """Whom the conversation goes to once the turn is stored, if a tool has found somebody; the last one counts."""
        found = (call.output for _, call in sorted(self.calls.items()) if call.name == HAND_OFF)
        outputs = [output for output in found if output["status"] == "ok"]
        return HandedOver.of(outputs[-1]) if outputs else None

    def trace(self) -> TurnTrace:
        """How the attempt went, as it is stored."""
        history = self.work.history
        return TurnTrace(
            attempt=self.work.turn.attempts,
            prompts=tuple(self.prompts),
            tools=self.tools,
            history_to=history[-1].number if history else 0,
            history_count=len(history),
            messages=tuple(self.messages[self.history_length :]),
            memory=tuple(MemoryUsed(b.label, b.scope, b.value) for b in self.work.memory) if self.tools else (),
            models=tuple(self.attempts),
            calls=tuple(self.steps),
            times=self.times(),
        )

    def times(self) -> StageTimes:
        """The milliseconds of each stage so far."""
        return StageTimes(**self.clock.stages, first_text=self.clock.first_text)
