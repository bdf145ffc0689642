"""The load: conversations side by side, each saying its next message when the last one is answered."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import psutil

from bench.servers import Server, cpu_seconds

# A talk that collects everything and never books, so that every turn is the same work in every round.
MESSAGES = (
    "Hi, I would like to sell my house",
    "It is 123 Main Street, Springfield",
    "my email is ada at example dot com",
    "yes",
    "no wait, the street is Oak",
    "what did you note?",
    "when are you open?",
    "my address is 9 Elm Avenue, Shelbyville",
)


@dataclass(frozen=True)
class Figures:
    """One round: turns a second, latency in ms, CPU ms for each turn of the server and of PostgreSQL."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    db_ms: float


async def drive(
    server: Server,
    postgres: psutil.Process,
    key: str,
    agents: Sequence[str],
    run_id: str,
    conversations: int,
    turns: int,
    priming: int,
) -> Figures:
    """Run `conversations` side by side, `turns` each, after `priming` turns of each that do not count; they go round
    the `agents`.

    Raises RuntimeError on any answer but 200.
    """
    latencies: list[float] = []
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=conversations)
    async with aiohttp.ClientSession(server.url, headers=headers, connector=connector) as session:

        async def talk(number: int, first: int, count: int) -> None:
            for turn in range(first, first + count):
                body = {
                    "message": MESSAGES[turn % len(MESSAGES)],
                    "agentId": agents[number % len(agents)],
                    "leadId": f"{run_id}-{number}",
                    "conversationId": f"{run_id}-{number}",
                    "idempotencyKey": f"{run_id}-{number}-{turn}",
                }
                began = time.perf_counter()
                async with session.post("/api/agent/reply", json=body) as response:
                    answer = await response.text()
                if response.status != 200:
                    raise RuntimeError(f"{server.url} answered {response.status}: {answer}")
                latencies.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(talk(number, 0, priming) for number in range(conversations)))
        latencies.clear()
        cpu, db, began = cpu_seconds(server.process), _tree_cpu_s(postgres), time.perf_counter()
        await asyncio.gather(*(talk(number, priming, turns) for number in range(conversations)))
        took = time.perf_counter() - began
        cpu, db = cpu_seconds(server.process) - cpu, _tree_cpu_s(postgres) - db
    latencies.sort()
    count = len(latencies)
    return Figures(
        per_second=count / took,
        p50_ms=latencies[count // 2],
        p99_ms=latencies[int(count * 0.99)],
        cpu_ms=cpu / count * 1000,
        db_ms=db / count * 1000,
    )


def _tree_cpu_s(process: psutil.Process) -> float:
    return sum(cpu_seconds(each) for each in (process, *process.children(recursive=True)))
