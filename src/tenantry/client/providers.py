"""A tenant's own providers of language models."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.client.transport import Transport, given
from tenantry.domain.provider import ProviderModel, ProviderSettings, Timeouts

_PATH = "/api/v1/providers"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider; where it is and the end of its key are None for who may not act for the whole tenant."""

    id: UUID
    name: str
    models: tuple[ProviderModel, ...]
    base_url: str | None
    answer_mode: str
    timeouts: Timeouts
    key_set: bool
    key_hint: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderList:
    """All providers, the oldest first."""

    items: tuple[Provider, ...]


class Providers:
    """`/api/v1/providers`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> tuple[Provider, ...]:
        """All of the tenant's providers."""
        return (await self._transport.call("GET", _PATH, ProviderList)).items

    async def get(self, provider_id: UUID) -> Provider:
        """One provider."""
        return await self._transport.call("GET", f"{_PATH}/{provider_id}", Provider)

    async def create(self, settings: ProviderSettings, api_key: str | None = None) -> Provider:
        """Add a provider; its models can be used at once."""
        return await self._transport.call("POST", _PATH, Provider, body=_body(settings, api_key))

    async def replace(self, provider_id: UUID, settings: ProviderSettings, api_key: str | None = None) -> Provider:
        """Replace a provider's settings. Without a key it keeps the one it has; an empty one takes it away."""
        path = f"{_PATH}/{provider_id}"
        return await self._transport.call("PUT", path, Provider, body=_body(settings, api_key))

    async def delete(self, provider_id: UUID) -> None:
        """Remove a provider and its key."""
        await self._transport.call("DELETE", f"{_PATH}/{provider_id}", type(None))


def _body(settings: ProviderSettings, api_key: str | None) -> dict[str, object]:
    return {**msgspec.to_builtins(settings), **given(api_key=api_key)}
