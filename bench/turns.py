"""The cost of a turn: 16 conversations over HTTP, Tenantry beside its floor, in rounds that take turns on one machine.

usage: python -m bench.turns
"""

import asyncio
import secrets
import statistics

from rich.console import Console
from rich.table import Table

from bench.load import Figures, drive
from bench.servers import Servers, new_folder, servers

CONVERSATIONS = 16
TURNS = 25
# Turns of each conversation before it is measured, which fill the history that a model is given.
PRIMING = 10
ROUNDS = 5


async def main() -> None:
    """Measure and print."""
    console = Console()
    rounds: dict[str, list[Figures]] = {"floor": [], "tenantry": []}
    async with servers(new_folder() / "home") as running:
        for name in rounds:
            await _round(running, name)
        for number in range(ROUNDS):
            for name in sorted(rounds, reverse=bool(number % 2)):
                rounds[name].append(await _round(running, name))
    console.print(_table(rounds))
    ratios = [ours.cpu_ms / floor.cpu_ms for ours, floor in zip(rounds["tenantry"], rounds["floor"], strict=True)]
    console.print(
        f"server CPU per turn: {statistics.median(ratios):.2f} times the floor "
        f"(rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
    )


async def _round(running: Servers, name: str) -> Figures:
    server = running.tenantry if name == "tenantry" else running.floor
    return await drive(
        server, running.postgres, running.key, (running.agent_id,), secrets.token_hex(6), CONVERSATIONS, TURNS, PRIMING
    )


def _table(rounds: dict[str, list[Figures]]) -> Table:
    table = Table(
        "",
        "turns/s",
        "p50 ms",
        "p99 ms",
        "server CPU ms/turn",
        "PostgreSQL CPU ms/turn",
        title=f"{CONVERSATIONS} conversations of {TURNS} turns after {PRIMING} others; median of {ROUNDS} rounds",
    )
    for name, figures in rounds.items():
        columns = (
            [getattr(f, field) for f in figures] for field in ("per_second", "p50_ms", "p99_ms", "cpu_ms", "db_ms")
        )
        table.add_row(name, *(f"{statistics.median(column):.2f}" for column in columns))
    return table


if __name__ == "__main__":
    asyncio.run(main())
