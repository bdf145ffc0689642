"""Replies while they grow: over server-sent events and a WebSocket, and taken up again where they were lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.auth.identity import authenticate
from tenantry.domain.access import Scope
from tenantry.engine.turn import Engine
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.storage.repositories import api_keys
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.model_talk import REPLY, Sse, Talk, calling, events, model_talk, text_of
from tests.wire_server import paused, saying, streaming

WORDS = ["One ", "two ", "three ", "four."]


@pytest.fixture
async def talk(runtime: Runtime, tenant: TenantForTest) -> AsyncIterator[Talk]:
    definition = {"name": "Speaker", "functions": [{"name": "check_availability"}]}
    async with model_talk(runtime, tenant, definition) as made:
        yield made


async def stream(talk: Talk, message: str = "hello", **more: Any) -> list[Sse]:
    async with talk.session.post(REPLY, json=talk.body(message, stream=True, **more)) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        return [event async for event in events(response)]


async def conversation(talk: Talk, conversation_id: str, after: str = "0") -> list[Sse]:
    path = f"/api/v1/conversations/{conversation_id}/stream"
    async with talk.session.get(path, params={"follow": "false"}, headers={"Last-Event-ID": after}) as response:
        assert response.status == 200, await response.text()
        return [event async for event in events(response)]


async def test_the_answer_comes_as_it_grows(talk: Talk) -> None:
    talk.wire.script.append(streaming(saying(*WORDS)))
    found = await stream(talk, idempotencyKey="k")
    assert (found[0].type, found[-1].type) == ("accepted", "done")
    done = found[-1].data
    assert text_of(found) == done["reply"] == "One two three four."
    assert done["conversationId"] == found[0].data["conversationId"]
    assert done["usage"]["inputTokens"] == 12
    # Under the same key the same answer, streamed or not, and nothing is asked again.
    again = await stream(talk, idempotencyKey="k")
    assert (text_of(again), again[-1].data) == (done["reply"], done)


async def test_the_first_words_come_before_the_last(talk: Talk) -> None:
    more = asyncio.Event()
    answer = saying(*WORDS)
    talk.wire.script.append(paused(answer[:2], more, answer[2:]))
    async with (
        talk.session.post(REPLY, json=talk.body(stream=True)) as response,
        aclosing(events(response)) as coming,
    ):
        first = [await anext(coming), await anext(coming)]
        assert text_of(first) == "One "
        more.set()
        rest = [event async for event in coming]
    assert text_of([*first, *rest]) == "One two three four."


async def test_tools_are_told_as_they_run(talk: Talk) -> None:
    talk.wire.script.extend([streaming(calling(("check_availability", {}))), streaming(saying("Free."))])
    found = await stream(talk)
    assert [event.type for event in found] == ["accepted", "tool.called", "tool.finished", "delta", "done"]
    assert found[1].data["name"] == "check_availability"
    assert found[2].data["output"] == found[-1].data["toolCalls"][0]["output"]


@pytest.mark.parametrize("finished", [False, True])
async def test_a_lost_stream_goes_on_where_it_was_lost(talk: Talk, finished: bool) -> None:
    more = asyncio.Event()
    answer = saying(*WORDS)
    call = streaming(calling(("check_availability", {})))
    talk.wire.script.extend([call, paused(answer[:3], more, answer[3:])])
    async with talk.session.post(REPLY, json=talk.body(stream=True)) as response:
        heard: list[Sse] = []
        async for event in events(response):
            heard.append(event)
            if text_of(heard) == "One two ":
                break
    # The client is gone; the turn is not.
    conversation_id, turn_id = heard[0].data["conversationId"], heard[0].data["turnId"]
    if finished:
        more.set()
        while (await talk.get(f"/api/v1/turns/{turn_id}"))["status"] != "done":
            await asyncio.sleep(0.01)
        rest = await conversation(talk, conversation_id, heard[-1].id)
    else:
        reading = asyncio.create_task(conversation(talk, conversation_id, heard[-1].id))
        more.set()
        rest = await reading
    assert text_of([*heard, *rest]) == "One two three four."
    told = [event.type for event in [*heard, *rest] if event.type not in {"accepted", "delta"}]
    assert told == ["tool.called", "tool.finished", "reply"]
    # Every cursor on the way leads to the same whole.
    for index, event in enumerate(heard):
        again = await conversation(talk, conversation_id, event.id)
        assert text_of([*heard[: index + 1], *again]) == "One two three four."


async def test_a_conversation_is_told_from_its_beginning(talk: Talk) -> None:
    talk.wire.script.extend([streaming(saying("One.")), streaming(saying("Two."))])
    first = await talk.say("first")
    await talk.say("second")
    found = await conversation(talk, first["conversationId"])
    assert [event.type for event in found] == ["message.received", "reply", "message.received", "reply"]
    assert [event.data["text"] for event in found] == ["first", "One.", "second", "Two."]
    assert await conversation(talk, first["conversationId"], found[-1].id) == []
    async with talk.session.get(
        f"/api/v1/conversations/{first['conversationId']}/stream", params={"after": "nowhere"}
    ) as response:
        assert (response.status, (await response.json())["code"]) == (422, "invalid_input")


async def test_a_socket_speaks_both_ways(talk: Talk) -> None:
    async with talk.session.post("/api/v1/conversations", json={"agent_id": talk.agent_id}) as response:
        made = await response.json()
        assert response.status == 201, made
    talk.wire.script.append(streaming(saying(*WORDS)))
    async with talk.session.ws_connect(f"/api/v1/conversations/{made['id']}/socket") as socket:
        await socket.send_json({"type": "message", "text": "hello", "idempotency_key": "k"})
        found: list[dict[str, Any]] = []
        while not found or found[-1]["type"] != "reply":
            found.append(await socket.receive_json())
        await socket.send_json({"type": "shout"})
        assert (await socket.receive_json())["data"]["code"] == "invalid_input"
    kinds = [frame["type"] for frame in found]
    assert sorted({*kinds}) == ["accepted", "delta", "message.received", "reply"]
    said = "".join(frame["data"]["text"] for frame in found if frame["type"] == "delta")
    assert said == found[-1]["data"]["text"] == "One two three four."


async def test_whom_a_socket_is_refused(talk: Talk, make_tenant: MakeTenant) -> None:
    async with talk.session.post("/api/v1/conversations", json={"agent_id": talk.agent_id}) as response:
        path = f"/api/v1/conversations/{(await response.json())['id']}/socket"
    other = await make_tenant()
    for key, status in ((None, 401), ("tnt_none", 401), (other.key, 404)):
        headers = {"Authorization": f"Bearer {key}"} if key else {"Authorization": "none"}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await talk.session.ws_connect(path, headers=headers)
        assert refused.value.status == status
    # A browser cannot set the header.
    key = talk.session.headers["Authorization"].removeprefix("Bearer ")
    protocols = ("tenantry.v1", f"key.{key}")
    async with (
        aiohttp.ClientSession(talk.session._base_url) as bare,
        bare.ws_connect(path, protocols=protocols) as open,
    ):
        assert open.protocol == "tenantry.v1"


async def test_a_stream_that_waits_does_not_hold_the_server_up(runtime: Runtime, tenant: TenantForTest) -> None:
    own = replace(runtime, engine=Engine(runtime.resources))
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with asyncio.timeout(8), aiohttp.ClientSession(headers=headers) as session:
        async with serving(own, bind("127.0.0.1", 0)) as url:
            async with session.post(f"{url}/api/v1/conversations", json={}) as response:
                path = f"{url}/api/v1/conversations/{(await response.json())['id']}"
            waiting = await session.get(f"{path}/stream")
            socket = await session.ws_connect(f"{path}/socket")
        assert await waiting.content.read() == b":\n\n"
        assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_a_revoked_key_says_nothing_more_through_its_open_socket(talk: Talk, tenant: TenantForTest) -> None:
    key = make_key(tenant.id)
    async with talk.runtime.db.operator(tenant.id) as tx:
        key_id = await api_keys.create(
            tx, key_hash=hash_key(key), name="gone", member_id=None, scopes=frozenset({*Scope})
        )
    async with talk.session.post("/api/v1/conversations", json={"agent_id": talk.agent_id}) as response:
        path = f"/api/v1/conversations/{(await response.json())['id']}"
    async with talk.session.ws_connect(f"{path}/socket", headers={"Authorization": f"Bearer {key}"}) as socket:
        async with talk.runtime.db.operator(tenant.id) as tx:
            assert await api_keys.revoke(tx, key_id)
        await socket.send_json({"type": "message", "text": "hello"})
        assert (await socket.receive_json())["data"]["code"] == "unauthenticated"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert (await talk.get(path))["turns"] == 0


async def test_a_revoked_key_hears_nothing_more(talk: Talk, tenant: TenantForTest) -> None:
    async with talk.session.post("/api/v1/conversations", json={"agent_id": talk.agent_id}) as response:
        path = f"/api/v1/conversations/{(await response.json())['id']}"
    who = await authenticate(talk.runtime.db, tenant.keys["mark"])
    async with (
        asyncio.timeout(10),
        talk.session.get(f"{path}/stream") as waiting,
        talk.session.ws_connect(f"{path}/socket") as socket,
    ):
        async with talk.runtime.db.tenant(tenant.id) as tx:
            assert await api_keys.revoke(tx, who.key_id)
        assert set(await waiting.content.read()) == {*b":\n"}
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
