"""Memory in the installation's own database, under the tenant's row-level security."""

from uuid import UUID

from tenantry.domain.memory import Block
from tenantry.storage.repositories import memory_blocks
from tenantry.storage.tenancy import TenantTx


class PostgresMemory:
    """Blocks in `memory_blocks`."""

    async def blocks(self, tx: TenantTx, agent_id: UUID, contact_id: UUID | None) -> tuple[Block, ...]:
        """As `Memory.blocks`."""
        return await memory_blocks.of_contact(tx, agent_id, contact_id)
