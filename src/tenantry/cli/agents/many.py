"""Commands that do one thing to many agents."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantry.agent_files.documents import Unreadable, read_json
from tenantry.cli.agents.looking import Note
from tenantry.cli.agents.session import TenantName, Url, Where, agent_ids, client_of
from tenantry.cli.local import Home, run
from tenantry.client import TenantryClient
from tenantry.client.agents import BulkResult
from tenantry.domain.errors import InvalidInput, NotFound

TheAgents = Annotated[list[str] | None, typer.Argument(help="Ids or names of agents.")]
WithTag = Annotated[
    list[str] | None, typer.Option("--tag", help="All agents with this tag; repeated, with all of these tags.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@dataclass(frozen=True, slots=True)
class _Many:
    """Where, which agents, and whether only to say what would be done."""

    where: Where
    wanted: list[str]
    tags: list[str]
    dry_run: bool


def change(
    patch: Annotated[str, typer.Option(help='JSON merge patch of the definition, as \'{"tonality": "Calm."}\'.')],
    agents: TheAgents = None,
    tag: WithTag = None,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Let it answer at once.")] = True,
    note: Note = "",
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Change the same fields of many agents; variables and functions are found by name, null takes out."""
    many = _Many(Where(tenant, url, home), agents or [], tag or [], dry_run)
    run(_do(many, {"change": {"patch": _json(patch), "publish": publish, "note": note}}))


def publish(
    agents: TheAgents = None,
    tag: WithTag = None,
    note: Note = "",
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Publish the drafts of agents that have changed."""
    run(_do(_Many(Where(tenant, url, home), agents or [], tag or [], dry_run), {"publish": {"note": note}}))


def tag_agents(
    agents: TheAgents = None,
    tag: WithTag = None,
    add: Annotated[list[str] | None, typer.Option(help="A tag to give; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away; may be repeated.")] = None,
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Give tags to agents and take them away."""
    many = _Many(Where(tenant, url, home), agents or [], tag or [], dry_run)
    run(_do(many, {"tag": {"add": add or [], "remove": remove or []}}))


def delete(
    agents: TheAgents = None,
    tag: WithTag = None,
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Take agents out of use; their conversations and bookings stay."""
    run(_do(_Many(Where(tenant, url, home), agents or [], tag or [], dry_run), {"delete": {}}))


def hand_over(
    to: Annotated[str, typer.Option(help='E-mail address of the member, or "tenant".')],
    agents: TheAgents = None,
    tag: WithTag = None,
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Hand agents over to another member, or make them the tenant's."""
    run(_do(_Many(Where(tenant, url, home), agents or [], tag or [], dry_run), {"hand_over": to}))


async def _do(many: _Many, action: Mapping[str, Any]) -> int:
    async with client_of(many.where) as client:
        if "hand_over" in action:
            action = {"hand_over": {"member_id": await _member(client, action["hand_over"])}}
        done = await client.agents.bulk(await _select(client, many), action, dry_run=many.dry_run)
    _print(done)
    return 1 if done.failed else 0


async def _select(client: TenantryClient, many: _Many) -> Mapping[str, Any]:
    if bool(many.wanted) == bool(many.tags):
        raise InvalidInput("Say which agents are meant: name them, or choose them by --tag.")
    return {"ids": await agent_ids(client, many.wanted)} if many.wanted else {"tags": many.tags}


async def _member(client: TenantryClient, email: str) -> str | None:
    if email == "tenant":
        return None
    for member in await client.members.list():
        if member.email == email.lower():
            return str(member.id)
    raise NotFound(f"{email} is no member of this tenant; `tenantry member add` makes one.")


def _print(done: BulkResult) -> None:
    for item in done.items:
        print(f"{item.result:10} {item.agent_id}  {item.name or ''}".rstrip())
        for line in (item.detail,) if item.detail else item.changes:
            print(f"           {line}")
    would = "would be " if done.dry_run else ""
    print(f"{done.changed} {would}changed, {done.unchanged} unchanged, {done.failed} failed")


def _json(text: str) -> Any:
    source = text
    if text.startswith("@"):
        source = Path(text[1:]).read_text("utf-8")
    try:
        (patch,) = read_json(source)
    except (Unreadable, ValueError) as error:
        raise typer.BadParameter(f"--patch is no JSON object: {error}") from error
    return patch
