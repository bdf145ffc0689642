"""The members of a tenant."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.client.transport import Transport

_PATH = "/api/v1/members"


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the tenant."""

    id: UUID
    email: str
    display_name: str
    role: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MemberList:
    """All members, in the order they joined."""

    items: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The agents that were handed over."""

    agent_ids: tuple[UUID, ...]


class Members:
    """`/api/v1/members`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> tuple[Member, ...]:
        """Everybody in the tenant; for who acts for all of it."""
        return (await self._transport.call("GET", _PATH, MemberList)).items

    async def hand_over(self, member_id: UUID, to: UUID | None) -> tuple[UUID, ...]:
        """Hand all agents of a member over to another one or, with None, to the tenant; which ones these were."""
        path = f"{_PATH}/{member_id}/hand-over"
        return (await self._transport.call("POST", path, HandedOver, body={"to": to})).agent_ids
