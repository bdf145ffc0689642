"""Two servers on one database, of which one stands still for longer than its lease.

It takes as long as a lease does: it is part of the whole proof alone (TENANTRY_KILLS=300).
"""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tenantry.domain.agent import AgentDefinition
from tests.acceptance.killing import kept_database, make_parties, model_at, starter
from tests.held_model import held_model
from tests.integration.model_talk import events, text_of

WHOLE = int(os.environ.get("TENANTRY_KILLS", "0")) >= 300
TAKEN_WITHIN_S = 30.0


@pytest.mark.skipif(not WHOLE, reason="takes as long as a lease does; TENANTRY_KILLS=300 is the whole proof")
async def test_the_other_server_answers_and_the_first_one_says_so(home: Path) -> None:
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(held_model())
        url = (await stack.enter_async_context(kept_database(home))).url()
        parties = await make_parties(home, [AgentDefinition(name="Echo")])
        env = {**model_at(model.url), "DATABASE_URL": url}
        first, second = [await stack.enter_async_context(starter(home, **env)) for _ in range(2)]
        for server in (first, second):
            await server.fork()
            await server.ready()
        headers = {"Authorization": f"Bearer {parties.key}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        body = {"message": "Hello", "agentId": parties.agents[0], "idempotencyKey": "k", "stream": True}
        response = await stack.enter_async_context(session.post(f"{first.url}/api/agent/reply", json=body))
        await model.until(lambda: model.open == 1)
        os.kill(first.pid, signal.SIGSTOP)
        async with asyncio.timeout(TAKEN_WITHIN_S):
            await model.until(lambda: model.open == 2)
        model.may_answer.set()
        async with session.post(f"{second.url}/api/agent/reply", json={**body, "stream": False}) as answer:
            told = await answer.json()
        os.kill(first.pid, signal.SIGCONT)
        heard = [event async for event in events(response)]
        restarted = [event.type for event in heard].index("turn.restarted")
        assert heard[-1].data == told
        assert text_of(heard[restarted:]) == told["reply"] == "You said: Hello"
        async with session.get(f"{first.url}/api/v1/turns/{told['turnId']}") as answer:
            assert (await answer.json())["attempts"] == 2
        record = f"{first.url}/api/v1/conversations/{told['conversationId']}/events"
        async with session.get(record) as answer:
            assert [event["type"] for event in (await answer.json())["items"]] == ["message.received", "reply"]
        assert len(model.heard) == 2
