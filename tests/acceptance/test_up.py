"""`tenantry up` as in the README: an empty folder, the curl line as pasted, ctrl-C, and `kill -9` under load."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from tenantry.cli.demo.seed import JON, MARK
from tenantry.credentials.master_key import load_master_key
from tenantry.settings import DatabaseSettings
from tenantry.storage.opening import open_database
from tenantry.storage.repositories import tenants
from tests.acceptance.commands import Up, all_gone, up


async def test_an_empty_folder_answers_as_the_readme_says_and_leaves_nothing_running(home: Path) -> None:
    async with up(home) as server:
        async with aiohttp.ClientSession(server.url) as session, session.get("/readyz") as ready:
            assert ready.status == 200
        curl = next(line for line in server.printed.splitlines() if line.strip().startswith("curl"))
        process = await asyncio.create_subprocess_shell(curl, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        answer = json.loads(output)
        assert answer["variables"]["property_address"] == "123 Main Street, Springfield"
        assert answer["missing"][0] in ("email", "property_address")
        await _check_demo_members(server)
        tree = server.tree()
        assert len(tree) > 2
        assert await server.end(signal.SIGINT) == 0
        assert await all_gone(tree)
    async with up(home) as server:
        assert "key create" in server.printed
        assert await server.end(signal.SIGTERM) == 0


async def _check_demo_members(server: Up) -> None:
    """They are those of the requirements."""
    for email, wanted in (
        (MARK, {"property_address": True, "email": True, "asking_price": False}),
        (JON, {"property_address": True, "email": True, "phone": True}),
    ):
        agents = await _agents(server, server.key(email))
        assert [agent["definition"]["name"] for agent in agents] == ["Property Seller Agent"]
        variables = agents[0]["definition"]["variables"]
        assert {variable["name"]: variable["required"] for variable in variables} == wanted


CALLERS = 100
SCRIPT = (
    "Hi, I want to sell {number} Main Street, Springfield",
    "my email is caller{number}@example.org",
    "my number is 212 555 0147",
    "yes, that is right",
    "next Tuesday at three pm",
    "the first one",
    "the second one",
)


class Caller:
    """One of the hundred: says its lines one after the other, and keeps to a line until it is answered."""

    def __init__(self, number: int, agent_id: str) -> None:
        self.number = number
        self.agent_id = agent_id
        self.answers: list[dict[str, Any]] = []

    async def talk(self, url: str, key: str) -> None:
        """Go on from the first line that has no answer; raises ClientError when the server goes away."""
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(url, headers=headers) as session:
            while len(self.answers) < len(SCRIPT):
                body = {
                    "message": SCRIPT[len(self.answers)].format(number=self.number),
                    "agentId": self.agent_id,
                    "leadId": f"caller-{self.number}",
                    "conversationId": f"call-{self.number}",
                    "idempotencyKey": f"{self.number}-{len(self.answers)}",
                }
                async with session.post("/api/agent/reply", json=body) as response:
                    assert response.status == 200, await response.text()
                    self.answers.append(await response.json())


async def _agents(server: Up, key: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session, session.get("/api/v1/agents") as page:
        return (await page.json())["items"]


async def _answered(callers: list[Caller], count: int) -> None:
    while sum(len(caller.answers) for caller in callers) < count:
        await asyncio.sleep(0.01)


async def _kill_in_the_middle(server: Up, callers: list[Caller], key: str, after: int) -> None:
    talking = [asyncio.create_task(caller.talk(server.url, key)) for caller in callers]
    await asyncio.wait_for(_answered(callers, after), 60)
    tree = server.tree()
    await server.end(signal.SIGKILL)
    await asyncio.gather(*talking, return_exceptions=True)
    assert any(isinstance(task.exception(), aiohttp.ClientError) for task in talking)
    assert await all_gone(tree)


async def test_killed_in_a_hundred_conversations_nothing_is_lost_or_booked_twice(installed: Path) -> None:
    async with up(installed) as server:
        key = server.key(JON)
        agent_id = (await _agents(server, key))[0]["id"]
        callers = [Caller(number, agent_id) for number in range(CALLERS)]
        await _kill_in_the_middle(server, callers, key, 150)
    for after in (350, 550):
        async with up(installed) as server:
            await _kill_in_the_middle(server, callers, key, after)
    async with up(installed) as server:
        await asyncio.gather(*(caller.talk(server.url, key) for caller in callers))
        assert await server.end(signal.SIGINT) == 0
    await _check(installed, callers)


async def _check(home: Path, callers: list[Caller]) -> None:
    master = load_master_key(home, None)
    async with open_database(home, DatabaseSettings(), master.password) as opened:
        async with opened.db.operator() as tx:
            tenant = await tenants.find(tx, "peterei")
        assert tenant is not None
        async with opened.db.tenant(tenant.id) as tx:
            messages = await tx.rows(
                "SELECT c.external_id, m.number, m.content FROM messages m "
                "JOIN conversations c ON c.id = m.conversation_id ORDER BY 1, 2"
            )
            unfinished = await tx.value("SELECT count(*) FROM turns WHERE status <> 'done'")
            overlaps = await tx.value(
                "SELECT count(*) FROM bookings a JOIN bookings b ON a.calendar_id = b.calendar_id AND a.id < b.id "
                "AND a.blocked && b.blocked WHERE a.status = 'confirmed' AND b.status = 'confirmed'"
            )
            booked = Counter(row[0] for row in await tx.rows(
                "SELECT c.external_id FROM bookings b JOIN conversations c ON c.id = b.conversation_id "
                "WHERE b.status = 'confirmed'"
            ))  # fmt: skip
    assert unfinished == 0
    assert overlaps == 0
    assert booked
    assert set(booked.values()) == {1}
    for caller in callers:
        said = [row for row in messages if row[0] == f"call-{caller.number}"]
        expected: list[str] = []
        for line, answer in zip(SCRIPT, caller.answers, strict=True):
            expected += [line.format(number=caller.number), answer["reply"]]
        assert [row[2] for row in said] == expected
        told = [
            call["output"]["status"] for answer in caller.answers for call in answer["toolCalls"]
            if call["name"] == "set_appointment"
        ]  # fmt: skip
        assert told.count("booked") == booked.get(f"call-{caller.number}", 0)
