"""How a turn came about, as its developers are told; and the preview, which is what a model is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tenantry.server.runtime import Runtime
from tests.conftest import TenantForTest
from tests.integration.model_talk import MODEL, Talk, calling, model_talk
from tests.wire_server import paused, refusing, saying, streaming

DEFINITION: dict[str, Any] = {
    "name": "Seller",
    "instructions": "Be brief.",
    "variables": [{"name": "email", "type": "email", "required": False}],
    "functions": [{"name": "check_availability"}],
}
ANSWER = json.dumps({"system_response": "Tuesday is free.", "variables": {"email": None}, "quick_replies": []})


@pytest.fixture
async def talk(runtime: Runtime, tenant: TenantForTest) -> AsyncIterator[Talk]:
    async with model_talk(runtime, tenant, DEFINITION) as made:
        yield made


async def explained(talk: Talk, turn_id: str) -> dict[str, Any]:
    return await talk.get(f"/api/v1/turns/{turn_id}/explain")


async def test_the_explanation_is_what_the_model_was_sent_and_said(talk: Talk) -> None:
    talk.wire.script.extend([streaming(saying(ANSWER)), streaming(calling(("check_availability", {})))])
    await talk.say("hello")
    talk.wire.script.append(streaming(saying(ANSWER)))
    told = await talk.say("when are you free?")
    explanation = await explained(talk, told["turnId"])
    trace, sent = explanation["trace"], talk.wire.requests
    assert trace["prompts"] == [sent[1]["messages"][0]["content"]]
    history = [message["content"] for message in explanation["history"]]
    assert history == [message["content"] for message in sent[1]["messages"][1:3]] == ["hello", "Tuesday is free."]
    assert [spec["name"] for spec in trace["tools"]] == [tool["function"]["name"] for tool in sent[1]["tools"]]
    assert [message["role"] for message in trace["messages"]] == ["user", "assistant", "tool"]
    first, second = trace["models"]
    assert (first["model"], first["outcome"], first["messages"]) == (MODEL, "ok", 1)
    assert "check_availability" in first["output"]
    assert (second["output"], second["messages"]) == (ANSWER, 3)
    assert second["usage"] == {"input_tokens": 12, "output_tokens": 7, "cached_tokens": 0, "cost_micros": 0}
    [call] = trace["calls"]
    assert (call["name"], call["output"]) == ("check_availability", told["toolCalls"][0]["output"])
    assert trace["times"]["models"] > 0
    assert trace["times"]["first_text"] > 0


async def test_attempts_that_failed_are_told(talk: Talk) -> None:
    talk.wire.script.append(refusing(401))
    told = await talk.say("hello")
    attempts = (await explained(talk, told["turnId"]))["trace"]["models"]
    assert [(each["model"], each["outcome"]) for each in attempts] == [(MODEL, "auth"), ("form-policy", "ok")]
    assert "401" in attempts[0]["fault"]


async def test_the_preview_is_what_the_model_is_sent(talk: Talk, tenant: TenantForTest) -> None:
    block = {"value": "Closed on the first of May.", "limit": 200}
    path = f"/api/v1/agents/{talk.agent_id}"
    async with talk.session.put(f"{path}/blocks/calendar", json=block) as response:
        assert response.status == 200, await response.text()
    shown = await talk.get(f"{path}/preview")
    talk.wire.script.append(streaming(saying(ANSWER)))
    told = await talk.say("hello")
    sent = talk.wire.requests[0]["messages"][0]["content"]

    def lasting(prompt: str) -> list[str]:
        # The minute, and when the contact was first met, are those of the turn.
        return [part for part in prompt.split("\n\n") if not part.startswith(("# Now", "# Contact"))]

    assert lasting(shown["system_prompt"]) == lasting(sent)
    assert "Closed on the first of May." in sent
    [block_used] = (await explained(talk, told["turnId"]))["trace"]["memory"]
    assert (block_used["label"], block_used["scope"]) == ("calendar", "agent")
    assert [tool["name"] for tool in shown["tools"]] == ["check_availability"]


async def test_a_turn_that_runs_cannot_be_explained_yet(talk: Talk) -> None:
    more = asyncio.Event()
    talk.wire.script.append(paused(saying(ANSWER)[:2], more, saying(ANSWER)[2:]))
    said = asyncio.create_task(talk.say("hello"))
    while not talk.wire.requests:
        await asyncio.sleep(0.01)
    [live] = talk.runtime.engine.live._turns.values()
    async with talk.session.get(f"/api/v1/turns/{live.turn.id}/explain") as response:
        assert (response.status, (await response.json())["code"]) == (409, "conflict")
    more.set()
    assert (await explained(talk, (await said)["turnId"]))["turn"]["status"] == "done"
