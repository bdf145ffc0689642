"""`POST /api/agent/reply`: whose conversation it is, idempotency, order, and bad input."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call

REPLY = "/api/agent/reply"


async def say(call: Call, key: str, message: str = "hello", **body: Any) -> dict[str, Any]:
    status, answer = await call(key, "POST", REPLY, json={"message": message, **body})
    assert status == 200, answer
    return answer


async def make_agent(call: Call, key: str, name: str = "Seller", **more: Any) -> str:
    status, agent = await call(
        key, "POST", "/api/v1/agents", json={"definition": {"name": name, **more}, "publish": True}
    )
    assert status == 201, agent
    return agent["id"]


async def test_the_answer_has_its_whole_shape(call: Call, tenant: TenantForTest) -> None:
    variables = [{"name": "email", "type": "email"}, {"name": "note", "type": "text", "required": False}]
    agent_id = await make_agent(call, tenant.key, variables=variables)
    answer = await say(call, tenant.key, "my email is ada@example.org", agentId=agent_id)
    assert set(answer) == {
        "reply", "quickReplies", "conversationId", "turnId", "agentId", "variables", "missing", "toolCalls", "degraded",
        "fields", "model", "usage", "stopped", "ended",
    }  # fmt: skip
    assert answer["agentId"] == agent_id
    assert answer["variables"] == {"email": "ada@example.org"}
    assert answer["degraded"] == []
    assert answer["reply"]


async def test_without_an_agent_the_active_one_answers_and_is_made(call: Call, tenant: TenantForTest) -> None:
    first = await say(call, tenant.key)
    _, config = await call(tenant.key, "GET", "/api/agent/config/active", params={"clientId": tenant.slug})
    assert (config["agentId"], config["clientId"]) == (first["agentId"], tenant.slug)
    other = await make_agent(call, tenant.key, "Other")
    status, config = await call(tenant.key, "PUT", "/api/agent/config/active", json={"agentId": other})
    assert (status, config["agentId"]) == (200, other)
    assert (await say(call, tenant.key))["agentId"] == other
    marks = await make_agent(call, tenant.keys["mark"])
    status, error = await call(tenant.key, "PUT", "/api/agent/config/active", json={"agentId": marks})
    assert (status, error["errors"][0]["field"]) == (422, "agentId")


async def test_a_conversation_goes_on_by_our_id_and_by_the_callers(call: Call, tenant: TenantForTest) -> None:
    first = await say(call, tenant.key, leadId="ada", conversationId="mine")
    for reference in ("mine", first["conversationId"]):
        again = await say(call, tenant.key, leadId="ada", conversationId=reference)
        assert again["conversationId"] == first["conversationId"]
    _, page = await call(tenant.key, "GET", f"/api/v1/conversations/{first['conversationId']}/events")
    assert [event["seq"] for event in page["items"]] == list(range(1, len(page["items"]) + 1))
    assert [event["type"] for event in page["items"]].count("message.received") == 3


async def test_a_conversation_id_never_reaches_another_contacts(call: Call, tenant: TenantForTest) -> None:
    adas = await say(call, tenant.key, leadId="ada", conversationId="same")
    for stranger in ({"leadId": "eve"}, {"leadEmail": "eve@example.org"}, {}):
        for reference in ("same", adas["conversationId"]):
            answer = await say(call, tenant.key, conversationId=reference, **stranger)
            assert answer["conversationId"] != adas["conversationId"]


async def test_a_contact_nobody_named_is_found_by_the_conversation_alone(call: Call, tenant: TenantForTest) -> None:
    by_reference = await say(call, tenant.key, conversationId="anonymous")
    assert (await say(call, tenant.key, conversationId="anonymous"))["conversationId"] == by_reference["conversationId"]
    by_us = await say(call, tenant.key)
    again = await say(call, tenant.key, conversationId=by_us["conversationId"])
    assert again["conversationId"] == by_us["conversationId"] != by_reference["conversationId"]


async def test_the_same_ids_in_two_tenants_and_of_two_members_stay_apart(
    call: Call, tenant: TenantForTest, make_tenant: MakeTenant
) -> None:
    other = await make_tenant()
    same = {"leadId": "ada", "conversationId": "same", "idempotencyKey": "same"}
    ids = {(await say(call, key, **same))["conversationId"] for key in (tenant.key, other.key)}
    for member in ("mark", "jon"):
        agent_id = await make_agent(call, tenant.keys[member])
        ids.add((await say(call, tenant.keys[member], agentId=agent_id, **same))["conversationId"])
    assert len(ids) == 4


async def test_a_lead_is_one_contact_by_id_and_by_address(call: Call, tenant: TenantForTest) -> None:
    both = await say(call, tenant.key, leadId="ada", leadEmail="Ada@Example.org", conversationId="c")
    by_email = await say(call, tenant.key, leadEmail="ada@example.org", conversationId="c")
    assert by_email["conversationId"] == both["conversationId"]


async def test_the_same_key_gets_the_same_answer_once(call: Call, tenant: TenantForTest, database: Database) -> None:
    rounds = 30
    for number in range(rounds):
        # In one conversation after the first, so that what is stored of one round meets what comes in of the next.
        body = {"leadId": "ada", "conversationId": "c", "idempotencyKey": f"once-{number}"}
        answers = await asyncio.gather(*(say(call, tenant.key, "hello", **body) for _ in range(8)))
        assert all(answer == answers[0] for answer in answers)
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT count(*) FROM messages WHERE role = 'contact'") == rounds
        assert await tx.value("SELECT count(*) FROM messages WHERE role = 'agent'") == rounds
    status, error = await call(tenant.key, "POST", REPLY, json={"message": "other", **body})
    assert (status, error["code"]) == (422, "idempotency_key_reused")


async def test_messages_into_one_conversation_are_answered_in_the_order_they_came(
    call: Call, tenant: TenantForTest, database: Database
) -> None:
    body = {"leadId": "ada", "conversationId": "c"}
    first = await say(call, tenant.key, "m0", **body)
    await asyncio.gather(*(say(call, tenant.key, f"m{number}", **body) for number in range(1, 13)))
    async with database.tenant(tenant.id) as tx:
        rows = await tx.rows("SELECT number, role FROM messages ORDER BY number")
        ended = await tx.rows("SELECT number FROM turns ORDER BY finished_at")
    assert [tuple(row) for row in rows] == [(number, "contact" if number % 2 else "agent") for number in range(1, 27)]
    assert [row["number"] for row in ended] == list(range(1, 14))
    _, conversation = await call(tenant.key, "GET", f"/api/v1/conversations/{first['conversationId']}")
    assert conversation["turns"] == 13


async def test_conversations_do_not_wait_for_each_other(call: Call, tenant: TenantForTest, database: Database) -> None:
    first = await say(call, tenant.key, leadId="ada", conversationId="stuck")
    async with database.tenant(tenant.id) as tx:
        # The lock that a turn takes in its conversation, held by someone else.
        await tx.row("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", first["conversationId"])
        waiting = asyncio.create_task(say(call, tenant.key, leadId="ada", conversationId="stuck"))
        await asyncio.gather(*(say(call, tenant.key, leadId=f"lead-{n}", conversationId="free") for n in range(5)))
        assert not waiting.done()
    assert (await waiting)["conversationId"] == first["conversationId"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_input"),
        ({"message": 5}, 422, "invalid_input"),
        ({"message": "x" * 8_001}, 422, "invalid_input"),
        ({"message": "x" * 100_000}, 422, "invalid_input"),
        ({"message": "x" * 600_000}, 413, "payload_too_large"),
        ({"message": "x", "surprise": 1}, 422, "invalid_input"),
        ({"message": "x", "model": "gpt-9"}, 422, "model_not_allowed"),
        ({"message": "x", "clientId": "somebody-else"}, 403, "forbidden"),
        ({"message": "x", "agentId": "not-a-uuid"}, 422, "invalid_input"),
        ({"message": "x", "agentId": str(uuid4())}, 404, "not_found"),
        ({"message": "x", "leadEmail": "nobody"}, 422, "invalid_input"),
        ({"message": "x", "leadId": "a\0b"}, 422, "invalid_input"),
        ({"message": "x", "leadId": "x" * 201}, 422, "invalid_input"),
        ({"message": "x", "conversationId": "a\nb"}, 422, "invalid_input"),
        ({"message": "x", "topic": "a\0b"}, 422, "invalid_input"),
        ({"message": "x", "idempotencyKey": ""}, 422, "invalid_input"),
    ],
)
async def test_bad_input_gets_a_clear_error(
    call: Call, tenant: TenantForTest, body: dict[str, Any], status: int, code: str
) -> None:
    got, error = await call(tenant.key, "POST", REPLY, json=body)
    assert (got, error["code"]) == (status, code)
    assert error["detail"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"x"'])
async def test_a_body_that_is_no_json_object_gets_a_clear_error(call: Call, tenant: TenantForTest, data: bytes) -> None:
    status, error = await call(tenant.key, "POST", REPLY, data=data)
    assert (status, error["code"]) == (422, "invalid_input")


HOSTILE = [
    "",
    " \n\t ",
    "\0\x01\x02\x1b[31m",
    "\u202eevil\u202c مرحبا بالعالم שלום",
    "'; DROP TABLE messages; --",
    "' OR 1=1 --",
    "{{7*7}} ${jndi:ldap://x} <script>alert(1)</script>",
    "%s %n %x {0} {message}",
    "\ud800",
    "👩‍👩‍👧‍👦" * 100,
    "9" * 8_000,
    "@" * 8_000,
    "a@" * 4_000,
    "http://" * 1_000,
    '{"message": "x"}',
    "next " * 1_600,
    "1/1/" * 2_000,
    "twenty " * 1_100,
]


@pytest.mark.parametrize("message", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_messages_get_an_answer(call: Call, tenant: TenantForTest, message: str) -> None:
    variables = [
        {"name": kind, "type": kind, **({"choices": ["red", "blue"]} if kind == "choice" else {})}
        for kind in ("text", "name", "address", "email", "phone", "number", "money", "date", "time", "choice", "yes_no")
    ]
    agent_id = await make_agent(call, tenant.key, variables=variables, functions=[{"name": "set_appointment"}])
    body = {"leadId": "eve", "conversationId": "c", "agentId": agent_id}
    for _ in range(2):
        answer = await say(call, tenant.key, message, **body)
        assert answer["reply"].strip()
        assert len(answer["reply"]) < 4_000
        assert answer["degraded"] == []


async def test_a_reply_needs_a_key_with_its_scope(call: Call, tenant: TenantForTest) -> None:
    for key in (None, "nonsense", "tnt_nonsense", tenant.key[:-4] + "AAAA"):
        status, error = await call(key, "POST", REPLY, json={"message": "x"})
        assert (status, error["code"]) == (401, "unauthenticated")
    status, error = await call(tenant.keys["vera"], "POST", REPLY, json={"message": "x"})
    assert (status, error["code"], error["scope"]) == (403, "forbidden", "reply")
