"""What the routes of sharing take and give."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tenantry.storage.repositories.agent_shares import AgentShare, Permission


class ShareIn(BaseModel):
    """What the member may do: `use` is to see the agent and begin conversations with it, `edit` to change it too."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"permission": "use"}]})
    permission: Permission


class ShareOut(BaseModel):
    """A member whom the agent is shared with."""

    member_id: UUID
    permission: Permission
    created_at: datetime

    @classmethod
    def of(cls, share: AgentShare) -> "ShareOut":
        """The share as it is shown."""
        return cls(member_id=share.member_id, permission=share.permission, created_at=share.created_at)


class ShareList(BaseModel):
    """All whom the agent is shared with."""

    items: list[ShareOut]


class NewOwner(BaseModel):
    """Whose the agent is to be: a member's, or with null the tenant's."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"member_id": None}]})
    member_id: UUID | None
