"""The interface of every memory."""

from typing import Protocol
from uuid import UUID

from tenantry.domain.memory import Block
from tenantry.storage.tenancy import TenantTx


class Memory(Protocol):
    """Where an agent's memory is kept."""

    async def blocks(self, tx: TenantTx, agent_id: UUID, contact_id: UUID | None) -> tuple[Block, ...]:
        """What every turn with this contact has in mind: the agent's own blocks, then the contact's, each in order of
        their labels. Without a contact, the agent's own."""
        ...
