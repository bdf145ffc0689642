"""The members of a tenant."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from tenantry.client.transport import Transport


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the tenant."""

    id: UUID
    email: str
    display_name: str
    role: str


class Members:
    """`/api/v1/members`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[Member]:
        """All members; for who may act for the whole tenant."""
        return self._transport.pages("/api/v1/members", Member)
