"""Calls between the server and their processes: claims, turns, what was heard, and the end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tenantry.client.call_session import CallSession, Unspoken, WorkerClient
from tenantry.client.errors import ApiError
from tenantry.domain.call import EndReason, Utterance
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import calls
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.call_parties import answer_to, opened, speaking_for, ticket_of, worker
from tests.integration.conftest import Call
from tests.integration.model_talk import model_talk
from tests.integration.test_reply_api import make_agent, say
from tests.wire_server import paused, saying, streaming

NOTHING = UUID(int=0)


@pytest.fixture
async def broker(url: str, session_home: Path) -> AsyncIterator[WorkerClient]:
    async with worker(url, session_home) as client:
        yield client


def said(position: int, text: str, turn_id: UUID | None = None, **more: Any) -> Utterance:
    return Utterance(position, turn_id, text, **{"heard": text, "interrupted": False, "timings": {}, **more})


async def history(call: Call, key: str, conversation_id: UUID) -> list[tuple[str, str]]:
    _, told = await call(key, "GET", f"/api/v1/conversations/{conversation_id}/events")
    return [(event["type"], event["data"].get("text", "")) for event in told["items"] if "text" in event["data"]]


async def test_a_call_from_its_ticket_to_its_end(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, broker: WorkerClient
) -> None:
    agent_id = await make_agent(
        call, tenant.key, "Anna", greeting="Good morning!", voice={"max_minutes": 2, "silence_s": 7}
    )
    made = await opened(call, tenant.key, agentId=agent_id, purpose="support")
    ticket = ticket_of(runtime, tenant.id, made["callId"])
    assert (await broker.read_ticket(ticket)).kinds == ("support",)
    claim = await broker.claim(ticket)
    assert (claim.call_id, claim.claim, claim.room) == (UUID(made["callId"]), 1, made["roomName"])
    assert (claim.greeting, claim.next_position, claim.ends_in_s) == ("Good morning!", 1, 120)
    assert (claim.agent_id, claim.agent_name) == (UUID(agent_id), "Anna")
    assert (claim.language, claim.voice.silence_s) == ("en", 7)
    assert (claim.keys.recognition, claim.keys.speech) == (None, None)
    async with speaking_for(url, claim) as session:
        assert (await session.beat(caller_there=True, answered=True)).hang_up is None
        await session.spoken(said(1, "Good morning!", timings={"first_audio": 91.04}))
        reply = await answer_to(session, "When are you open?", "1")
        again = await answer_to(session, "When are you open?", "1")
        assert (again.turn_id, again.reply) == (reply.turn_id, reply.reply)
        await session.spoken(said(2, reply.reply, reply.turn_id))
        await session.spoken(said(2, "told twice", reply.turn_id))
        async with runtime.db.tenant(tenant.id) as tx:
            kept = await calls.utterances(tx, claim.call_id)
            active = await calls.get(tx, claim.call_id, sees_only=None)
        assert [(u.position, u.turn_id, u.said) for u in kept] == [
            (1, None, "Good morning!"),
            (2, reply.turn_id, reply.reply),
        ]
        assert kept[0].timings == {"first_audio": 91.0}
        assert active and (active.status, active.local, active.recognition) == ("active", True, "local")
        async with runtime.db.tenant(tenant.id) as tx:
            await calls.ask_to_hang_up(tx, claim.call_id, EndReason.HUNG_UP)
        assert (await session.beat(caller_there=True, answered=True)).hang_up is EndReason.HUNG_UP
        await session.end(EndReason.HUNG_UP)
        with pytest.raises(ApiError) as over:
            await session.beat(caller_there=True, answered=True)
        assert over.value.code == "call_ended"
    for method in (broker.read_ticket, broker.claim):
        with pytest.raises(ApiError) as gone:
            await method(ticket)
        assert gone.value.code == "ticket_invalid"
    _, conversation = await call(tenant.key, "GET", f"/api/v1/conversations/{claim.conversation_id}")
    assert (conversation["channel"], conversation["agent_id"]) == ("voice", agent_id)


async def test_who_claims_last_speaks_and_goes_on(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, broker: WorkerClient
) -> None:
    made = await opened(call, tenant.key, agentId=await make_agent(call, tenant.key))
    ticket = ticket_of(runtime, tenant.id, made["callId"])
    first = await broker.claim(ticket)
    async with speaking_for(url, first) as session:
        await session.beat(caller_there=True, answered=True)
        await session.spoken(said(1, first.greeting))
        reply = await answer_to(session, "When are you open?", "1")
        # It dies before it can say so; the server has the answer.
        second = await broker.claim(ticket)
        with pytest.raises(ApiError) as superseded:
            await session.beat(caller_there=True, answered=True)
        assert (superseded.value.status, superseded.value.code) == (409, "call_ended")
        with pytest.raises(ApiError) as superseded:
            await answer_to(session, "Hello?", "2")
        assert superseded.value.code == "call_ended"
    assert (second.claim, second.greeting, second.next_position) == (2, "", 2)
    assert 1700 < second.ends_in_s < 1800
    async with speaking_for(url, second) as session:
        assert await session.unspoken() == Unspoken(reply.turn_id, reply.reply)
        await session.spoken(said(2, reply.reply, reply.turn_id))
        assert await session.unspoken() == Unspoken(None, None)
        await broker.lost(ticket, 1)
        await session.beat(caller_there=True, answered=True)
        await broker.lost(ticket, 2)
        with pytest.raises(ApiError) as lost:
            await session.beat(caller_there=True, answered=True)
        assert lost.value.code == "call_ended"
    async with runtime.db.tenant(tenant.id) as tx:
        assert await calls.dispatched(tx, second.call_id, not_since=timedelta(0)) == 2
    # The first dispatch was only slow: while nobody is there, it is welcome, and the second comes too late then.
    third = await broker.claim(ticket)
    assert (third.claim, third.next_position) == (3, 3)
    for late in (ticket, ticket_of(runtime, tenant.id, made["callId"], 2)):
        with pytest.raises(ApiError) as refused:
            await broker.claim(late)
        assert refused.value.code == "ticket_invalid"
    await broker.lost(ticket, 3)
    assert (await broker.claim(ticket_of(runtime, tenant.id, made["callId"], 2))).claim == 4


async def test_who_takes_over_waits_for_the_answer_in_the_making(
    runtime: Runtime, tenant: TenantForTest, session_home: Path
) -> None:
    async with model_talk(runtime, tenant, {"name": "Speaker"}) as talk:
        url = str(talk.session._base_url)
        async with talk.session.post("/api/livekit/token", json={"agentId": talk.agent_id}) as response:
            made = await response.json()
        ticket, go_on = ticket_of(runtime, tenant.id, made["callId"]), asyncio.Event()
        answer = saying("That would cost", " ten.")
        talk.wire.script.append(paused(answer[:2], go_on, answer[2:]))
        async with worker(url, session_home) as broker:
            async with speaking_for(url, await broker.claim(ticket)) as session:
                turn_id = await _first_words(session, "What does it cost?")
            async with speaking_for(url, await broker.claim(ticket)) as session:
                asked = asyncio.create_task(session.unspoken())
                assert not (await asyncio.wait([asked], timeout=0.3))[0]
                go_on.set()
                assert await asked == Unspoken(turn_id, "That would cost ten.")


async def test_the_history_has_what_was_heard_alone(
    runtime: Runtime, tenant: TenantForTest, session_home: Path
) -> None:
    async with model_talk(runtime, tenant, {"name": "Speaker"}) as talk:
        url = str(talk.session._base_url)
        async with talk.session.post("/api/livekit/token", json={"agentId": talk.agent_id}) as response:
            made = await response.json()
        async with worker(url, session_home) as broker:
            claim = await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
        never = asyncio.Event()
        talk.wire.script.extend(
            [
                streaming(saying("We are open from nine to five on every day.")),
                paused(saying("That would cost ten", " and more")[:2], never, []),
                streaming(saying("Yes?")),
                streaming(saying("Unheard.")),
                streaming(saying("Well.")),
            ]
        )
        async with speaking_for(url, claim) as session:
            reply = await answer_to(session, "When are you open?", "1")
            cut = said(1, reply.reply, reply.turn_id, heard="We are open from nine", interrupted=True)
            await session.spoken(cut)
            await session.spoken(cut)
            turn_id = await _first_words(session, "What does it cost?")
            await session.spoken(said(2, "That would cost ten", turn_id, heard="That would", interrupted=True))
            reply = await answer_to(session, "Hello", "3")
            await session.spoken(said(3, reply.reply, reply.turn_id))
            reply = await answer_to(session, "Still there?", "4")
            await session.spoken(said(4, reply.reply, reply.turn_id, heard="", interrupted=True))
            await answer_to(session, "Are you?", "5")
        told = [(m["role"], m["content"]) for m in talk.wire.requests[-1]["messages"] if m["role"] != "system"]
        assert told == [
            ("user", "When are you open?"),
            ("assistant", "We are open from nine"),
            ("user", "What does it cost?"),
            ("assistant", "That would"),
            ("user", "Hello"),
            ("assistant", "Yes?"),
            ("user", "Still there?"),
            ("user", "Are you?"),
        ]
        events = await talk.get(f"/api/v1/conversations/{claim.conversation_id}/events")
        heard = [event["data"]["text"] for event in events["items"] if event["type"] == "reply.heard"]
        assert heard == ["We are open from nine", "That would", ""]
        assert (await talk.get(f"/api/v1/turns/{turn_id}"))["result"]["stopped"] == "interrupted"


async def _first_words(session: CallSession, message: str) -> UUID:
    """The turn of a message whose answer has begun, and that nobody listens to any more."""
    turn_id = NOTHING
    async for event in session.say(message, idempotency_key=message):
        turn_id = UUID(event.data["turnId"]) if event.type == "accepted" else turn_id
        if event.type == "delta":
            break
    return turn_id


async def test_a_call_token_opens_its_call_and_nothing_else(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, make_tenant: MakeTenant, broker: WorkerClient
) -> None:
    agent_id = await make_agent(call, tenant.key)
    made = await opened(call, tenant.key, agentId=agent_id)
    claim = await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
    elsewhere = await say(call, tenant.key, "hello", agentId=agent_id)
    other = await make_tenant()
    strange = await say(call, other.key, "hello")
    async with speaking_for(url, claim) as session:
        for turn_id in (elsewhere["turnId"], strange["turnId"], str(NOTHING)):
            with pytest.raises(ApiError) as not_ours:
                await session.spoken(said(1, "hm", UUID(turn_id), heard="", interrupted=True))
            assert not_ours.value.code == "not_found"
    for path, body in (
        ("/api/agent/reply", {"message": "hello", "conversationId": str(claim.conversation_id)}),
        ("/api/livekit/token", {}),
        (f"/api/v1/conversations/{claim.conversation_id}/messages", {"text": "hello"}),
        ("/api/voice/claims", {"ticket": ticket_of(runtime, tenant.id, made["callId"])}),
    ):
        assert (await call(claim.call_token, "POST", path, json=body))[0] == 401
    beat = {"callerThere": True, "answered": False}
    forged = "tnc_" + claim.call_token[4:-8] + "AAAAAAAA"
    for key, code in ((tenant.key, 401), (None, 401), ("tnc_x", 401), (forged, 409), (claim.call_token, 200)):
        assert (await call(key, "POST", "/api/voice/call/beat", json=beat))[0] == code
    assert (await call(tenant.key, "POST", "/api/voice/claims", json={"ticket": "x"}))[0] == 401


async def test_an_engine_without_its_key_is_the_local_one(
    call: Call, runtime: Runtime, tenant: TenantForTest, broker: WorkerClient
) -> None:
    body = {"value": "dg-key"}
    assert (await call(tenant.key, "PUT", "/api/v1/secrets/deepgram", json=body))[0] == 200
    voice = {
        "recognition": {"provider": "deepgram", "model": "nova-3", "secret": "deepgram"},
        "speech": {"provider": "cartesia", "secret": "not there"},
        "record": True,
        "consent": "This call is recorded.",
    }
    agent_id = await make_agent(call, tenant.key, "Anna", greeting="Hello!", voice=voice)
    made = await opened(call, tenant.key, agentId=agent_id)
    assert made["consentText"] == "This call is recorded."
    claim = await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
    assert (claim.keys.recognition, claim.keys.speech) == ("dg-key", None)
    assert (claim.voice.recognition.provider, claim.voice.speech.provider) == ("deepgram", "local")
    assert claim.greeting == "Hello!"
    async with runtime.db.tenant(tenant.id) as tx:
        kept = await calls.get(tx, claim.call_id, sees_only=None)
    assert kept and (kept.recognition, kept.speech, kept.local) == ("deepgram/nova-3", "local", False)
