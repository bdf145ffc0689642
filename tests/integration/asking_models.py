"""Requests to a model behind a scripted server of its wire, and what it is expected to say."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tenantry.domain.agent import AgentDefinition, TurnField, TurnFieldType, Variable, VariableType
from tenantry.domain.tools import ToolCallRequest, ToolSpec
from tenantry.llm.base import ChatMessage, ModelEvent, ModelFault, ModelRequest, TextDelta, UsageReported
from tenantry.llm.chat_completions.client import ChatCompletions
from tenantry.llm.chat_completions.endpoint import Endpoint, Patience
from tests.wire_server import DONE, KEY, Answer, WireServer, chunk

SHORT = Patience(first_token=0.2, between_tokens=0.2, total=5, backoff=0.01)
LONG = Patience(backoff=0.01)
PLAIN = AgentDefinition(name="A")
FORM = AgentDefinition(
    name="A",
    variables=(
        Variable("email", VariableType.EMAIL),
        Variable("price", VariableType.MONEY),
        Variable("kind", VariableType.CHOICE, choices=("house", "flat")),
    ),
    turn_fields=(
        TurnField("mood", TurnFieldType.CHOICE, choices=("good", "bad")),
        TurnField("urgency", TurnFieldType.NUMBER, minimum=0, maximum=10),
        TurnField("topics", TurnFieldType.LIST),
    ),
)
TOOL = ToolSpec(
    "book", "Books.", {"type": "object", "properties": {"start": {"type": "string"}}, "required": [], "x": 1}
)
CALLED = ToolCallRequest("c1", "book", {"start": "2026-11-24T15:00"})
REQUEST = ModelRequest(
    agent=PLAIN,
    system_prompt="You are A.",
    messages=(ChatMessage("user", "Hello"),),
    tools=(),
    known={},
    now=datetime(2026, 11, 21, 9, tzinfo=UTC),
    user_id="u",
)
FORMED = replace(REQUEST, agent=FORM)
USED = UsageReported(12, 7)


def answer_text(**changes: Any) -> str:
    return json.dumps(
        {
            "system_response": "Thank you, Mark. Which day?",
            "variables": {"email": "Mark@Example.com", "price": {"amount": 450000.0, "currency": None}, "kind": None},
            "mood": "good",
            "urgency": 3,
            "topics": ["sale"],
            "quick_replies": [],
            **changes,
        }
    )


def pieces_of(text: str, size: int = 5) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


async def ask(
    server: WireServer, *script: Answer, request: ModelRequest = REQUEST, patience: Patience = LONG, **endpoint: Any
) -> tuple[list[ModelEvent], ModelFault | None]:
    """The events of one step, and the fault that ended it."""
    server.script.extend(script)
    model = ChatCompletions("m", Endpoint(server.url, KEY, "vendor/model", patience=patience, **endpoint))
    try:
        return await answered(model, request)
    finally:
        await model.close()


async def answered(model: ChatCompletions, request: ModelRequest) -> tuple[list[ModelEvent], ModelFault | None]:
    """The events of one step of a model, and the fault that ended it."""
    events: list[ModelEvent] = []
    try:
        async for event in model.respond(request):
            events.append(event)
    except ModelFault as fault:
        assert KEY not in str(fault)
        assert "Hello" not in str(fault)
        return events, fault
    return events, None


def said(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calling(*, index: int = 0, **function: Any) -> list[bytes]:
    """A whole answer that calls one function."""
    call = {"index": index, "id": f"c{index + 1}", "type": "function", "function": function}
    return [chunk({"tool_calls": [call]}), chunk(finish="tool_calls"), DONE]
