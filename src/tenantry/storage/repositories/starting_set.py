"""The agents that were made of the built-in types."""

from uuid import UUID

from tenantry.domain.agent import AgentDefinition
from tenantry.storage.tenancy import TenantTx

# Built-in types have no numbers: what a clone took is kept whole beside it.
_FIRST = 1


async def made(tx: TenantTx) -> dict[str, UUID]:
    """The tenant's own agents in use that were made of a built-in type, the oldest of each, by the type's name."""
    rows = await tx.rows(
        "SELECT DISTINCT ON (o.built_in) o.built_in, a.id FROM agent_origins o "
        "JOIN agents a ON a.tenant_id = o.tenant_id AND a.id = o.agent_id "
        "WHERE o.tenant_id = $1 AND o.built_in IS NOT NULL AND a.owner_member_id IS NULL AND a.deleted_at IS NULL "
        "ORDER BY o.built_in, a.id",
        tx.tenant_id,
    )
    return {row["built_in"]: row["id"] for row in rows}


async def record(tx: TenantTx, agent_id: UUID, type_name: str, definition: AgentDefinition) -> None:
    """Keep which built-in type a new agent was made of, and what that was."""
    await tx.execute(
        "INSERT INTO agent_origins (tenant_id, agent_id, built_in, version, definition) VALUES ($1, $2, $3, $4, $5)",
        tx.tenant_id,
        agent_id,
        type_name,
        _FIRST,
        definition,
    )
