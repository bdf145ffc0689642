"""`tenantry template`: what agents can be made from, clones of it, and what is new for them."""

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tenantry.cli.agents.looking import Note
from tenantry.cli.agents.many import DryRun
from tenantry.cli.agents.session import TenantName, Url, Where, client_of, find_agent
from tenantry.cli.local import ID_WIDTH, Home, run
from tenantry.client import TenantryClient
from tenantry.client.templates import CloneResult
from tenantry.domain.errors import NotFound

template_app = typer.Typer(help="Templates of agents, and their clones.", no_args_is_help=True)

TheSource = Annotated[str, typer.Argument(help="A built-in type, or an agent's id or name.")]


@template_app.command("list")
def list_templates(tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """What agents can be made from: built-in types and the tenant's own templates."""
    run(_list(Where(tenant, url, home)))


async def _list(where: Where) -> None:
    table = Table(Column("template", min_width=ID_WIDTH), "name", "version", "tags")
    async with client_of(where) as client:
        for built_in in await client.templates.built_in():
            table.add_row(built_in.type, built_in.name, "built in", " ".join(built_in.tags))
        async for agent in client.templates.list():
            version = "-" if agent.published is None else str(agent.published)
            table.add_row(str(agent.id), escape(agent.definition.name), version, escape(" ".join(agent.tags)))
    Console().print(table)


@template_app.command("clone")
def clone(
    source: TheSource,
    name: Annotated[str | None, typer.Option(help="What the clone is called; else as its source.")] = None,
    owner: Annotated[str | None, typer.Option(help="E-mail address of its owner; else the tenant's.")] = None,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Let it answer at once.")] = True,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Make an agent from a built-in type or from another agent."""
    run(_clone(Where(tenant, url, home), source, name, owner, publish))


async def _clone(where: Where, wanted: str, name: str | None, owner: str | None, publish: bool) -> None:
    async with client_of(where) as client:
        owner_id = None if owner is None else await _member_id(client, owner)
        source = await _source(client, wanted)
        agent = await client.templates.clone(source, name=name, owner_member_id=owner_id, publish=publish)
    print(f"agent {agent.id} {agent.definition.name}")


@template_app.command("update")
def update(
    source: TheSource,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Let what is new answer at once.")] = True,
    note: Note = "",
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Bring what is new in a template to all of its clones; what was changed in each stays."""
    run(_update(Where(tenant, url, home), source, publish, note, dry_run))


async def _update(where: Where, wanted: str, publish: bool, note: str, dry_run: bool) -> int:
    counts: dict[str, int] = {}
    after: UUID | None = None
    async with client_of(where) as client:
        source = await _source(client, wanted)
        while True:
            answer = await client.templates.update_clones(
                source, publish=publish, note=note, dry_run=dry_run, after=after
            )
            for result in answer.items:
                counts[result.outcome] = counts.get(result.outcome, 0) + 1
                if result.outcome != "unchanged":
                    print(_told(result))
            if (after := answer.next_cursor) is None:
                break
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "there are no clones"
    print(f"would be: {summary}" if dry_run and counts else summary)
    return 1 if counts.get("failed") else 0


def _told(result: CloneResult) -> str:
    parts = [f"{result.outcome:9}  {result.agent_id}  {result.name}"]
    if result.taken:
        parts.append(f"takes {', '.join(result.taken)}")
    if result.conflicts:
        parts.append(f"keeps its own {', '.join(result.conflicts)}")
    parts += [f"{error.field} {error.message}" for error in result.errors]
    return "; ".join(parts)


async def _source(client: TenantryClient, wanted: str) -> UUID | str:
    built_in = {each.type for each in await client.templates.built_in()}
    return wanted if wanted in built_in else (await find_agent(client, wanted)).id


async def _member_id(client: TenantryClient, email: str) -> UUID:
    found = next((member.id for member in await client.members.list() if member.email == email.lower()), None)
    if found is None:
        raise NotFound(f"{email} is no member of this tenant; `tenantry member add` makes one.")
    return found
