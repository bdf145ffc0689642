"""Which server the commands work on, and which of its agents are meant."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from tenantry.cli.local import find_tenant, local_server, passing_key, settings_for
from tenantry.client import TenantryClient
from tenantry.client.agents import Agent
from tenantry.domain.errors import InvalidInput, NotFound
from tenantry.domain.tenant import Tenant
from tenantry.storage.repositories import tenants
from tenantry.storage.tenancy import Database

KEY = "TENANTRY_API_KEY"

TenantName = Annotated[
    str | None,
    typer.Option("--tenant", help="The tenant's name in URLs and settings; may be left out for the only one."),
]
Url = Annotated[
    str | None, typer.Option("--url", help=f"A running server instead of the local installation; {KEY} has the key.")
]


@dataclass(frozen=True, slots=True)
class Where:
    """A tenant of the local installation, or of the server at `url`, where the key says which tenant's."""

    tenant: str | None
    url: str | None
    home: Path | None


@asynccontextmanager
async def client_of(where: Where) -> AsyncGenerator[TenantryClient]:
    """A client with all rights of the tenant, or those of the key. Raises InvalidInput and NotFound."""
    if where.url is not None:
        key = os.environ.get(KEY)
        if not key:
            raise InvalidInput(f"Set {KEY} to a key of the tenant at {where.url}.")
        if where.tenant is not None:
            raise InvalidInput("Leave --tenant out: with --url the key says whose agents are meant.")
        async with TenantryClient.open(where.url, key) as client:
            yield client
        return
    async with local_server(settings_for(where.home)) as (runtime, url):
        tenant = await _tenant(runtime.db, where.tenant)
        async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
            yield client


async def _tenant(db: Database, slug: str | None) -> Tenant:
    if slug is not None:
        return await find_tenant(db, slug)
    async with db.operator() as tx:
        there = await tenants.list_all(tx)
    if not there:
        raise NotFound(
            "There is no tenant yet. `tenantry tenant create acme` makes one; then run this again with --tenant acme."
        )
    if len(there) > 1:
        raise InvalidInput(f"Say which tenant with --tenant: {', '.join(tenant.slug for tenant in there)}.")
    return there[0]


async def agent_ids(client: TenantryClient, wanted: list[str]) -> list[UUID]:
    """The ids of the agents with these ids or names. Raises NotFound and InvalidInput."""
    there = [agent async for agent in client.agents.list()]
    return [_choose(there, each).id for each in wanted]


async def find_agent(client: TenantryClient, wanted: str) -> Agent:
    """The agent with this id or name. Raises NotFound and InvalidInput."""
    return _choose([agent async for agent in client.agents.list()], wanted)


def _choose(agents: list[Agent], wanted: str) -> Agent:
    found = [agent for agent in agents if wanted.lower() in (str(agent.id), agent.definition.name.lower())]
    listing = "\n".join(
        f"  {agent.id}  {agent.definition.name} (owner {agent.owner_member_id or 'tenant'})" for agent in agents
    )
    if not found:
        raise NotFound(f"There is no agent {wanted!r}. These are there:\n{listing}")
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} agents are called {wanted!r}; name one by its id:\n{listing}")
    return found[0]


async def owners_of(client: TenantryClient) -> dict[UUID, str]:
    """The members' e-mail addresses by their ids."""
    return {member.id: member.email for member in await client.members.list()}
