"""`tenantry chat`: talk to an agent from the terminal."""

import asyncio
import secrets
from typing import Annotated

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
            conversation: dict[str, str] = {}
            while said := await asyncio.to_thread(_ask):
                try:
                    answer = await client.reply(said, agentId=agent_id, leadId=lead_id, **conversation)
                except ApiError as error:
                    console.print(f"[red]{error}[/]")
                    continue
                conversation = {"conversationId": answer["conversationId"]}
                console.print(f"[bold yellow]agent>[/] {answer['reply']}")
                if answer["quickReplies"]:
                    console.print(f"       [dim]{' · '.join(answer['quickReplies'])}[/]")


def _ask() -> str:
    try:
        return input("you> ").strip()
    except EOFError:
        return ""


async def _choose(client: TenantryClient, wanted: str) -> str:
    agents = await client.agents()
    found = [a for a in agents if wanted.lower() in (a["id"], a["definition"]["name"].lower())]
    listing = "\n".join(
        f"  {a['id']}  {a['definition']['name']} (owner {a['owner_member_id'] or 'tenant'})" for a in agents
    )
    if not found:
        raise NotFound(f"There is no agent {wanted!r}. These are there:\n{listing}")
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} agents are called {wanted!r}; name one by its id:\n{listing}")
    return found[0]["id"]
