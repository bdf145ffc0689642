"""A process that stood still for longer than its lease: it makes no effect, stores nothing, and says what counts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from tenantry.auth.identity import authenticate
from tenantry.domain.conversation import Turn
from tenantry.domain.ids import new_id
from tenantry.engine import tool_loop
from tenantry.engine.accept import Intake, accept
from tenantry.engine.inbound import Inbound
from tenantry.engine.recovery import take_up
from tenantry.engine.tool_loop import Toolbox
from tenantry.engine.turn import Engine
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import turns
from tenantry.storage.repositories.turns import LEASE_S
from tests.conftest import TenantForTest
from tests.integration.model_talk import REPLY, Sse, Talk, calling, events, model_talk, saying, text_of
from tests.integration.valuation_service import Service, serving
from tests.wire_server import paused, streaming

pytestmark = pytest.mark.usefixtures("unwatched")


@dataclass
class Standstill:
    """Where the first that comes by stands still until it may go on."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def before(self, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def standing(*args: Any, **more: Any) -> Any:
            if not self.reached.is_set():
                self.reached.set()
                await self.go_on.wait()
            return await real(*args, **more)

        return standing


def ordering(service: Service, *, idempotent: bool) -> dict[str, Any]:
    http = {"url": f"{service.url}/order", "idempotent": idempotent}
    return {
        "name": "Seller",
        "variables": [{"name": "email", "type": "email", "required": False}],
        "functions": [{"name": "order_photos", "variables": ["email"], "http": http}],
    }


ORDER = calling(("order_photos", {"email": "ada@example.org"}))


def answer(text: str) -> list[bytes]:
    return saying('{"system_response": "', text, '", "variables": {"email": null}, "quick_replies": []}')


async def lose_leases(talk: Talk, tenant: TenantForTest) -> None:
    """As if the process had stood still for a lease's time."""
    held = talk.runtime.engine.leases._held
    for turn in held:
        held[turn] -= LEASE_S
    async with talk.runtime.db.tenant(tenant.id) as tx:
        await tx.execute("UPDATE turns SET lease_expires_at = now() - interval '1 s' WHERE status <> 'done'")


async def listen(talk: Talk) -> list[Sse]:
    async with talk.session.post(REPLY, json=talk.body(stream=True)) as response:
        return [event async for event in events(response)]


def after_restart(found: list[Sse]) -> list[Sse]:
    places = [index for index, event in enumerate(found) if event.type == "turn.restarted"]
    assert len(places) == 1
    return found[places[0] + 1 :]


async def explained(talk: Talk, turn_id: str) -> tuple[str, int, list[str]]:
    """The reply, the attempts, and what became of each call."""
    told = await talk.get(f"/api/v1/turns/{turn_id}")
    outputs = [call["output"]["status"] for call in told["result"]["tool_calls"]]
    return told["result"]["reply"], told["attempts"], outputs


@pytest.mark.parametrize("idempotent", [True, False])
async def test_between_the_claim_and_its_effect(
    runtime: Runtime, tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch, idempotent: bool
) -> None:
    still = Standstill()
    monkeypatch.setattr(Toolbox, "_one", still.before(Toolbox._one))
    async with serving() as service, model_talk(runtime, tenant, ordering(service, idempotent=idempotent)) as talk:
        talk.wire.script.extend([streaming(ORDER), streaming(answer("The other's answer."))])
        asked = asyncio.create_task(listen(talk))
        await still.reached.wait()
        await lose_leases(talk, tenant)
        assert await take_up(Engine(talk.runtime.resources), sole=False) == 1
        still.go_on.set()
        found = await asked
        assert [event.type for event in after_restart(found)] == ["delta", "done"]
        assert text_of(after_restart(found)) == found[-1].data["reply"] == "The other's answer."
        outcome = ["ok"] if idempotent else ["unknown"]
        assert await explained(talk, found[-1].data["turnId"]) == ("The other's answer.", 2, outcome)
        assert len(service.received) == (1 if idempotent else 0)


@pytest.mark.parametrize("other_is_done", [True, False])
async def test_before_it_stores(
    runtime: Runtime, tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch, other_is_done: bool
) -> None:
    still = Standstill()
    monkeypatch.setattr(Engine, "_store", still.before(Engine._store))
    async with model_talk(runtime, tenant, {"name": "Speaker"}) as talk:
        more = asyncio.Event()
        second = saying("The other's ", "answer.")
        talk.wire.script.extend([streaming(saying("My own answer.")), paused(second[:2], more, second[2:])])
        asked = asyncio.create_task(listen(talk))
        await still.reached.wait()
        await lose_leases(talk, tenant)
        other = asyncio.create_task(take_up(Engine(talk.runtime.resources), sole=False))
        while len(talk.wire.requests) < 2:
            await asyncio.sleep(0.01)
        if other_is_done:
            more.set()
            await other
        still.go_on.set()
        if not other_is_done:
            engine = talk.runtime.engine
            while not any(live.begun for live in engine.live._turns.values()):
                await asyncio.sleep(0.01)
            assert not asked.done()
            more.set()
            await other
        found = await asked
        assert text_of(after_restart(found)) == found[-1].data["reply"] == "The other's answer."
        record = await talk.get(f"/api/v1/conversations/{found[-1].data['conversationId']}/events")
        assert [event["type"] for event in record["items"]] == ["message.received", "reply"]
        assert await explained(talk, found[-1].data["turnId"]) == ("The other's answer.", 2, [])


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_claim_of_which_nobody_knows_whether_it_was_made(
    runtime: Runtime, tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch, idempotent: bool
) -> None:
    """The turn is ours still: it is begun again at once, and takes the call for one that may have been made."""
    real, lost = tool_loop.persist, asyncio.Event()

    async def persist(db: Any, tenant_id: UUID, act: Any) -> Any:
        if act.func is tool_loop._claim and not lost.is_set():
            lost.set()
            await real(db, tenant_id, act)
        return await real(db, tenant_id, act)

    monkeypatch.setattr(tool_loop, "persist", persist)
    async with serving() as service, model_talk(runtime, tenant, ordering(service, idempotent=idempotent)) as talk:
        talk.wire.script.extend([streaming(ORDER), streaming(answer("Done with it."))])
        async with asyncio.timeout(10):
            said = await talk.say()
        outcome = ["ok"] if idempotent else ["unknown"]
        assert await explained(talk, said["turnId"]) == ("Done with it.", 2, outcome)
        assert len(service.received) == (1 if idempotent else 0)


async def leave(talk: Talk, tenant: TenantForTest, message: str, **more: Any) -> UUID:
    """A turn whose process died before it was launched."""
    who = await authenticate(talk.runtime.db, tenant.keys["mark"])
    inbound = Inbound(who, "http", message, agent_id=UUID(talk.agent_id), lead_id="ada", **more)
    models = await talk.runtime.resources.models.of(talk.runtime.db, who.tenant)
    async with talk.runtime.db.tenant(tenant.id) as tx:
        left = (await accept(tx, inbound, Intake(talk.runtime.resources, models, new_id()))).turn
        await tx.execute("UPDATE turns SET lease_expires_at = now() - interval '1 s' WHERE status <> 'done'")
    return left.id


@pytest.mark.parametrize("retry_is_late", [True, False])
async def test_the_same_message_comes_again_while_its_turn_is_taken_up(
    runtime: Runtime, tenant: TenantForTest, monkeypatch: pytest.MonkeyPatch, retry_is_late: bool
) -> None:
    still, real = Standstill(), turns.start
    async with model_talk(runtime, tenant, {"name": "Speaker"}) as talk:
        talk.wire.script.append(streaming(saying("Once.")))
        engine = talk.runtime.engine

        async def start(*args: Any, **more: Any) -> Turn | None:
            if not still.reached.is_set():
                still.reached.set()
                await still.go_on.wait()
            elif retry_is_late:
                # Only when the turn is begun by the one that takes it up, who finds it waited for by then.
                while not engine._handed:
                    await asyncio.sleep(0.01)
            return await real(*args, **more)

        monkeypatch.setattr(turns, "start", start)
        turn_id = await leave(talk, tenant, "hello", conversation_ref="c", idempotency_key="k")
        taking = asyncio.create_task(take_up(engine, sole=False))
        await still.reached.wait()
        again = asyncio.create_task(talk.say(idempotencyKey="k"))
        while engine.live.get(tenant.id, turn_id) is None:
            await asyncio.sleep(0.01)
        if not retry_is_late:
            await again
        still.go_on.set()
        async with asyncio.timeout(10):
            said = await again
            await taking
        assert (said["turnId"], said["reply"]) == (str(turn_id), "Once.")
        assert await explained(talk, str(turn_id)) == ("Once.", 2, [])
        assert engine._handed == {}


async def test_a_turn_that_takes_long_keeps_no_other_conversation_waiting(
    runtime: Runtime, tenant: TenantForTest
) -> None:
    async with model_talk(runtime, tenant, {"name": "Speaker"}) as talk:
        more = asyncio.Event()
        parts = saying("At ", "last.")
        talk.wire.script.append(paused(parts[:2], more, parts[2:]))
        slow = await leave(talk, tenant, "hello", conversation_ref="slow")
        quick = [
            await leave(talk, tenant, message, conversation_ref="quick", model="form-policy")
            for message in ("one", "two", "three")
        ]
        taking = asyncio.create_task(take_up(talk.runtime.engine, sole=False))
        async with asyncio.timeout(10):
            for turn_id in quick:
                while (await talk.get(f"/api/v1/turns/{turn_id}"))["status"] != "done":
                    await asyncio.sleep(0.01)
        assert (await talk.get(f"/api/v1/turns/{slow}"))["status"] == "running"
        more.set()
        assert await taking == 4


async def test_turns_that_were_begun_often_are_begun_a_few_at_a_time(runtime: Runtime, tenant: TenantForTest) -> None:
    async with model_talk(runtime, tenant, {"name": "Speaker"}) as talk:
        left = [await leave(talk, tenant, "hello", conversation_ref=f"{number}") for number in range(6)]
        async with runtime.db.tenant(tenant.id) as tx:
            for number, turn_id in enumerate(left):
                await tx.execute("UPDATE turns SET attempts = $2 WHERE id = $1", turn_id, 9 - number)
        more, parts = asyncio.Event(), saying("Done.")
        talk.wire.script.extend([paused(parts[:1], more, parts[1:])] * len(left))
        taking = asyncio.create_task(take_up(talk.runtime.engine, sole=False))
        while len(talk.wire.requests) < 4:
            await asyncio.sleep(0.01)
        begun = {turn.turn.id for turn in talk.runtime.engine.live._turns.values()}
        # Those that were begun the fewest times come first.
        assert begun == set(left[2:])
        more.set()
        assert await taking == 6
