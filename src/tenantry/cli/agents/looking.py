"""Commands that show agents and their versions, and bring a version back."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tenantry.agent_files.agent_file import AgentFile, AgentHead, write_agent_file
from tenantry.cli.agents.session import TenantName, Url, Where, client_of, find_agent, owners_of
from tenantry.cli.local import ID_WIDTH, Home, run

TheAgent = Annotated[str, typer.Argument(help="The agent's id, or its name.")]
Note = Annotated[str, typer.Option(help="What changed and why, for whoever reads the history.")]


def list_agents(
    tag: Annotated[list[str] | None, typer.Option(help="Only agents with this tag; may be repeated.")] = None,
    name: Annotated[str | None, typer.Option(help="Only agents of this name.")] = None,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """The agents of a tenant, newest first."""
    run(_list(Where(tenant, url, home), tag or [], name))


async def _list(where: Where, tags: list[str], name: str | None) -> None:
    table = Table(Column("id", min_width=ID_WIDTH), "name", "owner", "status", "version", "tags")
    async with client_of(where) as client:
        owners = await owners_of(client)
        async for agent in client.agents.list(tags=tags, name=name):
            owner = agent.owner_member_id
            table.add_row(
                str(agent.id),
                escape(agent.definition.name),
                owners.get(owner, "removed") if owner else "(tenant)",
                agent.status,
                "-" if agent.published is None else str(agent.published),
                escape(" ".join(agent.tags)),
            )
    Console().print(table)


def show(
    agent: TheAgent,
    version: Annotated[int | None, typer.Option(help="A version; else the draft.")] = None,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """An agent as the file that `apply` takes."""
    run(_show(Where(tenant, url, home), agent, version))


async def _show(where: Where, wanted: str, version: int | None) -> None:
    async with client_of(where) as client:
        agent = await find_agent(client, wanted)
        owners = await owners_of(client)
        definition = agent.definition
        if version is not None:
            definition = (await client.agents.version(agent.id, version)).definition
    owner = owners.get(agent.owner_member_id) if agent.owner_member_id else None
    head = AgentHead(owner=owner, tags=agent.tags, template=agent.is_template)
    print(write_agent_file(AgentFile(head, definition)), end="")


def versions(agent: TheAgent, tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """The versions of an agent, newest first, each with what it changed."""
    run(_versions(Where(tenant, url, home), agent))


async def _versions(where: Where, wanted: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    async with client_of(where) as client:
        agent = await find_agent(client, wanted)
        async for version in client.agents.versions(agent.id):
            answers = " [green]answers[/]" if version.number == agent.published else ""
            back = f", brings version {version.restores} back" if version.restores else ""
            when = f"{version.published_at:%Y-%m-%d %H:%M} by {version.published_by}"
            console.print(f"[bold]version {version.number}[/] {when}{back}{answers}")
            if version.note:
                console.print(f"  {escape(version.note)}")
            if version.number > 1:
                for change in await client.agents.compare(agent.id, version.number - 1, version.number):
                    console.print(f"  {escape(change.text)}")


def roll_back(
    agent: TheAgent,
    version: Annotated[int, typer.Argument(help="The version that is to answer again.", min=1)],
    note: Note = "",
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Make an earlier version the next one, which answers from now on."""
    run(_roll_back(Where(tenant, url, home), agent, version, note))


async def _roll_back(where: Where, wanted: str, version: int, note: str) -> None:
    async with client_of(where) as client:
        agent = await find_agent(client, wanted)
        now = await client.agents.roll_back(agent.id, version, note=note)
    print(f"{now.definition.name} answers by version {now.published}, which is version {version} again")
