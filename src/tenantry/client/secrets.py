"""Secrets that functions of agents send to services: names come out, values only go in."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.client.transport import Transport

_PATH = "/api/v1/secrets"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its value. No owner: it is the tenant's."""

    id: UUID
    name: str
    owner_member_id: UUID | None
    created_at: datetime
    updated_at: datetime


class Secrets:
    """`/api/v1/secrets`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[Secret]:
        """The secrets that the key can see, newest first."""
        return self._transport.pages(_PATH, Secret)

    async def put(self, name: str, value: str, *, owner_member_id: UUID | None = None) -> Secret:
        """Keep a secret, in the place of the owner's one with its name."""
        params = {"owner_member_id": owner_member_id}
        return await self._transport.call("PUT", f"{_PATH}/{name}", Secret, body={"value": value}, params=params)

    async def delete(self, name: str, *, owner_member_id: UUID | None = None) -> None:
        """Remove a secret."""
        params = {"owner_member_id": owner_member_id}
        await self._transport.call("DELETE", f"{_PATH}/{name}", type(None), params=params)
