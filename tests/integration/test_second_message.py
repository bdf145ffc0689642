"""What becomes of a message while an earlier one is being answered, and turns that are ended where they stand."""

import asyncio
from typing import Any

import pytest

from tenantry.engine.turn import Engine
from tenantry.server.runtime import Runtime
from tests.conftest import TenantForTest
from tests.integration.model_talk import REPLY, Talk, calling, model_talk
from tests.integration.valuation_service import serving
from tests.wire_server import paused, saying, streaming, waiting


def definition(policy: str, **more: Any) -> dict[str, Any]:
    return {"name": "Speaker", "on_new_message": policy, **more}


async def running(talk: Talk) -> str:
    """The id of the turn that is being answered, once its first words are there."""
    while True:
        for live in talk.runtime.engine.live._turns.values():
            if live.begun and any(event.type == "delta" for event in live.events):
                return str(live.turn.id)
        await asyncio.sleep(0.01)


async def test_queued_messages_are_answered_in_their_order(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, definition("queue")) as talk:
        more = asyncio.Event()
        answer = saying("One ", "answer.")
        talk.wire.script.extend([paused(answer[:2], more, answer[2:]), streaming(saying("Another."))])
        first = asyncio.create_task(talk.say("first"))
        await running(talk)
        second = asyncio.create_task(talk.say("second"))
        while len(talk.runtime.engine.live) < 2:
            await asyncio.sleep(0.01)
        more.set()
        assert [(await first)["reply"], (await second)["reply"]] == ["One answer.", "Another."]
        roles = [message["role"] for message in talk.wire.requests[1]["messages"]]
        assert roles == ["system", "user", "assistant", "user"]


async def test_a_newer_message_interrupts(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, definition("interrupt")) as talk:
        never = asyncio.Event()
        talk.wire.script.extend([paused(saying("I was just ", "about to")[:2], never, []), streaming(saying("Yes?"))])
        first = asyncio.create_task(talk.say("first"))
        await running(talk)
        second = await talk.say("second")
        told = await first
        assert (told["reply"], told["stopped"], told["degraded"]) == ("I was just", "interrupted", [])
        assert (second["reply"], second["stopped"]) == ("Yes?", None)
        await asyncio.wait_for(talk.wire.hung_up.wait(), 5)
        said = [(message["role"], message["content"]) for message in talk.wire.requests[1]["messages"][1:]]
        assert said == [("user", "first"), ("assistant", "I was just"), ("user", "second")]


async def test_an_interrupted_turn_without_a_word_has_no_reply(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, definition("interrupt")) as talk:
        never = asyncio.Event()
        talk.wire.script.extend([waiting(never), streaming(saying("Yes?"))])
        first = asyncio.create_task(talk.say("first"))
        while not talk.wire.requests:
            await asyncio.sleep(0.01)
        assert (await talk.say("second"))["reply"] == "Yes?"
        assert ((await first)["reply"], (await first)["stopped"]) == ("", "interrupted")
        said = [(message["role"], message["content"]) for message in talk.wire.requests[1]["messages"][1:]]
        assert said == [("user", "first"), ("user", "second")]


async def test_a_message_is_rejected_while_another_is_answered(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, definition("reject")) as talk:
        more = asyncio.Event()
        answer = saying("One ", "answer.")
        talk.wire.script.extend([paused(answer[:2], more, answer[2:]), streaming(saying("Another."))])
        first = asyncio.create_task(talk.say("first", idempotencyKey="k"))
        await running(talk)
        async with talk.session.post(REPLY, json=talk.body("second")) as response:
            problem = await response.json()
            assert (response.status, problem["code"], problem["retryable"]) == (409, "turn_in_progress", True)
            assert response.headers["Retry-After"]
        again = asyncio.create_task(talk.say("first", idempotencyKey="k"))  # a retry is no second message
        more.set()
        assert (await first)["reply"] == (await again)["reply"] == "One answer."
        assert (await talk.say("second"))["reply"] == "Another."
        events = await talk.get(f"/api/v1/conversations/{(await first)['conversationId']}/events")
        assert [e["data"]["text"] for e in events["items"]] == ["first", "One answer.", "second", "Another."]


async def test_a_turn_is_cancelled(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, definition("queue")) as talk:
        talk.wire.script.append(paused(saying("Let me ", "see")[:2], asyncio.Event(), []))
        first = asyncio.create_task(talk.say())
        turn_id = await running(talk)
        async with talk.session.post(f"/api/v1/turns/{turn_id}/cancel") as response:
            assert response.status == 200
        told = await first
        assert (told["reply"], told["stopped"]) == ("Let me", "cancelled")
        async with talk.session.post(f"/api/v1/turns/{turn_id}/cancel") as response:
            assert (await response.json())["result"]["stopped"] == "cancelled"


async def test_a_tool_that_was_begun_is_brought_to_its_end(runtime: Runtime, tenant: TenantForTest) -> None:
    async with serving() as service:
        http = {"url": f"{service.url}/hang", "timeout_s": 1}
        functions = [{"name": "order_photos", "http": http}]
        async with model_talk(runtime, tenant, definition("queue", functions=functions)) as talk:
            talk.wire.script.append(streaming(calling(("order_photos", {}))))
            first = asyncio.create_task(talk.say())
            while not service.received:
                await asyncio.sleep(0.01)
            [live] = talk.runtime.engine.live._turns.values()
            await talk.runtime.engine.stop(tenant.id, live.turn.id, "cancelled")
            told = await first
            assert (told["reply"], told["stopped"]) == ("", "cancelled")
            assert [call["name"] for call in told["toolCalls"]] == ["order_photos"]


async def test_another_process_ends_a_turn(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, definition("queue")) as talk:
        talk.wire.script.append(paused(saying("Let me ", "see")[:2], asyncio.Event(), []))
        first = asyncio.create_task(talk.say())
        turn_id = await running(talk)
        [live] = talk.runtime.engine.live._turns.values()
        assert await Engine(runtime.resources).stop(tenant.id, live.turn.id, "cancelled")
        await talk.runtime.engine.leases.renew(older_than_s=60)
        stops = await talk.runtime.engine.leases.renew(older_than_s=0)
        assert {str(turn): reason for (_, turn), reason in stops.items()} == {turn_id: "cancelled"}
        live.stop(stops[tenant.id, live.turn.id])
        assert (await first)["stopped"] == "cancelled"


@pytest.mark.parametrize("policy", ["sometimes", ""])
async def test_a_policy_that_is_none(runtime: Runtime, tenant: TenantForTest, policy: str) -> None:
    async with (
        model_talk(runtime, tenant, {"name": "Speaker"}) as talk,
        talk.session.post("/api/v1/agents", json={"definition": definition(policy), "publish": True}) as response,
    ):
        assert response.status == 422
        assert "on_new_message" in (await response.json())["errors"][0]["field"]
