"""The second step of a turn: models and tools, no connection held."""

from collections.abc import Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from tenantry.domain.conversation import Usage
from tenantry.domain.errors import TenantryError
from tenantry.domain.storable import storable, storable_text
from tenantry.domain.tools import ToolCallRequest
from tenantry.domain.trace import ModelAttempt
from tenantry.engine.accept import Work
from tenantry.engine.draft import Draft
from tenantry.engine.live import Stopped
from tenantry.engine.prompt import Moment, system_prompt
from tenantry.engine.resources import Resources
from tenantry.engine.tool_loop import Toolbox
from tenantry.llm.base import (
    ChatMessage,
    ConversationEnded,
    FieldsNoted,
    Model,
    ModelEvent,
    ModelFault,
    ModelRequest,
    QuickReplies,
    RawOutput,
    StateSaved,
    TextDelta,
    UsageReported,
    VariableNoted,
    VariableRefused,
)
from tenantry.llm.registry import FORM_POLICY, TenantModels
from tenantry.storage.repositories.tool_calls import LeaseLost

log = structlog.get_logger()

MAX_STEPS = 8


async def think(draft: Draft, resources: Resources, tools: Toolbox) -> None:
    """Fill the draft, telling what happens as it does. Where a model fails, the next one of the chain goes on from what
    was said, noted and done; a turn never fails with them.

    Raises Stopped, LeaseLost, DatabaseUnavailable.
    """
    work = draft.work
    draft.messages = _messages(work)
    draft.history_length = len(draft.messages) - 1
    await tools.take_up()
    wanted = FORM_POLICY if draft.replays else work.turn.model
    models = await resources.models.of(resources.db, work.tenant)
    for model in models.chain(wanted, work.agent.definition.fallback_models):
        if wanted != model.name and not draft.degraded:
            draft.degraded.append(f"model_unavailable:{wanted}")
        try:
            await _steps(draft, resources, tools, model, models)
        except (TenantryError, Stopped, LeaseLost):
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
    draft.apologise()


async def _steps(draft: Draft, resources: Resources, tools: Toolbox, model: Model, models: TenantModels) -> None:
    for _ in range(MAX_STEPS):
        if model.name == FORM_POLICY or not draft.unsent().strip():
            # A language model that goes on from another one's words joins its own to them.
            draft.say_apart()
        calls = await _listen(draft, resources, model, models)
        if not calls:
            return
        await tools.run(calls, model.name)
    draft.degraded.append("tool_step_limit")


async def _listen(draft: Draft, resources: Resources, model: Model, models: TenantModels) -> list[ToolCallRequest]:
    """One step of the model; the tools that it asks for."""
    began = draft.clock.now()
    request = _request(draft, resources, model)
    draft.clock.spent("prompt", began)
    draft.model = model.name
    calls: list[ToolCallRequest] = []
    with _attempt(draft, model, request) as heard:
        async with draft.live.interruptible(), aclosing(model.respond(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    if heard.first is None:
                        heard.first = draft.clock.now()
                    draft.say(storable_text(event.text))
                elif isinstance(event, ToolCallRequest):
                    # Cleaned before it is claimed: what runs, is told and is resumed are the same call.
                    calls.append(storable(event))
                elif isinstance(event, UsageReported):
                    heard.used(event, models.cost_micros(model.name, event))
                else:
                    _keep(draft, heard, event if model.name == FORM_POLICY else storable(event))
    return calls


@dataclass(slots=True)
class _Heard:
    """What one step of a model brought besides words."""

    model: str
    first: float | None = None
    usage: Usage = field(default_factory=Usage)
    output: str = ""

    def used(self, reported: UsageReported, cost_micros: int) -> None:
        of_step = Usage(reported.input_tokens, reported.output_tokens, reported.cached_tokens, cost_micros)
        self.usage = self.usage.plus(of_step)


@contextmanager
def _attempt(draft: Draft, model: Model, request: ModelRequest) -> Generator[_Heard]:
    """Keep how the step went, however it ends."""
    began, heard, outcome, said = draft.clock.now(), _Heard(model.name), "ok", ""
    try:
        yield heard
    except ModelFault as fault:
        outcome, said = fault.kind, storable_text(fault.message)
        raise
    except Stopped:
        outcome = "stopped"
        raise
    except Exception as error:
        outcome, said = "failed", type(error).__qualname__
        raise
    finally:
        took = draft.clock.spent("models", began)
        draft.usage[model.name] = draft.usage.get(model.name, Usage()).plus(heard.usage)
        draft.attempts.append(
            ModelAttempt(
                model=model.name,
                outcome=outcome,
                at_ms=began,
                took_ms=took,
                first_ms=None if heard.first is None else heard.first - began,
                prompt=len(draft.prompts) - 1,
                messages=len(request.messages) - draft.history_length,
                usage=heard.usage,
                output=heard.output,
                fault=said,
            )
        )


def _keep(draft: Draft, heard: _Heard, event: ModelEvent) -> None:
    match event:
        case VariableNoted(name, value):
            draft.note(name, value)
        case QuickReplies(choices):
            draft.quick_replies = choices
        case StateSaved(state):
            draft.policy_state = state
        case ConversationEnded():
            draft.said_goodbye = True
        case FieldsNoted(values, faults):
            draft.fields |= values
            draft.degraded.extend(f"field_invalid:{name}" for name in faults)
        case VariableRefused(name):
            draft.degraded.append(f"variable_invalid:{name}")
        case RawOutput(text):
            heard.output += text
        case _:
            pass


def _messages(work: Work) -> list[ChatMessage]:
    # A turn that was stopped before its first word has no reply.
    said = (ChatMessage("user" if m.role == "contact" else "assistant", m.content) for m in work.history if m.content)
    return [*said, ChatMessage("user", work.message)]


def _request(draft: Draft, resources: Resources, model: Model) -> ModelRequest:
    work = draft.work
    compiled = resources.definitions.compiled(work.agent)
    now = _now(work)
    prompt = ""
    if model.name != FORM_POLICY:
        conversation = work.conversation
        moment = Moment(
            now,
            draft.known,
            conversation.channel,
            conversation.contact_since,
            work.memory,
            work.notices,
            conversation.contact_time_zone,
        )
        prompt = system_prompt(compiled.prompt, work.agent.definition, moment)
        draft.tools = compiled.tools
    messages = tuple(draft.messages)
    if (unsent := draft.unsent()).strip():
        # What another model said before it failed: this one goes on from there.
        messages = (*messages, ChatMessage("assistant", unsent))
    request = ModelRequest(
        agent=work.agent.definition,
        system_prompt=prompt,
        messages=messages,
        tools=compiled.tools,
        known=dict(draft.known),
        now=now,
        user_id=str(work.conversation.owner_member_id or work.conversation.tenant_id),
        state=draft.policy_state,
        notices=work.notices,
        contact_time_zone=work.conversation.contact_time_zone,
        channel=work.conversation.channel,
    )
    shown = model.prompt(request)
    if not draft.prompts or draft.prompts[-1] != shown:
        draft.prompts.append(shown)
    return request


def _now(work: Work) -> datetime:
    # The moment the message came in, so that a turn taken up after a crash reads "tomorrow" as it was meant.
    return work.turn.received_at.astimezone(ZoneInfo(work.agent.definition.time_zone))
