"""What the members' routes give."""

from uuid import UUID

from pydantic import BaseModel

from tenantry.domain.tenant import Member, Role


class MemberOut(BaseModel):
    """A person of the tenant."""

    id: UUID
    email: str
    display_name: str
    role: Role

    @classmethod
    def of(cls, member: Member) -> "MemberOut":
        """The member as they are shown."""
        return cls(id=member.id, email=member.email, display_name=member.display_name, role=member.role)


class MemberList(BaseModel):
    """All members, in the order they joined."""

    items: list[MemberOut]
