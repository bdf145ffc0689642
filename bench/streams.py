"""The cost of a streamed chunk: 200 streams side by side, from the provider's bytes to the client's, beside a floor.

usage: python -m bench.streams
"""

import asyncio
import contextlib
import json
import secrets
import statistics
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from bench.model_server import CHUNKS_PER_SECOND, message
from bench.servers import Server, cpu_seconds, free_port, new_folder, process, tenantry_server, until_listening
from bench.stream_load import Load, Seen

STREAMS = 200
TURNS = 2
CHUNKS = 64
ROUNDS = 3
# Streams start one after the other, as callers do.
SPREAD_SECONDS = 2.0


@dataclass(frozen=True)
class Figures:
    """One round. Of a turn with a one-chunk answer, and of each further chunk: server CPU in ms. Pieces that reached
    a client for each chunk of the model; chunks a second; ms until an answer's first piece, and between two pieces."""

    turn_ms: float
    chunk_ms: float
    pieces: float
    per_second: float
    first_p50_ms: float
    first_p99_ms: float
    gap_p99_ms: float


@dataclass(frozen=True)
class Target:
    """What is measured: a server, where and how it is asked, and how its answer looks."""

    server: Server
    path: str
    key: str
    agent_id: str
    mark: str
    end: str


async def main() -> None:
    """Measure and print."""
    console = Console()
    figures: dict[str, list[Figures]] = {"floor": [], "tenantry": []}
    async with _targets(new_folder() / "home") as (model_url, targets):
        for target in targets.values():
            await _drive(target, 1, 1)
        for number in range(ROUNDS):
            for name in sorted(targets, reverse=bool(number % 2)):
                figures[name].append(await _round(targets[name]))
        bursts = {name: [await _round(targets[name], 0) for _ in range(ROUNDS)] for name in targets}
        alone = [await _client_alone(model_url) for _ in range(ROUNDS)]
    console.print(_table(figures))
    for name, values in (
        ("server CPU per streamed chunk", [f.chunk_ms for f in figures["tenantry"]]),
        ("the same of the floor", [f.chunk_ms for f in figures["floor"]]),
        ("server CPU per chunk of a model that writes as fast as it can", [f.chunk_ms for f in bursts["tenantry"]]),
        ("the same of the floor", [f.chunk_ms for f in bursts["floor"]]),
        ("the client of models alone", alone),
    ):
        console.print(f"{name}: {statistics.median(values):.4f} ms ({', '.join(f'{each:.4f}' for each in values)})")


@contextlib.asynccontextmanager
async def _targets(home: Path) -> AsyncIterator[tuple[str, dict[str, Target]]]:
    model_port, floor_port = free_port(), free_port()
    model_url = f"http://127.0.0.1:{model_port}/v1"
    async with contextlib.AsyncExitStack() as stack:
        model = await stack.enter_async_context(
            process(sys.executable, "-m", "bench.model_server", "127.0.0.1", str(model_port))
        )
        await until_listening(model_port, model)
        proxy = (sys.executable, "-m", "bench.stream_proxy", "127.0.0.1", str(floor_port))
        floor = await stack.enter_async_context(process(*proxy, f"{model_url}/chat/completions"))
        await until_listening(floor_port, floor)
        up = await stack.enter_async_context(tenantry_server(home, AGENT_MODEL="bench", AGENT_BASE_URL=model_url))
        floor_server = Server(f"http://127.0.0.1:{floor_port}", psutil.Process(floor.pid))
        yield (
            model_url,
            {
                "floor": Target(floor_server, "/", up.key, up.agent_id, 'data: {"id"', "data: [DONE]"),
                "tenantry": Target(
                    up.server, "/api/agent/reply", up.key, up.agent_id, "event: delta\n", "event: done\n"
                ),
            },
        )


async def _round(target: Target, pace: int = CHUNKS_PER_SECOND) -> Figures:
    spent: dict[int, float] = {}
    seen = Seen(0, 0.0, [], [])
    for chunks in (1, CHUNKS):
        before = cpu_seconds(target.server.process)
        seen = await _drive(target, TURNS, chunks, pace)
        spent[chunks] = cpu_seconds(target.server.process) - before
    turns = STREAMS * TURNS
    return Figures(
        turn_ms=spent[1] / turns * 1000,
        chunk_ms=(spent[CHUNKS] - spent[1]) / (turns * (CHUNKS - 1)) * 1000,
        pieces=seen.pieces / (turns * CHUNKS),
        per_second=turns * CHUNKS / seen.seconds,
        first_p50_ms=_percentile(seen.first, 0.5) * 1000,
        first_p99_ms=_percentile(seen.first, 0.99) * 1000,
        gap_p99_ms=_percentile(seen.gaps, 0.99) * 1000,
    )


async def _drive(target: Target, turns: int, chunks: int, pace: int = CHUNKS_PER_SECOND) -> Seen:
    run_id = secrets.token_hex(6)
    body = {"message": message(chunks, pace), "agentId": target.agent_id, "stream": True}
    bodies = [
        [json.dumps(body | {"leadId": f"{run_id}-{each}", "conversationId": f"{run_id}-{each}"})] * turns
        for each in range(STREAMS)
    ]
    load = Load(
        host="127.0.0.1",
        port=int(target.server.url.rpartition(":")[2]),
        path=target.path,
        headers={"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"},
        bodies=bodies,
        mark=target.mark,
        end=target.end,
        spread=SPREAD_SECONDS,
    )
    told = await _output(msgspec.json.encode(load), "-m", "bench.stream_load")
    return msgspec.json.decode(told, type=Seen)


async def _client_alone(model_url: str) -> float:
    """CPU ms for each chunk of the client of models in a process of its own."""
    arguments = (model_url, str(STREAMS), str(TURNS), "1", str(CHUNKS))
    one, many = map(json.loads, (await _output(b"", "-m", "bench.client_alone", *arguments)).splitlines())
    return (many["cpu_s"] - one["cpu_s"]) / (many["turns"] * (CHUNKS - 1)) * 1000


async def _output(given: bytes, *arguments: str) -> bytes:
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=pipe, stdout=pipe)
    told, _ = await running.communicate(given)
    if running.returncode != 0:
        raise RuntimeError(f"{arguments} ended with {running.returncode}")
    return told


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)] if values else 0.0


def _table(figures: dict[str, list[Figures]]) -> Table:
    table = Table(
        "",
        "chunks/s",
        "CPU ms/turn",
        "CPU ms/chunk",
        "pieces/chunk",
        "first p50 ms",
        "first p99 ms",
        "gap p99 ms",
        title=f"{STREAMS} streams of {CHUNKS} chunks, {CHUNKS_PER_SECOND} a second each; median of {ROUNDS} rounds",
    )
    fields = ("per_second", "turn_ms", "chunk_ms", "pieces", "first_p50_ms", "first_p99_ms", "gap_p99_ms")
    for name, rounds in figures.items():
        columns = ([getattr(each, field) for each in rounds] for field in fields)
        table.add_row(name, *(f"{statistics.median(column):.4g}" for column in columns))
    return table


if __name__ == "__main__":
    asyncio.run(main())
