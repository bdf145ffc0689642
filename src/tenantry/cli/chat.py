"""`tenantry chat`: talk to an agent from the terminal."""

import asyncio
import secrets
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from tenantry.cli.agents.session import find_agent
from tenantry.cli.local import Home, find_tenant, local_server, passing_key, run, settings_for
from tenantry.client import ApiError, TenantryClient
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
            agent_id = (await find_agent(client, wanted)).id
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
