"""`tenantry up`: the server, on its own database unless DATABASE_URL names another."""

import asyncio
import signal
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from tenantry.cli.demo.seed import JON, MARK, DemoKeys, call_page, seed
from tenantry.cli.local import Home, run, settings_for
from tenantry.logs import configure_logs
from tenantry.settings import HttpSettings, Settings
from tenantry.storage.repositories import tenants
from tenantry.storage.tenancy import Database


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on; else TENANTRY_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; else TENANTRY_PORT.")] = None,
    home: Home = None,
    demo_data: Annotated[bool, typer.Option("--demo/--no-demo", help="Fill an empty installation.")] = True,
) -> None:
    """Run the server until ctrl-C. An empty installation gets the demo tenant."""
    settings = settings_for(home)
    http = HttpSettings(host or settings.http.host, settings.http.port if port is None else port)
    run(_up(replace(settings, http=http), demo_data))


async def _up(settings: Settings, demo_data: bool) -> None:
    # Imported here since it takes a second, which the commands that do not serve need not wait.
    from tenantry.server.runtime import open_runtime
    from tenantry.server.serving import bind, serving

    configure_logs(settings.log_level)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bound = bind(settings.http.host, settings.http.port)
    async with open_runtime(settings) as runtime:
        keys = await _seed_when_empty(runtime.db) if demo_data else None
        async with serving(runtime, bound) as url:
            _announce(settings, url, keys, await call_page(runtime.db, url))
            await stop.wait()


async def _seed_when_empty(db: Database) -> DemoKeys | None:
    async with db.operator() as tx:
        empty = not await tenants.list_all(tx)
    return await seed(db) if empty else None


def _announce(settings: Settings, url: str, keys: DemoKeys | None, page: str | None) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]Tenantry[/] answers on {url} (API pages: {url}/docs, data: {settings.home})")
    if page is not None:
        console.print(f"Call Mark's agent from a browser of this machine: {page}", markup=False)
    if keys is None:
        console.print("Keys are shown once, when they are made; `tenantry key create --tenant T` makes another.")
        return
    console.print("The demo tenant [bold]peterei[/] is made. Its keys, shown this once:")
    for who, key in (("tenant", keys.tenant), (MARK, keys.members[MARK]), (JON, keys.members[JON])):
        console.print(f"  {who:22} {key}")
    console.print("A first conversation, with Mark's agent:")
    console.print(
        f"  curl -s {url}/api/agent/reply -H 'Authorization: Bearer {keys.members[MARK]}' "
        "-H 'Content-Type: application/json' "
        f"""-d '{{"agentId":"{keys.agents[MARK]}","leadId":"lead-1","conversationId":"first","""
        """"message":"Hi, I want to sell 123 Main Street, Springfield"}'""",
        markup=False,
    )
