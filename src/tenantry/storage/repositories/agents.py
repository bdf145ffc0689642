"""Agents."""

from uuid import UUID

import msgspec

from tenantry.domain.agent import Agent, AgentDefinition
from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import Row, TenantTx

COLUMNS = "a.tenant_id, a.id, a.owner_member_id, a.revision, a.definition, a.created_at, a.updated_at"
_definition = msgspec.json.Decoder(AgentDefinition)

# $2 is the member whose agents, besides the tenant's own, are all that may be seen; NULL sees the whole tenant.
_VISIBLE = (
    "a.tenant_id = $1 AND a.deleted_at IS NULL AND ($2::uuid IS NULL OR a.owner_member_id IS NULL "
    "OR a.owner_member_id = $2)"
)


def agent_from(row: Row) -> Agent:
    """The agent of a row with `COLUMNS`."""
    return Agent(
        tenant_id=row["tenant_id"],
        id=row["id"],
        owner_member_id=row["owner_member_id"],
        revision=row["revision"],
        definition=_definition.decode(row["definition"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def get(tx: TenantTx, agent_id: UUID, *, sees_only: UUID | None) -> Agent | None:
    """The agent, when it may be seen."""
    row = await tx.row(
        f"SELECT {COLUMNS} FROM agents a WHERE {_VISIBLE} AND a.id = $3", tx.tenant_id, sees_only, agent_id
    )
    return agent_from(row) if row else None


async def list_page(tx: TenantTx, *, sees_only: UUID | None, before: UUID | None, limit: int) -> list[Agent]:
    """Up to `limit` agents that may be seen, newest first, made before the one with id `before`."""
    rows = await tx.rows(
        f"SELECT {COLUMNS} FROM agents a WHERE {_VISIBLE} AND ($3::uuid IS NULL OR a.id < $3) "
        "ORDER BY a.id DESC LIMIT $4",
        tx.tenant_id,
        sees_only,
        before,
        limit,
    )
    return [agent_from(row) for row in rows]


async def create(
    tx: TenantTx, definition: AgentDefinition, owner_member_id: UUID | None, agent_id: UUID | None = None
) -> Agent:
    """A new agent of a member or, with no owner, of the tenant."""
    row = await tx.one(
        "INSERT INTO agents AS a (tenant_id, id, owner_member_id, definition) "
        f"VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}",
        tx.tenant_id,
        agent_id or new_id(),
        owner_member_id,
        definition,
    )
    return agent_from(row)


async def change(tx: TenantTx, agent_id: UUID, definition: AgentDefinition, *, revision: int) -> Agent | None:
    """Put a new definition in the place of the one with this revision; None when that is no longer the newest."""
    row = await tx.row(
        "UPDATE agents a SET definition = $3, revision = revision + 1, updated_at = now() "
        f"WHERE tenant_id = $1 AND id = $2 AND revision = $4 AND deleted_at IS NULL RETURNING {COLUMNS}",
        tx.tenant_id,
        agent_id,
        definition,
        revision,
    )
    return agent_from(row) if row else None


async def delete(tx: TenantTx, agent_id: UUID) -> None:
    """Take the agent out of use; its conversations and bookings stay."""
    # The tenant before the agent, as where the configuration is changed.
    await tx.execute(
        "UPDATE tenants SET active_agent_id = NULL WHERE id = $1 AND active_agent_id = $2", tx.tenant_id, agent_id
    )
    await tx.execute(
        "UPDATE agents SET deleted_at = now() WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        tx.tenant_id,
        agent_id,
    )
