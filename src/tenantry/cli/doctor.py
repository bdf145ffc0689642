"""`tenantry doctor`: is everything there that a server on this machine needs."""

import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from importlib.metadata import version
from zoneinfo import ZoneInfo

import aiohttp
from rich.console import Console
from rich.table import Table

from tenantry.cli.local import Home, run, settings_for
from tenantry.domain.errors import TenantryError
from tenantry.llm.registry import FORM_POLICY
from tenantry.server.runtime import open_runtime
from tenantry.server.serving import bind
from tenantry.settings import Settings
from tenantry.storage.repositories import tenants


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    good: bool
    found: str


def doctor(home: Home = None) -> None:
    """Look at settings, folder, key, database, roles, schema and port; exit 1 when one is not as it must be."""
    run(_doctor(settings_for(home)))


async def _doctor(settings: Settings) -> int:
    table = Table("what", "state", "found")
    bad = 0
    async for check in _checks(settings):
        bad += not check.good
        table.add_row(check.name, "[green]ok[/]" if check.good else "[red]mend this[/]", check.found)
    Console().print(table)
    return 1 if bad else 0


async def _checks(settings: Settings) -> AsyncGenerator[Check]:
    yield Check("Python", sys.version_info >= (3, 11), sys.version.split()[0])
    yield Check("Tenantry", True, version("tenantry"))
    zone = ZoneInfo("Europe/London").key
    yield Check("time zones", True, f"tzdata {version('tzdata')} ({zone} is known)")
    model = f"{settings.model.name} at {settings.model.base_url}, then " if settings.model else ""
    yield Check("models", True, f"{model}{FORM_POLICY}, which needs no key and no network")
    yield await _port(settings)
    began = time.perf_counter()
    try:
        async with open_runtime(settings) as runtime:
            took = time.perf_counter() - began
            where = "the server of DATABASE_URL" if settings.database.url else f"embedded in {settings.home}"
            yield Check("database", True, f"{where}, open in {took:.2f} s, schema up to date")
            async with runtime.db.operator() as tx:
                there = await tenants.list_all(tx)
            yield Check("tenants", True, ", ".join(tenant.slug for tenant in there) or "none yet")
    except TenantryError as error:
        yield Check("database", False, error.detail)


async def _port(settings: Settings) -> Check:
    where = f"{settings.http.host}:{settings.http.port}"
    try:
        bind(settings.http.host, settings.http.port).close()
    except TenantryError as error:
        running = await _answers(f"http://{where}/healthz")
        return Check("address", running, f"Tenantry answers on {where}" if running else error.detail)
    return Check("address", True, f"{where} is free")


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.json() == {"status": "ok"}
    except (aiohttp.ClientError, ValueError):
        return False
