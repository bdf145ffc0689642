"""Conversations do not wait for each other; messages into one conversation are answered one after the other."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from tenantry.llm.chat_completions.endpoint import Patience
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import ModelSettings, Settings
from tests.conftest import TenantForTest
from tests.held_model import PATIENCE_S, HeldModel, held_model
from tests.wire_server import KEY

MODEL = "maker/model-1"
CONVERSATIONS = 500


@dataclass
class Parallel:
    """A server whose model holds its answers, and what a tenant does with it."""

    model: HeldModel
    runtime: Runtime
    tenant: TenantForTest
    session: aiohttp.ClientSession
    talking: "list[asyncio.Task[tuple[int, dict[str, Any]]]]" = field(default_factory=list)

    async def agent(self, **more: Any) -> str:
        """An agent that just speaks."""
        definition = {"name": "Echo", **more}
        async with self.session.post("/api/v1/agents", json={"definition": definition, "publish": True}) as response:
            assert response.status == 201, await response.text()
            return (await response.json())["id"]

    async def say(self, agent_id: str, message: str, conversation: str) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer."""
        body = {"message": message, "agentId": agent_id, "leadId": conversation, "conversationId": conversation}
        async with self.session.post("/api/agent/reply", json=body) as response:
            return response.status, await response.json()

    def start(self, agent_id: str, message: str, conversation: str) -> "asyncio.Task[tuple[int, dict[str, Any]]]":
        """The same, not waited for."""
        self.talking.append(asyncio.create_task(self.say(agent_id, message, conversation)))
        return self.talking[-1]

    async def accepted(self, count: int) -> None:
        """Until this many turns of the tenant are stored."""
        async with asyncio.timeout(PATIENCE_S):
            while len(await self.turns()) < count:
                await asyncio.sleep(0.02)

    async def turns(self) -> list[tuple[str, str]]:
        """Status and message of each turn, in the order in which they were accepted in their conversation."""
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            rows = await tx.rows(
                "SELECT t.status, m.content FROM turns t JOIN messages m ON m.tenant_id = t.tenant_id "
                "AND m.turn_id = t.id AND m.role = 'contact' WHERE t.tenant_id = $1 ORDER BY t.number",
                self.tenant.id,
            )
        return [(row["status"], row["content"]) for row in rows]


@pytest.fixture
async def parallel(runtime: Runtime, tenant: TenantForTest) -> AsyncIterator[Parallel]:
    """A server of its own beside the session's, on the same database, that is patient with its model."""
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # However an endpoint is made: for the first token, between two, and for all of them.
        patch.setattr(Patience.__init__, "__defaults__", (PATIENCE_S, PATIENCE_S, 2 * PATIENCE_S, 0, 0.0, 0.0))
        model = await stack.enter_async_context(held_model())
        settings = Settings(runtime.settings.home, model=ModelSettings(MODEL, model.url, KEY))
        own = await stack.enter_async_context(open_runtime(settings))
        url = await stack.enter_async_context(serving(own, bind("127.0.0.1", 0)))
        session = aiohttp.ClientSession(
            url, headers={"Authorization": f"Bearer {tenant.key}"}, connector=aiohttp.TCPConnector(limit=0)
        )
        await stack.enter_async_context(session)
        made = Parallel(model, own, tenant, session)
        try:
            yield made
        finally:
            model.may_answer.set()
            await asyncio.gather(*made.talking, return_exceptions=True)


async def test_five_hundred_conversations_of_one_agent_at_once(parallel: Parallel) -> None:
    agent_id = await parallel.agent()
    saying = [parallel.start(agent_id, f"Number {number}", f"c-{number}") for number in range(CONVERSATIONS)]
    # Nobody is answered before everybody is being answered: had one to wait for another, this would not come.
    await parallel.model.until(lambda: parallel.model.open == CONVERSATIONS)
    parallel.model.may_answer.set()
    told = await asyncio.gather(*saying)
    assert [(status, body["reply"], body["degraded"]) for status, body in told] == [
        (200, f"You said: Number {number}", []) for number in range(CONVERSATIONS)
    ]
    assert parallel.model.peak == CONVERSATIONS
    assert len({body["conversationId"] for _, body in told}) == CONVERSATIONS


async def test_a_second_message_waits_for_the_first_one(parallel: Parallel) -> None:
    agent_id = await parallel.agent()
    first = parallel.start(agent_id, "One", "c")
    await parallel.model.until(lambda: parallel.model.open == 1)
    second = parallel.start(agent_id, "Two", "c")
    await parallel.accepted(2)
    assert await parallel.turns() == [("running", "One"), ("queued", "Two")]
    # Another conversation is not held up by them.
    other = parallel.start(agent_id, "Three", "d")
    await parallel.model.until(lambda: parallel.model.open == 2)
    parallel.model.may_answer.set()
    for task, word in ((first, "One"), (second, "Two"), (other, "Three")):
        status, told = await task
        assert (status, told["reply"], told["degraded"]) == (200, f"You said: {word}", [])
    (heard,) = [messages for messages in parallel.model.heard if messages[-1]["content"] == "Two"]
    assert [message["content"] for message in heard[1:]] == ["One", "You said: One", "Two"]


async def test_many_messages_at_once_are_answered_one_by_one_in_their_order(parallel: Parallel) -> None:
    agent_id = await parallel.agent()
    parallel.model.may_answer.set()
    await parallel.say(agent_id, "Zero", "c")
    words = [f"Word {number}" for number in range(12)]
    told = await asyncio.gather(*(parallel.say(agent_id, word, "c") for word in words))
    assert [(status, body["reply"]) for status, body in told] == [(200, f"You said: {word}") for word in words]
    assert parallel.model.peak == 1
    accepted = [message for _, message in await parallel.turns()]
    assert [messages[-1]["content"] for messages in parallel.model.heard] == accepted


async def test_a_second_message_is_rejected_where_the_agent_says_so(parallel: Parallel) -> None:
    agent_id = await parallel.agent(on_new_message="reject")
    first = parallel.start(agent_id, "One", "c")
    await parallel.model.until(lambda: parallel.model.open == 1)
    async with asyncio.timeout(10):
        status, told = await parallel.say(agent_id, "Two", "c")
    assert (status >= 400, told["retryable"]) == (True, True)
    assert await parallel.turns() == [("running", "One")]
    parallel.model.may_answer.set()
    assert (await first)[1]["reply"] == "You said: One"


async def test_a_second_message_interrupts_where_the_agent_says_so(parallel: Parallel) -> None:
    agent_id = await parallel.agent(on_new_message="interrupt")
    first = parallel.start(agent_id, "One", "c")
    await parallel.model.until(lambda: parallel.model.open == 1)
    second = parallel.start(agent_id, "Two", "c")
    async with asyncio.timeout(10):
        status, told = await first
    assert (status, told["reply"]) == (200, "You said:")
    parallel.model.may_answer.set()
    status, told = await second
    assert (status, told["reply"], told["degraded"]) == (200, "You said: Two", [])
    async with parallel.runtime.db.tenant(parallel.tenant.id) as tx:
        rows = await tx.rows("SELECT result FROM turns WHERE tenant_id = $1 ORDER BY number", parallel.tenant.id)
    assert [json.loads(row["result"])["stopped"] for row in rows] == ["interrupted", None]
