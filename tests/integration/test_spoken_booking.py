"""Appointments by voice, with a recogniser that errs: what is booked is what the caller agreed to, or nothing is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any

import msgspec
import pytest

from tenantry.auth.identity import authenticate
from tenantry.domain.agent import (
    WEEKDAYS,
    AgentDefinition,
    AppointmentRules,
    Function,
    OpeningHours,
    Variable,
    VariableType,
)
from tenantry.domain.conversation import TurnResult
from tenantry.engine.inbound import Inbound
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import agent_versions
from tests.conftest import TenantForTest
from tests.integration.model_talk import calling, model_talk, saying
from tests.integration.spoken_caller import GOODBYE, Caller, Recogniser
from tests.wire_server import streaming

SELLER = AgentDefinition(
    name="Seller",
    greeting="Hi, this is the seller's assistant.",
    business_hours=(OpeningHours(days=WEEKDAYS, opens="00:00", closes="24:00"),),
    appointments=AppointmentRules(length_minutes=30, horizon_days=120),
    variables=(
        Variable("property_address", VariableType.ADDRESS, "What is the address of the property?"),
        Variable("email", VariableType.EMAIL, "What is your email?"),
    ),
    functions=(Function("set_appointment", variables=("property_address", "email")), Function("check_availability")),
)
EMAILS = ("mark@example.com", "jane.miller@example.com", "l.stone@example.org", "ned@example.com")
Say = Callable[[str, str], Awaitable[TurnResult]]


@pytest.fixture
async def say(runtime: Runtime, tenant: TenantForTest) -> Say:
    """`await say("caller-1", "hello")`: a turn over the voice channel with the seller's agent."""
    who = await authenticate(runtime.db, tenant.key)
    async with runtime.db.tenant(tenant.id) as tx:
        agent = await agent_versions.create_published(tx, SELLER, None, by="key:test")

    async def say_(caller: str, text: str) -> TurnResult:
        inbound = Inbound(who, "voice", text, agent_id=agent.id, lead_id=caller, conversation_ref=caller)
        return (await (await runtime.engine.begin(inbound)).result()).result

    return say_


async def booked(runtime: Runtime, tenant: TenantForTest) -> dict[str, Mapping[str, Any]]:
    """The details of the bookings in the tenant's calendar, by the ids of their callers."""
    async with runtime.db.tenant(tenant.id) as tx:
        rows = await tx.rows(
            "SELECT c.external_id AS caller, b.details, b.starts_at FROM bookings b JOIN conversations c "
            "ON c.tenant_id = b.tenant_id AND c.id = b.conversation_id WHERE b.status = 'confirmed'"
        )
    found = {row["caller"]: {**msgspec.json.decode(row["details"]), "at": row["starts_at"]} for row in rows}
    assert len(found) == len(rows)
    return found


def day(ahead: int) -> datetime:
    """3 pm of a day, that many from now."""
    return datetime.combine(datetime.now() + timedelta(days=ahead), time(15))


async def test_an_address_heard_wrong_is_caught_by_the_read_back(
    say: Say, runtime: Runtime, tenant: TenantForTest
) -> None:
    first = await say("c", "Um hi I'd like to sell my house.")
    assert SELLER.greeting not in first.reply
    await say("c", "it's one two three Main Street Springfield")
    heard_wrong = await say("c", "marquette example dot com")
    assert "m, a, r, q, u, e, t" in heard_wrong.reply
    corrected = await say("c", "no, it's M as in Mike, A, R, K, at example dot com")
    assert "m, a, r, k, at example dot com. Is that right?" in corrected.reply
    await say("c", "yep that's right")
    await say("c", f"{day(5):%B} {day(5).day} at three p.m.")
    assert await booked(runtime, tenant) == {}
    done = await say("c", "yeah that's correct")
    assert [call.name for call in done.tool_calls] == ["set_appointment"]
    details = (await booked(runtime, tenant))["c"]
    assert (details["email"], details["property_address"]) == ("mark@example.com", "123 Main Street, Springfield")
    assert not done.ended
    assert (await say("c", "no thank you")).ended


async def test_a_caller_who_leaves_is_told_that_nothing_is_booked(
    say: Say, runtime: Runtime, tenant: TenantForTest
) -> None:
    for said in ("12 Oak Street Springfield", "mark at example dot com", "no"):
        await say("c", said)
    left = await say("c", "forget it, goodbye")
    assert left.ended
    assert "Nothing is booked" in left.reply
    assert await booked(runtime, tenant) == {}


async def test_fifty_calls_book_what_was_agreed_to_or_nothing(
    say: Say, runtime: Runtime, tenant: TenantForTest
) -> None:
    callers = {
        f"caller-{seed}": Caller(
            EMAILS[seed % len(EMAILS)], f"{10 + seed} Oak Street", day(3 + seed), Recogniser.of(seed)
        )
        for seed in range(50)
    }
    ends = await asyncio.gather(*(_held(say, name, caller) for name, caller in callers.items()))
    found = await booked(runtime, tenant)
    for (name, caller), end in zip(callers.items(), ends, strict=True):
        assert end.ended, (name, end.reply)
        if name in found:
            assert (found[name]["email"], found[name]["at"].replace(tzinfo=None)) == (caller.email, caller.when), name
        else:
            assert "Nothing is booked" in end.reply, name
    assert len(found) >= 45
    assert sum(caller.refused > 0 for caller in callers.values()) >= 10


async def _held(say: Say, name: str, caller: Caller) -> TurnResult:
    result = await say(name, "hello")
    while not result.ended:
        said = caller.answer(result.reply)
        result = await say(name, said)
        if said == GOODBYE:
            break
    return result


async def test_a_language_model_ends_by_its_function(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, {"name": "Support", "functions": [{"name": "end_conversation"}]}) as talk:
        talk.wire.script.append(streaming(saying("Anything else?")))
        assert not (await talk.say("hello"))["ended"]
        user_id = str(tenant.members["mark"])
        talk.wire.script.append(streaming(calling(("end_conversation", {"user_id": user_id}))))
        talk.wire.script.append(streaming(saying("Goodbye!")))
        said = await talk.say("no, bye")
        assert (said["reply"], said["ended"]) == ("Goodbye!", True)
        talk.wire.script.append(streaming(saying("Yes?")))
        assert not (await talk.say("one more thing"))["ended"]
