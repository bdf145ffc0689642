"""Reports of turns as the engine tells them, with words in them that nobody may find outside."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tenantry.domain.conversation import ToolCallRecord, TurnResult, Usage
from tenantry.domain.ids import new_id
from tenantry.domain.trace import MemoryUsed, ModelAttempt, StageTimes, ToolStep, TurnReport, TurnTrace

SECRET = "zebra-crossing"
BEGUN = datetime(2026, 11, 24, 15, 0, 0, 250_000, tzinfo=UTC)
TENANT, AGENT, MEMBER = (UUID(int=number) for number in (1, 2, 3))


def report(**changes: Any) -> TurnReport:
    """A turn of 1.4 s: two models, of which the first timed out, and a tool call that booked."""
    output = {"status": "booked", "title": SECRET}
    result = TurnResult(
        reply=f"Done, {SECRET}",
        variables={"name": SECRET},
        tool_calls=(ToolCallRecord("set_appointment", {"name": SECRET}, output),),
        degraded=(f"timeout:maker/{'large'}", f"field_invalid:{SECRET}"),
        model="maker/small",
        usage=Usage(300, 40, 100, 2_500),
    )
    trace = TurnTrace(
        attempt=1,
        prompts=(f"You know {SECRET}.",),
        messages=({"role": "user", "content": SECRET},),
        memory=(MemoryUsed("human", "contact", SECRET),),
        models=(
            ModelAttempt("maker/large", "timeout", 30, 500, fault=f"no answer to {SECRET}"),
            ModelAttempt("maker/small", "ok", 530, 400, first_ms=630, usage=Usage(200, 30, 100, 2_000), output=SECRET),
            ModelAttempt("maker/small", "ok", 1_130, 200, first_ms=1_180, usage=Usage(100, 10, 0, 500)),
        ),
        calls=(ToolStep(0, "set_appointment", {"name": SECRET}, output, 930, 200),),
        times=StageTimes(accept=10, prompt=20, models=1_100, tools=200, store=70, first_text=630),
    )
    given: dict[str, Any] = {
        "tenant_id": TENANT,
        "agent_id": AGENT,
        "owner_member_id": MEMBER,
        "conversation_id": new_id(),
        "turn_id": new_id(),
        "channel": "http",
        "begun_at": BEGUN,
        "result": result,
        "trace": trace,
    }
    return TurnReport(**{**given, **changes})


def at(ms: float) -> datetime:
    """This long after the turn was begun."""
    return BEGUN + timedelta(milliseconds=ms)
