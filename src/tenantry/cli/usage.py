"""`tenantry usage`: what was used this month, tenant by tenant."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tenantry.cli.local import Home, find_tenant, local_server, passing_key, run, settings_for
from tenantry.client import TenantryClient
from tenantry.client.usage import Used
from tenantry.domain.tenant import Tenant
from tenantry.settings import Settings
from tenantry.storage.repositories import tenants
from tenantry.storage.repositories.usage import GroupBy
from tenantry.storage.tenancy import Database


def usage(
    tenant: Annotated[str | None, typer.Option(help="One tenant only.")] = None,
    by: Annotated[GroupBy, typer.Option(help="What to sum by.")] = GroupBy.MODEL,
    home: Home = None,
) -> None:
    """Turns, tokens and money of this month, in each tenant's time zone."""
    run(_usage(settings_for(home), tenant, by))


async def _usage(settings: Settings, slug: str | None, by: GroupBy) -> None:
    columns = ("turns", "tokens in", "tokens out", "cached", "cost $")
    table = Table("tenant", by.value)
    for column in columns:
        table.add_column(column, justify="right")
    async with local_server(settings) as (runtime, url):
        for tenant in await _tenants(runtime.db, slug):
            async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
                used = await client.usage.report(by.value)
            for item in used.items:
                shown = item.key or "(tenant)"
                _add(table, tenant.slug, f"{item.name} {shown}" if item.name else shown, item)
            _add(table, tenant.slug, "all", used.total)
            table.add_section()
    Console().print(table)


async def _tenants(db: Database, slug: str | None) -> list[Tenant]:
    if slug is not None:
        return [await find_tenant(db, slug)]
    async with db.operator() as tx:
        return await tenants.list_all(tx)


def _add(table: Table, slug: str, key: str, used: Used) -> None:
    counts = (used.turns, used.input_tokens, used.output_tokens, used.cached_tokens)
    table.add_row(slug, key, *(f"{count:,}" for count in counts), used.cost)
