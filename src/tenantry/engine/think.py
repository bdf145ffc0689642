"""The middle step of a turn: the model speaks and calls tools, with no connection held."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from tenantry.domain.conversation import EventType, ToolCallRecord, TurnResult, Usage
from tenantry.domain.errors import TenantryError
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.domain.values import VariableValue
from tenantry.engine.accept import Work
from tenantry.engine.events import TextSaid, ToolEnded, ToolStarted, TurnEvent, VariableChanged
from tenantry.engine.prompt import system_prompt
from tenantry.engine.resources import Resources
from tenantry.llm.base import (
    ChatMessage,
    FieldsNoted,
    Model,
    ModelEvent,
    ModelFault,
    ModelRequest,
    QuickReplies,
    StateSaved,
    TextDelta,
    UsageReported,
    VariableNoted,
)
from tenantry.storage.repositories import tool_calls
from tenantry.tools.base import ToolContext
from tenantry.tools.registry import call_tool, tool_specs

log = structlog.get_logger()

MAX_STEPS = 8
FIXED_REPLY = (
    "I am sorry, something went wrong on our side. Your message is kept; "
    "please try again in a moment or ask for a person."
)


@dataclass(slots=True)
class Draft:
    """What a turn has come to so far."""

    known: dict[str, VariableValue]
    policy_state: Mapping[str, Any]
    messages: list[ChatMessage] = field(default_factory=list[ChatMessage])
    model: str = ""
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    usage: Usage = field(default_factory=Usage)
    said: list[str] = field(default_factory=list[str])
    quick_replies: tuple[str, ...] = ()
    calls: list[ToolCallRecord] = field(default_factory=list[ToolCallRecord])
    degraded: list[str] = field(default_factory=list[str])
    events: list[tuple[EventType, Mapping[str, Any]]] = field(default_factory=list[tuple[EventType, Mapping[str, Any]]])

    def result(self, work: Work) -> TurnResult:
        """The outcome, and as its last event the reply."""
        reply = "".join(self.said).strip()
        if not reply:
            reply = FIXED_REPLY
            self.degraded.append("fixed_reply")
        self.events.append(
            (
                EventType.REPLY,
                {
                    "text": reply,
                    "quick_replies": self.quick_replies,
                    "degraded": self.degraded,
                    "fields": self.fields,
                },
            )
        )
        return TurnResult(
            reply=reply,
            quick_replies=self.quick_replies,
            variables={name: entry.value for name, entry in self.known.items()},
            missing=tuple(
                variable.name
                for variable in work.agent.definition.variables
                if variable.required and not (variable.name in self.known and self.known[variable.name].confirmed)
            ),
            tool_calls=tuple(self.calls),
            degraded=tuple(self.degraded),
            fields=self.fields,
            model=self.model,
            usage=self.usage,
        )


async def think(work: Work, resources: Resources, draft: Draft) -> AsyncGenerator[TurnEvent]:
    """Fill the draft, telling what happens as it does. Where a model fails, the next one of the chain goes on from what
    was said, noted and done; a turn never fails with them."""
    draft.messages = _messages(work)
    wanted = work.turn.model
    for model in resources.models.chain(wanted):
        if wanted != model.name and not draft.degraded:
            draft.degraded.append(f"model_unavailable:{wanted}")
        try:
            async for event in _steps(work, resources, draft, model):
                yield event
        except TenantryError:
            raise
        except ModelFault as fault:
            log.warning("model failed", turn_id=str(work.turn.id), model=model.name, kind=fault.kind)
            draft.degraded.append(f"{fault.kind}:{model.name}")
        except Exception as error:
            # A broad net on purpose: whatever a model does, the contact gets an answer and the operator the traceback.
            log.error("model failed", turn_id=str(work.turn.id), model=model.name, exc_info=error)
            draft.degraded.append(f"model_failed:{model.name}")
        else:
            return
        if draft.said:
            draft.said.append(" ")
            yield TextSaid(" ")


async def _steps(work: Work, resources: Resources, draft: Draft, model: Model) -> AsyncGenerator[TurnEvent]:
    for _ in range(MAX_STEPS):
        calls: list[ToolCallRequest] = []
        before = len(draft.said)
        async for event in model.respond(_request(work, draft)):
            draft.model = model.name
            match event:
                case TextDelta(text):
                    draft.said.append(text)
                    yield TextSaid(text)
                case VariableNoted(name, value):
                    yield _note(draft, name, value)
                case ToolCallRequest():
                    calls.append(event)
                case _:
                    _keep(draft, event)
        if not calls:
            return
        draft.messages.append(ChatMessage("assistant", "".join(draft.said[before:]), tool_calls=tuple(calls)))
        for call in calls:
            yield ToolStarted(call.name, call.arguments)
            result = await _run_tool(work, resources, draft, call)
            yield ToolEnded(call.name, result.output)
            draft.messages.append(ChatMessage("tool", "", tool_call_id=call.id, tool_result=result))
    draft.degraded.append("tool_step_limit")


def _keep(draft: Draft, event: ModelEvent) -> None:
    match event:
        case QuickReplies(choices):
            draft.quick_replies = choices
        case StateSaved(state):
            draft.policy_state = state
        case FieldsNoted(values, faults):
            draft.fields |= values
            draft.degraded.extend(f"field_invalid:{name}" for name in faults)
        case UsageReported(input_tokens, output_tokens):
            draft.usage = draft.usage.plus(Usage(input_tokens, output_tokens))
        case _:
            pass


def _messages(work: Work) -> list[ChatMessage]:
    said = (ChatMessage("user" if m.role == "contact" else "assistant", m.content) for m in work.history)
    return [*said, ChatMessage("user", work.message)]


def _request(work: Work, draft: Draft) -> ModelRequest:
    # The moment the message came in, so that a turn taken up after a crash reads "tomorrow" as it was meant.
    now = work.turn.received_at.astimezone(ZoneInfo(work.agent.definition.time_zone))
    return ModelRequest(
        agent=work.agent.definition,
        system_prompt=system_prompt(work.agent, now=now, known=draft.known),
        messages=tuple(draft.messages),
        tools=tool_specs(work.agent),
        known=dict(draft.known),
        now=now,
        user_id=str(work.conversation.owner_member_id or work.conversation.tenant_id),
        state=draft.policy_state,
    )


def _note(draft: Draft, name: str, value: VariableValue | None) -> VariableChanged:
    if value is None:
        draft.known.pop(name, None)
    else:
        draft.known[name] = value
    told = {"name": name, "value": value.value if value else None, "confirmed": bool(value and value.confirmed)}
    draft.events.append((EventType.VARIABLE_NOTED, told))
    return VariableChanged(name, value)


async def _run_tool(work: Work, resources: Resources, draft: Draft, call: ToolCallRequest) -> ToolResult:
    step = len(draft.calls)
    draft.events.append((EventType.TOOL_CALLED, {"step": step, "name": call.name, "arguments": call.arguments}))
    async with resources.db.tenant(work.turn.tenant_id) as tx:
        claim = await tool_calls.claim(tx, work.turn.id, step, call)
    result = claim.earlier
    if result is None:
        context = ToolContext(
            db=resources.db,
            outbound=resources.outbound,
            agent=work.agent,
            conversation_id=work.conversation.id,
            owner_member_id=work.conversation.owner_member_id,
            contact_id=work.conversation.contact_id,
            turn_id=work.turn.id,
            step=step,
            now=datetime.now(UTC),
            actor=work.actor,
            repeated=claim.repeated,
        )
        result = await call_tool(context, call)
        async with resources.db.tenant(work.turn.tenant_id) as tx:
            await tool_calls.finish(tx, work.turn.id, step, result.output)
    draft.calls.append(ToolCallRecord(call.name, call.arguments, result.output))
    draft.events.append((EventType.TOOL_FINISHED, {"step": step, "name": call.name, "output": result.output}))
    return result
