"""Members whom agents are shared with, and the handing over of agents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.storage.tenancy import TenantTx

Permission = Literal["use", "edit"]


@dataclass(frozen=True, slots=True)
class AgentShare:
    """What a member besides the owner may do with an agent: see it and begin conversations, or change it too."""

    member_id: UUID
    permission: Permission
    created_at: datetime


async def list_of(tx: TenantTx, agent_id: UUID) -> list[AgentShare]:
    """Whom the agent is shared with, in the order of their ids."""
    rows = await tx.rows(
        "SELECT member_id, permission, created_at FROM agent_shares WHERE tenant_id = $1 AND agent_id = $2 "
        "ORDER BY member_id",
        tx.tenant_id,
        agent_id,
    )
    return [AgentShare(*row.values()) for row in rows]


async def put(tx: TenantTx, agent_id: UUID, member_id: UUID, permission: Permission) -> AgentShare:
    """Share the agent with the member, or change what they may do with it."""
    row = await tx.one(
        "INSERT INTO agent_shares (tenant_id, agent_id, member_id, permission) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (tenant_id, agent_id, member_id) DO UPDATE SET permission = excluded.permission "
        "RETURNING member_id, permission, created_at",
        tx.tenant_id,
        agent_id,
        member_id,
        permission,
    )
    return AgentShare(*row.values())


async def remove(tx: TenantTx, agent_id: UUID, member_id: UUID) -> bool:
    """Share the agent with the member no longer; False when it was not."""
    touched = await tx.execute(
        "DELETE FROM agent_shares WHERE tenant_id = $1 AND agent_id = $2 AND member_id = $3",
        tx.tenant_id,
        agent_id,
        member_id,
    )
    return touched == 1


async def remove_all(tx: TenantTx, member_id: UUID) -> list[UUID]:
    """Share nothing with the member any longer; the agents that were."""
    rows = await tx.rows(
        "DELETE FROM agent_shares WHERE tenant_id = $1 AND member_id = $2 RETURNING agent_id", tx.tenant_id, member_id
    )
    return [row["agent_id"] for row in rows]


async def may_edit(tx: TenantTx, agent_id: UUID, member_id: UUID | None) -> bool:
    """Whether the agent is shared with the member for editing."""
    return await tx.value(
        "SELECT EXISTS (SELECT FROM agent_shares WHERE tenant_id = $1 AND agent_id = $2 AND member_id = $3 "
        "AND permission = 'edit')",
        tx.tenant_id,
        agent_id,
        member_id,
    )


async def hand_over(tx: TenantTx, agent_ids: Sequence[UUID], owner_member_id: UUID | None) -> None:
    """Make these agents another member's or, with None, the tenant's. Whom they are shared with stays, but for the new
    owner. Conversations stay with the owner that they began with."""
    await tx.execute(
        "UPDATE agents SET owner_member_id = $3, updated_at = now() WHERE tenant_id = $1 AND id = ANY($2::uuid[])",
        tx.tenant_id,
        list(agent_ids),
        owner_member_id,
    )
    await tx.execute(
        "DELETE FROM agent_shares WHERE tenant_id = $1 AND agent_id = ANY($2::uuid[]) AND member_id = $3",
        tx.tenant_id,
        list(agent_ids),
        owner_member_id,
    )


async def owned_by(tx: TenantTx, member_id: UUID) -> list[UUID]:
    """The agents of the member, in the order of their ids."""
    rows = await tx.rows(
        "SELECT id FROM agents WHERE tenant_id = $1 AND owner_member_id = $2 AND deleted_at IS NULL ORDER BY id",
        tx.tenant_id,
        member_id,
    )
    return [row["id"] for row in rows]
