"""Where the time of a turn goes: the share of each stage, as the server itself measures it.

usage: python -m bench.stages
"""

import asyncio
import secrets

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from bench.load import drive
from bench.servers import new_folder, tenantry_server
from bench.turns import CONVERSATIONS, PRIMING, TURNS

_TOKEN = secrets.token_urlsafe(24)
_METRIC = "tenantry_stage_seconds"


async def main() -> None:
    """Measure and print; by a server of its own, since measuring costs too."""
    async with tenantry_server(new_folder() / "home", TENANTRY_METRICS_TOKEN=_TOKEN) as up:
        await drive(up.server, up.postgres, up.key, (up.agent_id,), secrets.token_hex(6), CONVERSATIONS, TURNS, PRIMING)
        seconds, turns = await _stages(up.server.url)
    whole = sum(seconds.values())
    table = Table("stage", "ms/turn", "share", title=f"where the time of a turn goes, {CONVERSATIONS} conversations")
    for stage, spent in sorted(seconds.items(), key=lambda entry: -entry[1]):
        table.add_row(stage, f"{spent / turns * 1000:.2f}", f"{spent / whole:.0%}")
    Console().print(table)


async def _stages(url: str) -> tuple[dict[str, float], float]:
    """Seconds of each stage over all turns, and how many turns that were."""
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    async with aiohttp.ClientSession(url, headers=headers) as session, session.get("/metrics") as response:
        families = text_string_to_metric_families(await response.text())
        samples = [sample for family in families for sample in family.samples]
    seconds: dict[str, float] = {}
    turns = 0.0
    for sample in samples:
        if sample.name == f"{_METRIC}_sum":
            stage = sample.labels["stage"]
            seconds[stage] = seconds.get(stage, 0.0) + sample.value
        elif sample.name == f"{_METRIC}_count":
            turns = max(turns, sample.value)
    return seconds, turns


if __name__ == "__main__":
    asyncio.run(main())
