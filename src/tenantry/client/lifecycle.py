"""How long a tenant's things are kept, and all of them as a file."""

from collections.abc import AsyncGenerator

from tenantry.client.transport import Transport
from tenantry.domain.lifecycle import TenantRetention


class Lifecycle:
    """`/api/v1/retention` and `/api/v1/export`, for who acts for the whole tenant. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def retention(self) -> TenantRetention:
        """How long contacts and agents are kept that nobody uses."""
        return await self._transport.call("GET", "/api/v1/retention", TenantRetention)

    async def set_retention(self, wanted: TenantRetention) -> TenantRetention:
        """Keep them for so long."""
        return await self._transport.call("PUT", "/api/v1/retention", TenantRetention, body=wanted)

    def export(self) -> AsyncGenerator[bytes]:
        """All of the tenant's data as of one moment, piece by piece: a zip of JSON Lines."""
        return self._transport.download("/api/v1/export")
