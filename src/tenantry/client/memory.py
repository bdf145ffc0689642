"""Blocks of memory: what an agent keeps in mind, of its own and of contacts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.client.transport import Transport, given


@dataclass(frozen=True, slots=True)
class Block:
    """A block; `scope` is agent or contact, `limit` in characters."""

    label: str
    scope: str
    description: str
    value: str
    limit: int
    revision: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BlockList:
    """All of them: the agent's own, then the contact's."""

    items: tuple[Block, ...]


class Memory:
    """`/api/v1/agents/{agent_id}/blocks`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, agent_id: UUID, *, contact: str | None = None) -> tuple[Block, ...]:
        """The agent's own blocks and, with a contact's leadId, those about them."""
        params = {"contact": contact}
        return (await self._transport.call("GET", _path(agent_id), BlockList, params=params)).items

    async def put(
        self,
        agent_id: UUID,
        label: str,
        value: str,
        *,
        description: str = "",
        limit: int | None = None,
        contact: str | None = None,
        revision: int | None = None,
    ) -> Block:
        """Make a block, or replace it; with a `revision`, a 409 when it was changed since that was read."""
        body = given(value=value, description=description, limit=limit, contact=contact, revision=revision)
        return await self._transport.call("PUT", f"{_path(agent_id)}/{label}", Block, body=body)

    async def delete(self, agent_id: UUID, label: str, *, contact: str | None = None) -> None:
        """Forget a block."""
        params = {"contact": contact}
        await self._transport.call("DELETE", f"{_path(agent_id)}/{label}", type(None), params=params)


def _path(agent_id: UUID) -> str:
    return f"/api/v1/agents/{agent_id}/blocks"
