"""Commands for agents in files: a folder of them in git, say."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from tenantry.agent_files.agent_file import write_agent_file
from tenantry.cli.agents.applying import Manner, apply_sources
from tenantry.cli.agents.files import Source, file_names, file_of, read_sources
from tenantry.cli.agents.many import DryRun
from tenantry.cli.agents.session import TenantName, Url, Where, client_of, owners_of
from tenantry.cli.local import Home, run
from tenantry.domain.errors import NotFound

Paths = Annotated[list[Path], typer.Argument(help="Files, or folders of YAML and JSON files.")]
Publish = Annotated[bool, typer.Option("--publish/--no-publish", help="Let what is made or changed answer at once.")]

_STDOUT = Path("-")


def export(
    folder: Annotated[
        Path, typer.Argument(help='A folder, made when it is not there; "-" for the terminal.')
    ] = _STDOUT,
    tag: Annotated[list[str] | None, typer.Option(help="Only agents with this tag; may be repeated.")] = None,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Write a YAML file for each agent, of its draft; `apply` of them changes nothing."""
    run(_export(Where(tenant, url, home), folder, tag or []))


async def _export(where: Where, folder: Path, tags: list[str]) -> None:
    async with client_of(where) as client:
        owners = await owners_of(client)
        agents = [agent async for agent in client.agents.list(tags=tags)]
    for agent in agents:
        if agent.owner_member_id is not None and agent.owner_member_id not in owners:
            raise NotFound(
                f"The owner of {agent.definition.name} ({agent.id}) is no member any more; "
                f"`tenantry agents hand-over {agent.id} --to EMAIL` gives it another."
            )
    texts: dict[Path, str] = {}
    for agent_id, name in file_names(agents, owners).items():
        agent = next(each for each in agents if each.id == agent_id)
        owner = owners[agent.owner_member_id] if agent.owner_member_id else None
        texts[folder / name] = write_agent_file(file_of(agent, owner))
    _write(folder, texts)


def _write(folder: Path, texts: dict[Path, str]) -> None:
    if folder == _STDOUT:
        print("---\n".join(text for _, text in sorted(texts.items())), end="")
        return
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"{len(texts)} agents in {folder}")


def import_agents(
    files: Paths,
    publish: Publish = True,
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Make the agents of files; what is there already stays as it is and counts as failed."""
    run(_apply(Where(tenant, url, home), read_sources(files), Manner(dry_run, publish, change=False)))


def apply(
    files: Paths,
    publish: Publish = True,
    dry_run: DryRun = False,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Make the agents of files, or change those of their owner and name; says for each what became of it."""
    run(_apply(Where(tenant, url, home), read_sources(files), Manner(dry_run, publish)))


def diff(files: Paths, publish: Publish = True, tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """What `apply` would change."""
    run(_apply(Where(tenant, url, home), read_sources(files), Manner(dry_run=True, publish=publish)))


async def _apply(where: Where, sources: list[Source], manner: Manner) -> int:
    counts: Counter[str] = Counter()
    async with client_of(where) as client:
        async for outcome in apply_sources(client, sources, manner):
            counts[outcome.result] += 1
            print(f"{outcome.result:10} {outcome.source}: {outcome.agent}".rstrip(": "))
            for line in outcome.lines:
                print(f"           {line}")
    results = ("created", "changed", "unchanged", "failed")
    would = "would be: " if manner.dry_run else ""
    print(would + ", ".join(f"{counts[result]} {result}" for result in results))
    return 1 if counts["failed"] else 0
