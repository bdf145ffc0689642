"""Contacts' own instances of an agent."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.client.transport import Transport, given


@dataclass(frozen=True, slots=True)
class PersonalAgent:
    """A contact's own instance: `changes` is what differs from the agent, as a patch of its definition."""

    contact_id: UUID
    revision: int
    changes: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


class PersonalAgents:
    """`/api/v1/agents/{agent_id}/personal`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, agent_id: UUID) -> AsyncGenerator[PersonalAgent]:
        """Whose own instances of the agent there are."""
        return self._transport.pages(_path(agent_id), PersonalAgent)

    async def get(self, agent_id: UUID, contact_id: UUID) -> PersonalAgent:
        """A contact's own instance."""
        return await self._transport.call("GET", f"{_path(agent_id)}/{contact_id}", PersonalAgent)

    async def change(
        self, agent_id: UUID, contact_id: UUID, changes: Mapping[str, Any], *, revision: int | None = None
    ) -> PersonalAgent:
        """Say all that a contact's own instance has different from the agent; made when there is none."""
        body = given(changes=changes, revision=revision)
        return await self._transport.call("PUT", f"{_path(agent_id)}/{contact_id}", PersonalAgent, body=body)

    async def delete(self, agent_id: UUID, contact_id: UUID) -> None:
        """Let a contact have the agent as it is; what it keeps in mind of them stays."""
        await self._transport.call("DELETE", f"{_path(agent_id)}/{contact_id}", type(None))


def _path(agent_id: UUID) -> str:
    return f"/api/v1/agents/{agent_id}/personal"
