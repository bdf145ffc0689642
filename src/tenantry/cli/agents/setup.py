"""`tenantry agents setup`: the agents that a tenant begins with."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tenantry.cli.agents.session import TenantName, Url, Where, client_of
from tenantry.cli.local import ID_WIDTH, Home, run


def setup(
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only this type; may be repeated.")] = None,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Make an agent of each built-in type that the tenant has none of yet."""
    run(_setup(Where(tenant, url, home), type_))


async def _setup(where: Where, types: list[str] | None) -> int:
    async with client_of(where) as client:
        made = await client.agents.set_up(types or None)
    table = Table("type", "result", Column("agent", min_width=ID_WIDTH), "turn fields")
    for item in made.items:
        fields = ", ".join(field.name for field in item.turn_fields)
        table.add_row(item.type, item.result, str(item.agent_id or "-"), item.detail or fields)
    Console().print(table)
    return 1 if any(item.result == "failed" for item in made.items) else 0
