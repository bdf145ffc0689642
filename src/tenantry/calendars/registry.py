"""The calendar providers there are, each by an owner's own connection."""

from uuid import UUID

from tenantry.calendars.base import CalendarProvider
from tenantry.domain.connection import ProviderName
from tenantry.domain.errors import ConnectionBroken
from tenantry.outbound.client import OutboundHttp
from tenantry.settings import CalendarSettings


class ConnectedProviders:
    """Finds the provider of an owner by tenant, member and name alone."""

    def __init__(self, settings: CalendarSettings, outbound: OutboundHttp) -> None:
        self._settings = settings
        self._outbound = outbound

    async def of(self, tenant_id: UUID, owner_member_id: UUID | None, name: ProviderName) -> CalendarProvider:
        """The provider signed in to by this owner. Raises ConnectionBroken when they did not."""
        raise ConnectionBroken
