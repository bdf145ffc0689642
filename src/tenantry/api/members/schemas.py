"""What the members' routes take and give."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tenantry.domain.tenant import Member, Role


class MemberOut(BaseModel):
    """A person of the tenant."""

    id: UUID
    email: str
    display_name: str
    role: Role
    created_at: datetime

    @classmethod
    def of(cls, member: Member) -> "MemberOut":
        """The member as they are shown."""
        return cls(
            id=member.id,
            email=member.email,
            display_name=member.display_name,
            role=member.role,
            created_at=member.created_at,
        )


class MemberList(BaseModel):
    """All members, in the order they joined."""

    items: list[MemberOut]


class HandOver(BaseModel):
    """Who gets the agents: another member, or with null the tenant."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"to": None}]})
    to: UUID | None


class HandedOver(BaseModel):
    """The agents that were handed over."""

    agent_ids: list[UUID]
