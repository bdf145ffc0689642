"""The body of a request is what each endpoint takes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tenantry.domain.agent import AgentDefinition, TurnField, TurnFieldType
from tenantry.llm.base import ChatMessage, ModelRequest
from tenantry.llm.chat_completions.answer_form import Wanted
from tenantry.llm.chat_completions.endpoint import AnswerMode, Dialect, Endpoint
from tenantry.llm.chat_completions.request_body import Again, request_body
from tests.wire_server import request_faults

MOOD = TurnField("mood", TurnFieldType.CHOICE, choices=("good", "bad"))
REQUEST = ModelRequest(
    agent=AgentDefinition(name="A", turn_fields=(MOOD,)),
    system_prompt="You are A.",
    messages=(ChatMessage("user", "Hello"),),
    tools=(),
    known={},
    now=datetime(2026, 11, 21, 9, tzinfo=UTC),
    user_id="u",
)
AGAIN = Again('{"system_response": "Hi"}', Wanted((), (MOOD,), spoken=False), {"mood": "is missing"})


def body(base_url: str, mode: AnswerMode = "json_schema", again: Again | None = None) -> dict[str, Any]:
    return json.loads(request_body(REQUEST, Endpoint(base_url, "", "m"), Dialect(mode), again))


@pytest.mark.parametrize("again", [None, AGAIN])
@pytest.mark.parametrize("mode", ["json_schema", "tool", "prompt"])
@pytest.mark.parametrize("base_url", ["https://openrouter.ai/api/v1", "https://api.openai.com/v1"])
def test_each_shape_is_of_the_wire(base_url: str, mode: AnswerMode, again: Again | None) -> None:
    sent = body(base_url, mode, again)
    assert request_faults(sent) == []
    assert ("usage" in sent) == ("openrouter" in base_url)
    assert ("provider" in sent) == ("openrouter" in base_url and mode != "prompt")


@pytest.mark.parametrize("base_url", ["https://notopenrouter.ai/v1", "https://openrouter.ai.example.com/v1"])
def test_only_openrouter_is_asked_for_costs(base_url: str) -> None:
    assert not {"usage", "provider"} & set(body(base_url))


def test_only_openrouter_takes_its_own_keys() -> None:
    assert body("https://eu.openrouter.ai/v1")["usage"] == {"include": True}
