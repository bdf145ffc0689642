"""`tenantry member remove`: a member leaves, and what was theirs finds its place."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from tenantry.cli.local import OPERATOR, Home, find_tenant, open_installation, run, settings_for
from tenantry.cli.tenants import TenantOption, find_member
from tenantry.domain.errors import InvalidInput
from tenantry.settings import Settings
from tenantry.storage.repositories import agent_shares, leaving
from tenantry.storage.repositories.leaving import Leaving
from tenantry.storage.tenancy import TenantTx

_TENANT = "tenant"


def member_remove(
    email: Annotated[str, typer.Argument(help="E-mail address of the member who leaves.")],
    tenant: TenantOption,
    hand_over_to: Annotated[
        str | None,
        typer.Option(help='Who gets their agents: the e-mail address of another member, or "tenant".'),
    ] = None,
    home: Home = None,
) -> None:
    """End a membership: hand over the agents, revoke the keys, remove the secrets, and say what was done."""
    run(_member_remove(settings_for(home), email, tenant, hand_over_to))


async def _member_remove(settings: Settings, email: str, slug: str, successor: str | None) -> None:
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.operator(tenant.id) as tx:
            left = await remove_member(tx, email, successor)
    print("\n".join(_receipt(email, slug, successor, left)))


async def remove_member(tx: TenantTx, email: str, successor: str | None) -> Leaving:
    """End the membership, by the operator; the agents go to the member with the address `successor`, or to "tenant".
    Raises NotFound, and InvalidInput when there are agents and no successor."""
    member = await find_member(tx, email)
    to: UUID | None = None
    if successor not in (None, _TENANT):
        to = (await find_member(tx, successor)).id
    if to == member.id:
        raise InvalidInput("Name somebody else to hand their agents over to.")
    agents = await agent_shares.owned_by(tx, member.id)
    if agents and successor is None:
        raise InvalidInput(
            f"{email} owns {_count(agents, 'agent')}; say who gets them: --hand-over-to EMAIL or --hand-over-to tenant."
        )
    return await leaving.leave(tx, member.id, to, by=OPERATOR)


def _receipt(email: str, slug: str, successor: str | None, left: Leaving) -> list[str]:
    lines = [f"{email} is no member of {slug} any more"]
    if left.agent_ids:
        lines += [
            f"handed over to {successor}: {_count(left.agent_ids, 'agent')}",
            *(f"  agent {agent_id}" for agent_id in left.agent_ids),
        ]
    if left.unshared_agent_ids:
        lines.append(f"no longer shared with them: {_count(left.unshared_agent_ids, 'agent')}")
    lines.append(f"revoked: {left.keys} key{'' if left.keys == 1 else 's'}")
    if left.secret_names:
        lines.append(f"removed: {_count(left.secret_names, 'secret')}, to be set anew by who goes on with the agents")
        lines += [f"  secret {name}" for name in left.secret_names]
    if left.connections:
        lines.append(f"disconnected: {', '.join(left.connections)}")
    return [*lines, "kept: their conversations, appointments and usage, for the tenant's owners and admins"]


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
