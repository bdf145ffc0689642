"""Whom agents are shared with, and whose they are."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.client.agents import Agent
from tenantry.client.transport import Transport


@dataclass(frozen=True, slots=True)
class Share:
    """A member whom an agent is shared with: `permission` is use, or edit to change it too."""

    member_id: UUID
    permission: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShareList:
    """All whom an agent is shared with."""

    items: tuple[Share, ...]


class Sharing:
    """`/api/v1/agents/{agent_id}/shares` and `/owner`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, agent_id: UUID) -> tuple[Share, ...]:
        """Whom an agent is shared with; for its owner and for who acts for the tenant."""
        return (await self._transport.call("GET", f"/api/v1/agents/{agent_id}/shares", ShareList)).items

    async def share(self, agent_id: UUID, member_id: UUID, permission: str) -> Share:
        """Share an agent with a member for use or edit, or change what they may do."""
        path = f"/api/v1/agents/{agent_id}/shares/{member_id}"
        return await self._transport.call("PUT", path, Share, body={"permission": permission})

    async def unshare(self, agent_id: UUID, member_id: UUID) -> None:
        """Share an agent with a member no longer."""
        await self._transport.call("DELETE", f"/api/v1/agents/{agent_id}/shares/{member_id}", type(None))

    async def hand_over(self, agent_id: UUID, member_id: UUID | None) -> Agent:
        """Make an agent another member's or, with None, the tenant's; conversations that began before stay."""
        path = f"/api/v1/agents/{agent_id}/owner"
        return await self._transport.call("POST", path, Agent, body={"member_id": member_id})
