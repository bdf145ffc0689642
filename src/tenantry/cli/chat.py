"""`tenantry chat`: talk to an agent from the terminal."""

import asyncio
import secrets
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from tenantry.cli.local import Home, find_tenant, local_server, passing_key, run, settings_for
from tenantry.client import ApiError, TenantryClient
from tenantry.domain.errors import InvalidInput, NotFound
from tenantry.settings import Settings


def chat(
    agent: Annotated[str, typer.Option(help="The agent's id, or its name.")],
    tenant: Annotated[str, typer.Option(help="The tenant's name in URLs and settings.")] = "peterei",
    home: Home = None,
) -> None:
    """Talk to an agent; an empty line or ctrl-D ends it."""
    run(_chat(settings_for(home), agent, tenant))


async def _chat(settings: Settings, wanted: str, slug: str) -> None:
    console = Console(highlight=False)
    async with local_server(settings) as (runtime, url):
        tenant = await find_tenant(runtime.db, slug)
        async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
            agent_id = await _choose(client, wanted)
            lead_id = f"chat-{secrets.token_hex(4)}"
            conversation_id: UUID | None = None
            while said := await asyncio.to_thread(_ask):
                try:
                    answer = await client.replies.send(
                        said, agent_id=agent_id, lead_id=lead_id, conversation_id=conversation_id
                    )
                except ApiError as error:
                    console.print(f"[red]{error}[/]")
                    continue
                conversation_id = answer.conversation_id
                console.print(f"[bold yellow]agent>[/] {answer.reply}")
                if answer.quick_replies:
                    console.print(f"       [dim]{' · '.join(answer.quick_replies)}[/]")


def _ask() -> str:
    try:
        return input("you> ").strip()
    except EOFError:
        return ""


async def _choose(client: TenantryClient, wanted: str) -> UUID:
    agents = [agent async for agent in client.agents.list()]
    found = [agent for agent in agents if wanted.lower() in (str(agent.id), agent.definition.name.lower())]
    listing = "\n".join(
        f"  {agent.id}  {agent.definition.name} (owner {agent.owner_member_id or 'tenant'})" for agent in agents
    )
    if not found:
        raise NotFound(f"There is no agent {wanted!r}. These are there:\n{listing}")
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} agents are called {wanted!r}; name one by its id:\n{listing}")
    return found[0].id
