"""Calls over REST: which there are, what was said, hanging up, and who may see them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tenantry.client import TenantryClient
from tenantry.client.call_session import CallSession, WorkerClient
from tenantry.client.errors import ApiError
from tenantry.domain.call import EndReason, Utterance
from tenantry.domain.ids import new_id
from tenantry.lifecycle.erasure import erase_contact
from tenantry.server.runtime import Runtime
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.call_parties import answer_to, opened, speaking_for, ticket_of, worker
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent
from tests.integration.whole_database import tables_with

PATH = "/api/v1/calls"


@pytest.fixture
async def broker(url: str, session_home: Path) -> AsyncIterator[WorkerClient]:
    async with worker(url, session_home) as client:
        yield client


async def called(call: Call, tenant: TenantForTest, who: str = "mark", **body: Any) -> dict[str, Any]:
    """A call to an agent of the member's own."""
    agent_id = await make_agent(call, tenant.keys[who], f"{who}'s agent", greeting="Good morning!")
    return {"agent_id": agent_id, **await opened(call, tenant.keys[who], agentId=agent_id, **body)}


def utterance(position: int, text: str, turn_id: UUID | None = None, **more: Any) -> Utterance:
    return Utterance(position, turn_id, text, **{"heard": text, "interrupted": False, "timings": {}, **more})


async def talked(session: CallSession, word: str) -> UUID:
    """Greet, answer one question, and be interrupted; the turn's id."""
    await session.beat(caller_there=True, answered=True)
    await session.spoken(utterance(1, "Good morning!", timings={"first_audio": 100}))
    reply = await answer_to(session, f"Is there a {word}?", "1")
    cut = {"heard": "Yes", "interrupted": True, "timings": {"first_audio": 300, "voice_to_voice": 900}}
    await session.spoken(utterance(2, reply.reply, reply.turn_id, **cut))
    return reply.turn_id


async def test_a_call_is_shown_from_its_beginning_to_its_end(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, broker: WorkerClient
) -> None:
    made = await called(call, tenant, purpose="support")
    async with TenantryClient.open(url, tenant.key) as client:
        record = await client.calls.get(UUID(made["callId"]))
        assert (record.call.status, record.call.room, record.lines) == ("waiting", made["roomName"], ())
        assert (record.call.agents, record.call.recognition, record.call.local) == (0, "", None)
        claim = await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
        async with speaking_for(url, claim) as session:
            turn_id = await talked(session, "garden")
            assert [each.status async for each in client.calls.list(live=True)] == ["active"]
            assert [each async for each in client.calls.list(live=False)] == []
            assert (await client.calls.hang_up(claim.call_id)).hang_up == "hung_up"
            again = await client.calls.hang_up(claim.call_id)
            assert (again.status, again.end_reason) == ("active", None)
            assert (await session.beat(caller_there=True, answered=True)).hang_up is EndReason.HUNG_UP
            await session.end(EndReason.HUNG_UP)
        record = await client.calls.get(claim.call_id)
        [listed] = [each async for each in client.calls.list(live=False, conversation_id=claim.conversation_id)]
        assert [each async for each in client.calls.list(conversation_id=new_id())] == []
        ended = await client.calls.hang_up(claim.call_id)
    assert record.call == listed == ended
    assert (listed.status, listed.end_reason, listed.local, listed.agents) == ("ended", "hung_up", True, 1)
    assert listed.answered_at and listed.ended_at and listed.started_at <= listed.answered_at <= listed.ended_at
    assert (str(listed.agent_id), listed.owner_member_id) == (made["agent_id"], tenant.members["mark"])
    greeting, question, answer = record.lines
    assert (greeting.by, greeting.said, greeting.turn_id) == ("agent", "Good morning!", None)
    assert (question.by, question.said, question.turn_id) == ("caller", "Is there a garden?", turn_id)
    assert (answer.by, answer.heard, answer.interrupted, answer.turn_id) == ("agent", "Yes", True, turn_id)
    assert answer.said != answer.heard
    assert answer.timings == {"first_audio": 300, "voice_to_voice": 900}
    assert record.typical_timings == {"first_audio": 200, "voice_to_voice": 900}
    assert record.recorded_bytes == 0


async def test_a_call_that_no_agent_came_to_is_over_at_once(
    call: Call, runtime: Runtime, tenant: TenantForTest, broker: WorkerClient
) -> None:
    made = await called(call, tenant)
    status, ended = await call(tenant.keys["mark"], "POST", f"{PATH}/{made['callId']}/hang-up")
    assert (status, ended["status"], ended["end_reason"]) == (200, "ended", "hung_up")
    with pytest.raises(ApiError) as refused:
        await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
    assert refused.value.code == "ticket_invalid"
    _, log = await call(tenant.key, "GET", "/api/v1/audit")
    assert [(each["action"], each["actor"]) for each in log["items"] if each["target"] == f"call:{made['callId']}"] == [
        ("call.hung_up", f"member:{tenant.members['mark']}")
    ]


async def test_everybody_sees_their_own_calls(call: Call, make_tenant: MakeTenant) -> None:
    tenant, other = await make_tenant(), await make_tenant()
    marks, jons = await called(call, tenant, "mark"), await called(call, tenant, "jon")
    for key, seen in (
        (tenant.keys["mark"], {marks["callId"]}),
        (tenant.keys["jon"], {jons["callId"]}),
        (tenant.keys["vera"], set[str]()),
        (tenant.key, {marks["callId"], jons["callId"]}),
        (other.key, set[str]()),
    ):
        status, page = await call(key, "GET", PATH)
        assert (status, {each["id"] for each in page["items"]}) == (200, seen)
    for key in (tenant.keys["jon"], tenant.keys["vera"], other.keys["olga"], other.key):
        for path in (f"{PATH}/{marks['callId']}", f"{PATH}/{marks['callId']}/recording"):
            assert (await call(key, "GET", path))[0] == 404
    for key, refusal in ((tenant.keys["jon"], 404), (tenant.keys["vera"], 403), (other.key, 404)):
        assert (await call(key, "POST", f"{PATH}/{marks['callId']}/hang-up"))[0] == refusal
    _, still = await call(tenant.key, "GET", f"{PATH}/{marks['callId']}")
    assert (still["call"]["status"], still["call"]["hang_up"]) == ("waiting", None)
    _, first = await call(tenant.key, "GET", PATH, params={"limit": 1})
    _, rest = await call(tenant.key, "GET", PATH, params={"limit": 1, "cursor": first["next_cursor"]})
    assert [each["id"] for each in (*first["items"], *rest["items"])] == [jons["callId"], marks["callId"]]
    assert rest["next_cursor"] is None


async def test_a_contacts_calls_go_with_them_also_one_that_goes_on(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, broker: WorkerClient, session_home: Path
) -> None:
    word = f"zz{new_id().hex}"
    made = await called(call, tenant, user_id=f"lead-{word}")
    claim = await broker.claim(ticket_of(runtime, tenant.id, made["callId"]))
    async with speaking_for(url, claim) as session:
        await talked(session, word)
        await session.spoken(utterance(3, f"About the {word}"))
        assert "utterances" in await tables_with(session_home, word)
        _, contact = await call(tenant.key, "POST", "/api/v1/contacts/find", json={"leadId": f"lead-{word}"})
        receipt = await erase_contact(runtime.engine, tenant.id, UUID(contact["id"]), "key:test")
        assert (receipt.removed["calls"], receipt.removed["utterances"]) == (1, 3)
        assert await tables_with(session_home, word) == {}
        with pytest.raises(ApiError) as over:
            await session.beat(caller_there=True, answered=True)
        assert over.value.code == "call_ended"
    assert (await call(tenant.key, "GET", f"{PATH}/{made['callId']}"))[0] == 404
