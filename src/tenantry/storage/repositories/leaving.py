"""What becomes of a member's things when they leave the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenantry.storage.repositories import agent_shares, api_keys, audit, connections, secrets, tenants
from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class Leaving:
    """What was done: the agents that were handed over, those that are shared with them no longer, how many keys were
    revoked, the names of their secrets, and of the providers they were connected to, which are gone."""

    agent_ids: Sequence[UUID]
    unshared_agent_ids: Sequence[UUID]
    keys: int
    secret_names: Sequence[str]
    connections: Sequence[str]


async def hand_over_agents(tx: TenantTx, member_id: UUID, to: UUID | None, *, by: str) -> list[UUID]:
    """Hand all agents of a member over to another one or, with None, to the tenant, which the audit log tells of each.
    The agents that there were."""
    agent_ids = await agent_shares.owned_by(tx, member_id)
    await agent_shares.hand_over(tx, agent_ids, to)
    details = {"from": str(member_id), "to": str(to) if to else None}
    entries = [(f"agent:{agent_id}", details) for agent_id in agent_ids]
    await audit.record_all(tx, actor=by, action="agent.handed_over", entries=entries)
    return agent_ids


async def leave(tx: TenantTx, member_id: UUID, to: UUID | None, *, by: str) -> Leaving:
    """End a membership, by the operator. Conversations, bookings, the calendar and what was used stay as they are: they
    tell what happened, and to whom."""
    left = Leaving(
        agent_ids=await hand_over_agents(tx, member_id, to, by=by),
        unshared_agent_ids=await agent_shares.remove_all(tx, member_id),
        keys=await api_keys.revoke_all(tx, member_id),
        secret_names=await secrets.delete_all(tx, member_id),
        connections=await connections.delete_all(tx, member_id),
    )
    await tenants.remove_member(tx, member_id)
    details = {
        "to": str(to) if to else None,
        "agents": len(left.agent_ids),
        "unshared": len(left.unshared_agent_ids),
        "keys": left.keys,
        "secrets": len(left.secret_names),
        "connections": left.connections,
    }
    await audit.record(tx, actor=by, action="member.removed", target=f"member:{member_id}", details=details)
    return left
