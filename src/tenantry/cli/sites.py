"""`tenantry site`: web sites that may open calls."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tenantry.cli.agents.session import TenantName, Url, Where, agent_ids, client_of
from tenantry.cli.local import ID_WIDTH, Home, run
from tenantry.domain.errors import InvalidInput, NotFound

site_app = typer.Typer(help="Web sites that may open calls from browsers.", no_args_is_help=True)

SiteName = Annotated[str, typer.Argument(help="The site's name, or its id.")]


@site_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the site is called.")],
    origin: Annotated[list[str], typer.Option(help="From where, as in https://www.example.com; repeatable.")],
    agent: Annotated[
        list[str] | None, typer.Option(help="Id or name of an agent that its pages may ask for; repeatable.")
    ] = None,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Let a web site open calls, and print the public key that its pages use."""
    run(_create(Where(tenant, url, home), name, origin, agent or []))


@site_app.command("list")
def list_sites(tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """All sites, with their public keys."""
    run(_list(Where(tenant, url, home)))


@site_app.command("remove")
def remove(site: SiteName, tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """Remove a site: its key opens no more calls."""
    run(_remove(Where(tenant, url, home), site))


async def _create(where: Where, name: str, origins: list[str], agents: list[str]) -> None:
    async with client_of(where) as client:
        made = await client.sites.create(name, origins, agent_ids=await agent_ids(client, agents) if agents else ())
    print(made.public_key)


async def _list(where: Where) -> None:
    async with client_of(where) as client:
        found = await client.sites.list()
    table = Table(Column("id", min_width=ID_WIDTH), "name", "origins", "agents", Column("public key", overflow="fold"))
    for site in found:
        agents = "\n".join(map(str, site.agent_ids)) or "(by routing)"
        table.add_row(str(site.id), escape(site.name), "\n".join(site.origins), agents, site.public_key)
    Console().print(table)


async def _remove(where: Where, wanted: str) -> None:
    async with client_of(where) as client:
        found = [site for site in await client.sites.list() if wanted in (site.name, str(site.id))]
        if not found:
            raise NotFound(f"There is no site {wanted!r}; `tenantry site list` shows them.")
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} sites are called {wanted!r}; name one by its id.")
        await client.sites.remove(found[0].id)
    print(f"site {found[0].name} is removed")
