"""The calendar providers there are, each by an owner's own connection."""

from uuid import UUID

from tenantry.calendars.base import CalendarProvider, Credentials
from tenantry.calendars.caldav.provider import CalDavCalendars
from tenantry.calendars.google.provider import GoogleCalendars
from tenantry.calendars.microsoft.graph import MailboxGates
from tenantry.calendars.microsoft.provider import MicrosoftCalendar
from tenantry.calendars.wire import CalendarHttp
from tenantry.credentials.connection_store import ConnectionStore
from tenantry.domain.connection import ProviderName
from tenantry.domain.errors import ProviderNotSetUp
from tenantry.outbound.client import OutboundHttp
from tenantry.settings import CalendarSettings, OAuthClient


class ConnectedProviders:
    """Finds the provider of an owner by tenant, member and name alone."""

    def __init__(self, settings: CalendarSettings, outbound: OutboundHttp, connections: ConnectionStore) -> None:
        self._settings = settings
        self._outbound = outbound
        self._connections = connections
        self._gates = MailboxGates()

    async def of(self, tenant_id: UUID, owner_member_id: UUID | None, name: ProviderName) -> CalendarProvider:
        """The provider signed in to by this owner. Raises ConnectionBroken when they did not, and ProviderNotSetUp."""
        credentials = self._connections.of(tenant_id, owner_member_id, name)
        url = await credentials.server() if name == "caldav" else ""
        return self._made(name, credentials, url, (tenant_id, owner_member_id))

    async def account_of(self, name: ProviderName, credentials: Credentials, url: str) -> str:
        """As whom a credential that is not kept yet signs in, which also tries it; `url` is the CalDAV server's.

        Raises ConnectionBroken, CalendarRefused, CalendarUnavailable and ProviderNotSetUp.
        """
        return await self._made(name, credentials, url, ()).account()

    def _made(
        self, name: ProviderName, credentials: Credentials, url: str, mailbox: tuple[UUID | None, ...]
    ) -> CalendarProvider:
        http = CalendarHttp(self._outbound, credentials)
        match name:
            case "microsoft":
                return MicrosoftCalendar(http, _set_up(self._settings.microsoft).api_url, self._gates.of(mailbox))
            case "google":
                return GoogleCalendars(http, _set_up(self._settings.google).api_url)
            case "caldav":
                return CalDavCalendars(http, url)


def _set_up(client: OAuthClient | None) -> OAuthClient:
    if client is None:
        raise ProviderNotSetUp
    return client
