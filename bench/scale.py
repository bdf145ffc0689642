"""What many agents and contacts add to a turn: two installations, alike but for their size, in rounds that take turns.

usage: python -m bench.scale
"""

import asyncio
import contextlib
import secrets
import shutil
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.load import Figures, drive
from bench.population import Population, connect, populate, some_agents
from bench.servers import Installation, new_folder, tenantry_server
from bench.turns import CONVERSATIONS, PRIMING, ROUNDS, TURNS

SIZES = {"small": (10, 10), "large": (100_000, 1_000_000)}
GOAL = 1.15
_MB = 1_000_000


@dataclass(frozen=True)
class Side:
    """One installation with its agents and contacts; `idle_bytes` are its server's before and after they were made."""

    up: Installation
    db: asyncpg.Connection
    population: Population
    idle_bytes: tuple[int, int]


async def main() -> None:
    """Measure and print."""
    console = Console()
    rounds: dict[str, list[Figures]] = {name: [] for name in SIZES}
    async with contextlib.AsyncExitStack() as stack:
        sides = {name: await stack.enter_async_context(_side(*size)) for name, size in SIZES.items()}
        for side in sides.values():
            await _round(side)
            # What autovacuum does within a minute: a plan that was made for an empty table reads ever more of it.
            await side.db.execute("ANALYZE")
        for number in range(ROUNDS):
            for name in sorted(sides, reverse=bool(number % 2)):
                rounds[name].append(await _round(sides[name]))
        console.print(_table(rounds))
        for name, side in sides.items():
            console.print(_made(name, side))
    for what, ratios in _ratios(rounds).items():
        console.print(
            f"{what}: {statistics.median(ratios):.2f} times that of the small one, goal under {GOAL} "
            f"(rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )


@contextlib.asynccontextmanager
async def _side(agents: int, contacts: int) -> AsyncIterator[Side]:
    folder = new_folder()
    try:
        async with tenantry_server(folder / "home") as up:
            db = await connect(folder / "home")
            try:
                empty = up.server.process.memory_info().rss
                population = await populate(db, UUID(up.agent_id), agents, contacts)
                yield Side(up, db, population, (empty, up.server.process.memory_info().rss))
            finally:
                await db.close()
    finally:
        # It is too large to be left behind.
        shutil.rmtree(folder)


async def _round(side: Side) -> Figures:
    """Every second conversation with an agent of its own choice, the others with the contact's own instance."""
    agents = [agent for plain in await some_agents(side.db, CONVERSATIONS // 2) for agent in (plain, _personal(side))]
    up = side.up
    return await drive(up.server, up.postgres, up.key, agents, secrets.token_hex(6), CONVERSATIONS, TURNS, PRIMING)


def _personal(side: Side) -> str:
    return str(side.population.personal)


def _ratios(rounds: dict[str, list[Figures]]) -> dict[str, list[float]]:
    """How much more the large one costs, round by round."""
    pairs = list(zip(rounds["large"], rounds["small"], strict=True))
    return {
        "CPU per turn, server and PostgreSQL": [
            (large.cpu_ms + large.db_ms) / (small.cpu_ms + small.db_ms) for large, small in pairs
        ],
        "server CPU per turn": [large.cpu_ms / small.cpu_ms for large, small in pairs],
        "PostgreSQL CPU per turn": [large.db_ms / small.db_ms for large, small in pairs],
    }


def _made(name: str, side: Side) -> str:
    made, (empty, filled) = side.population, side.idle_bytes
    after = side.up.server.process.memory_info().rss
    instances = agents = made.agents // 2
    return (
        f"{name}: {agents:,} agents, {instances:,} contacts' own instances, {made.contacts:,} contacts and "
        f"{made.conversations:,} conversations made in {made.took_s:.1f} s, {made.bytes / _MB:,.0f} MB; memory of the "
        f"server {empty / _MB:.0f} MB without them, {filled / _MB:.0f} MB with them, {after / _MB:.0f} MB after the "
        "turns"
    )


def _table(rounds: dict[str, list[Figures]]) -> Table:
    columns = {
        "turns/s": "per_second",
        "p50 ms": "p50_ms",
        "p99 ms": "p99_ms",
        "server CPU ms/turn": "cpu_ms",
        "PostgreSQL CPU ms/turn": "db_ms",
    }
    table = Table(
        "", *columns, title=f"many agents: {CONVERSATIONS} conversations of {TURNS} turns; median of {ROUNDS} rounds"
    )
    for name, figures in rounds.items():
        values = (
            [getattr(f, field) for f in figures] for field in ("per_second", "p50_ms", "p99_ms", "cpu_ms", "db_ms")
        )
        table.add_row(name, *(f"{statistics.median(column):.2f}" for column in values))
    return table


if __name__ == "__main__":
    asyncio.run(main())
