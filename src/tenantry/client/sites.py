"""Web sites that may open calls from browsers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.client.transport import Transport

_PATH = "/api/v1/sites"


@dataclass(frozen=True, slots=True)
class Site:
    """A site: its public key opens calls from its origins alone, by routing or to one of `agent_ids`."""

    id: UUID
    name: str
    public_key: str
    origins: tuple[str, ...]
    agent_ids: tuple[UUID, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SiteList:
    """All sites, newest first."""

    items: tuple[Site, ...]


class Sites:
    """`/api/v1/sites`, for who acts for the whole tenant. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> tuple[Site, ...]:
        """All sites of the tenant, newest first."""
        return (await self._transport.call("GET", _PATH, SiteList)).items

    async def create(self, name: str, origins: Sequence[str], *, agent_ids: Sequence[UUID] = ()) -> Site:
        """Let a web site open calls from these origins, such as https://www.example.com."""
        return await self._transport.call("POST", _PATH, Site, body=_body(name, origins, agent_ids))

    async def change(self, site_id: UUID, name: str, origins: Sequence[str], *, agent_ids: Sequence[UUID] = ()) -> Site:
        """Say anew what a site may do; its public key stays."""
        return await self._transport.call("PUT", f"{_PATH}/{site_id}", Site, body=_body(name, origins, agent_ids))

    async def remove(self, site_id: UUID) -> None:
        """Remove a site: its key opens no more calls."""
        await self._transport.call("DELETE", f"{_PATH}/{site_id}", type(None))


def _body(name: str, origins: Sequence[str], agent_ids: Sequence[UUID]) -> dict[str, object]:
    return {"name": name, "origins": list(origins), "agent_ids": list(agent_ids)}
