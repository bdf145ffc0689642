"""What the agents' routes take and give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tenantry.api.common import Page
from tenantry.domain.agent import Agent, AgentDefinition


class AgentCreate(BaseModel):
    """A new agent. Without `owner_member_id` it is the key's member's; with a tenant's key, the tenant's."""

    model_config = ConfigDict(extra="forbid")
    definition: AgentDefinition
    owner_member_id: UUID | None = None


class AgentChange(BaseModel):
    """A new definition for the one that was read with this revision."""

    model_config = ConfigDict(extra="forbid")
    definition: AgentDefinition
    revision: int = Field(ge=1, le=2**31 - 1)


class AgentOut(BaseModel):
    """An agent; `owner_member_id` null means that the tenant owns it."""

    id: UUID
    owner_member_id: UUID | None
    revision: int
    definition: AgentDefinition
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, agent: Agent) -> "AgentOut":
        """The agent as it is shown."""
        return cls(
            id=agent.id,
            owner_member_id=agent.owner_member_id,
            revision=agent.revision,
            definition=agent.definition,
            created_at=agent.created_at,
            updated_at=agent.updated_at,
        )


class AgentPage(Page):
    """Agents, newest first."""

    items: list[AgentOut]


class ToolOut(BaseModel):
    """A tool as the model is shown it."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class AgentPreview(BaseModel):
    """Exactly what the model would get now, and which functions it would not get because nothing runs them."""

    model: str
    system_prompt: str
    tools: list[ToolOut]
    functions_without_tool: list[str]
