"""A turn whose process died goes on from the tool calls that it had made, and makes none of them twice."""

from typing import Any
from uuid import UUID

import pytest

from tenantry.auth.identity import authenticate
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest
from tenantry.engine.accept import Intake, accept
from tenantry.engine.inbound import Inbound
from tenantry.engine.recovery import take_up
from tenantry.engine.turn import MAX_ATTEMPTS, Engine
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import tool_calls
from tests.conftest import TenantForTest
from tests.integration.model_talk import MODEL, Talk, calling, model_talk, saying
from tests.integration.valuation_service import Service, serving
from tests.wire_server import streaming

pytestmark = pytest.mark.usefixtures("unwatched")

ORDER = ToolCallRequest("c0", "order_photos", {"email": "ada@example.org"})


def definition(service: Service, *, idempotent: bool) -> dict[str, Any]:
    http = {"url": f"{service.url}/order", "idempotent": idempotent}
    return {
        "name": "Seller",
        "variables": [{"name": "email", "type": "email", "required": False}],
        "functions": [{"name": "order_photos", "variables": ["email"], "http": http}],
    }


async def die_in_a_turn(talk: Talk, tenant: TenantForTest, output: dict[str, Any] | None) -> UUID:
    """A turn whose process died: after the call was claimed or, with an output, after it was made."""
    who = await authenticate(talk.runtime.db, tenant.keys["mark"])
    inbound = Inbound(who, "http", "order them", agent_id=UUID(talk.agent_id), lead_id="ada", conversation_ref="c")
    lease = new_id()
    models = await talk.runtime.resources.models.of(talk.runtime.db, who.tenant)
    async with talk.runtime.db.tenant(tenant.id) as tx:
        turn = (await accept(tx, inbound, Intake(talk.runtime.resources, models, lease))).turn
        await tool_calls.claim(tx, turn.id, lease, 0, [ORDER], MODEL)
        if output is not None:
            await tool_calls.finish(tx, turn.id, 0, output)
        await tx.execute("UPDATE turns SET lease_expires_at = now() - interval '1 s' WHERE id = $1", turn.id)
    return turn.id


def answer(text: str) -> list[bytes]:
    return saying('{"system_response": "', text, '", "variables": {"email": null}, "quick_replies": []}')


async def test_what_was_done_is_told_to_the_model_and_not_done_again(runtime: Runtime, tenant: TenantForTest) -> None:
    async with serving() as service, model_talk(runtime, tenant, definition(service, idempotent=True)) as talk:
        turn_id = await die_in_a_turn(talk, tenant, {"status": "ok", "order": 7})
        talk.wire.script.append(streaming(answer("Ordered.")))
        assert await take_up(talk.runtime.engine, sole=False) == 1
        turn = await talk.get(f"/api/v1/turns/{turn_id}")
        assert (turn["result"]["reply"], turn["attempts"]) == ("Ordered.", 2)
        [call] = turn["result"]["tool_calls"]
        assert call["output"] == {"status": "ok", "order": 7}
        user, asked, told = talk.wire.requests[0]["messages"][1:]
        assert (user["content"], asked["tool_calls"][0]["function"]["name"]) == ("order them", "order_photos")
        assert '"order":7' in told["content"]
        assert service.received == []
        events = await talk.get(f"/api/v1/conversations/{turn['conversation_id']}/events")
        kinds = [event["type"] for event in events["items"]]
        assert kinds == ["message.received", "tool.called", "tool.finished", "reply"]


@pytest.mark.parametrize(("idempotent", "status", "sent"), [(True, "ok", 1), (False, "unknown", 0)])
async def test_a_call_that_was_cut_off_is_settled_first(
    runtime: Runtime, tenant: TenantForTest, idempotent: bool, status: str, sent: int
) -> None:
    async with serving() as service, model_talk(runtime, tenant, definition(service, idempotent=idempotent)) as talk:
        turn_id = await die_in_a_turn(talk, tenant, None)
        talk.wire.script.append(streaming(answer("We will see.")))
        await take_up(talk.runtime.engine, sole=False)
        turn = await talk.get(f"/api/v1/turns/{turn_id}")
        [call] = turn["result"]["tool_calls"]
        assert (call["output"]["status"], len(service.received)) == (status, sent)
        assert turn["result"]["degraded"] == ([] if idempotent else ["tool_outcome_unknown:order_photos"])
        if idempotent:
            assert service.last.headers["idempotency-key"] == f"{turn_id}:0"
        unknown = await talk.get("/api/v1/tool-calls")
        assert [item["turn_id"] for item in unknown["items"]] == ([] if idempotent else [str(turn_id)])


async def test_another_call_of_the_same_turn_has_another_name(runtime: Runtime, tenant: TenantForTest) -> None:
    async with serving() as service, model_talk(runtime, tenant, definition(service, idempotent=True)) as talk:
        turn_id = await die_in_a_turn(talk, tenant, {"status": "ok", "order": 7})
        user_id = str(tenant.members["mark"])
        again = calling(("order_photos", {"email": "bob@example.org", "user_id": user_id}))
        talk.wire.script.extend([streaming(again), streaming(answer("Both."))])
        await take_up(talk.runtime.engine, sole=False)
        assert [call.headers["idempotency-key"] for call in service.received] == [f"{turn_id}:1"]


async def test_the_form_policy_finds_what_it_had_done(runtime: Runtime, tenant: TenantForTest) -> None:
    functions = [{"name": "set_appointment", "variables": ["email"]}]
    variables = [{"name": "email", "type": "email"}]
    always = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "00:00", "closes": "24:00"}]
    made = {"name": "Booker", "variables": variables, "functions": functions, "business_hours": always}
    async with model_talk(runtime, tenant, made) as talk:
        said = await talk.say("I want an appointment, my email is ada@example.org", model="form-policy")
        while not said["toolCalls"] or said["toolCalls"][-1]["output"]["status"] != "booked":
            async with runtime.db.tenant(tenant.id) as tx:
                before = await tx.one("SELECT id, known, policy_state, last_event FROM conversations")
            said = await talk.say("Yes" if said["quickReplies"] else "Tomorrow at 10 am", model="form-policy")
        async with runtime.db.tenant(tenant.id) as tx:
            # As if the process had died after the booking and before the turn was stored.
            turn_id = UUID(said["turnId"])
            await tx.execute(
                "UPDATE conversations c SET known = $2::text::jsonb, policy_state = $3::text::jsonb, "
                "last_event = $4 + 1 WHERE c.id = $1",
                before["id"],
                before["known"],
                before["policy_state"],
                before["last_event"],
            )
            await tx.execute("DELETE FROM events WHERE turn_id = $1 AND type <> 'message.received'", turn_id)
            await tx.execute("DELETE FROM messages WHERE turn_id = $1 AND role = 'agent'", turn_id)
            await tx.execute("DELETE FROM turn_traces WHERE turn_id = $1", turn_id)
            await tx.execute("UPDATE turns SET status = 'running', result = NULL, lease_id = $2, lease_expires_at = "
                             "now() - interval '1 s' WHERE id = $1", turn_id, new_id())  # fmt: skip
        assert await take_up(Engine(runtime.resources), sole=False) == 1
        turn = await talk.get(f"/api/v1/turns/{turn_id}")
        assert (turn["result"]["reply"], turn["attempts"]) == (said["reply"], 2)
        assert turn["result"]["tool_calls"] == said["toolCalls"]
        async with runtime.db.tenant(tenant.id) as tx:
            assert await tx.value("SELECT count(*) FROM bookings") == 1
            assert await tx.value("SELECT count(*) FROM tool_calls WHERE turn_id = $1", turn_id) == len(
                said["toolCalls"]
            )


@pytest.mark.parametrize(("stopped", "sent", "status"), [(True, 1, "ok"), (False, 0, "unknown")])
async def test_a_turn_that_asks_no_model_any_more_tells_what_came_of_its_calls(
    runtime: Runtime, tenant: TenantForTest, stopped: bool, sent: int, status: str
) -> None:
    """A cancelled turn brings what it had begun to its end; one that was begun too often leaves it to a person."""
    async with serving() as service, model_talk(runtime, tenant, definition(service, idempotent=True)) as talk:
        turn_id = await die_in_a_turn(talk, tenant, None)
        change = "stop = 'cancelled'" if stopped else f"attempts = {MAX_ATTEMPTS}"
        async with runtime.db.tenant(tenant.id) as tx:
            await tx.execute(f"UPDATE turns SET {change} WHERE id = $1", turn_id)
        assert await take_up(talk.runtime.engine, sole=False) == 1
        turn = await talk.get(f"/api/v1/turns/{turn_id}")
        assert [call["output"]["status"] for call in turn["result"]["tool_calls"]] == [status]
        assert len(service.received) == sent
        unknown = await talk.get("/api/v1/tool-calls")
        assert [item["turn_id"] for item in unknown["items"]] == ([] if stopped else [str(turn_id)])
        async with runtime.db.tenant(tenant.id) as tx:
            assert await tx.value("SELECT status FROM tool_calls WHERE turn_id = $1", turn_id) == "done"
