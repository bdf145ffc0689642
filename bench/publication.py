"""How soon a version that is published in one process answers in another, both on one database.

usage: python -m bench.publication
"""

import asyncio
import os
import secrets
import sys
import time

import aiohttp
from rich.console import Console

from bench.servers import free_port, new_folder, process, tenantry_server, until_listening

PUBLICATIONS = 50
GOAL_MS = 100


async def main() -> None:
    """Measure and print."""
    home = new_folder() / "home"
    async with tenantry_server(home) as up:
        port = free_port()
        env = os.environ | {"TENANTRY_HOME": str(home), "TENANTRY_LOG_LEVEL": "warning"}
        # The second process finds the first one's database under the same home.
        async with process(sys.executable, "-m", "tenantry", "up", "--port", str(port), env=env) as second:
            await until_listening(port, second)
            headers = {"Authorization": f"Bearer {up.key}"}
            async with (
                aiohttp.ClientSession(up.server.url, headers=headers) as here,
                aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as there,
            ):
                delays, asked = await _measure(here, there)
    delays.sort()
    p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    Console().print(
        f"published in one process, answered by another: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {delays[-1]:.1f} ms "
        f"of {PUBLICATIONS} publications, each with the turn that shows it; {asked} turns asked for it, goal "
        f"{GOAL_MS} ms"
    )


async def _measure(here: aiohttp.ClientSession, there: aiohttp.ClientSession) -> tuple[list[float], int]:
    """Milliseconds from each publication's answer to the first one by it, and how many turns that took."""
    delays: list[float] = []
    asked = 0
    agent = await _post(here, "/api/v1/agents", {"definition": _definition("first"), "publish": True})
    for _ in range(PUBLICATIONS):
        word = secrets.token_hex(6)
        # The version before is in the other process's cache.
        await _reply(there, agent["id"])
        change = {"definition": _definition(word), "revision": agent["revision"], "publish": True}
        async with here.put(f"/api/v1/agents/{agent['id']}", json=change) as response:
            response.raise_for_status()
            agent = await response.json()
        published = time.perf_counter()
        while True:
            asked += 1
            if word in await _reply(there, agent["id"]):
                break
        delays.append((time.perf_counter() - published) * 1000)
    return delays, asked


def _definition(word: str) -> dict[str, object]:
    asked = {"name": "matter", "type": "text", "question": f"What is it about, {word}?"}
    return {"name": "Published often", "variables": [asked]}


async def _reply(session: aiohttp.ClientSession, agent_id: str) -> str:
    answer = await _post(session, "/api/agent/reply", {"message": "Hello", "agentId": agent_id})
    return answer["reply"]


async def _post(session: aiohttp.ClientSession, path: str, body: dict[str, object]) -> dict[str, str]:
    async with session.post(path, json=body) as response:
        response.raise_for_status()
        return await response.json()


if __name__ == "__main__":
    asyncio.run(main())
