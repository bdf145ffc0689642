"""An installation that providers can call, and tenants of it whose appointments go to calendars of theirs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.auth.tenant_secrets import claimed_tenant
from tenantry.credentials.connections import ConnectionKey, OAuthSecret
from tenantry.credentials.consents import SignedIn
from tenantry.domain.access import Scope
from tenantry.domain.calendar import CalendarChoice
from tenantry.domain.connection import ProviderName
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import CalendarSettings, NetworkSettings, OAuthClient, Settings
from tenantry.storage.repositories import api_keys, calendars, remote_calendars, tenants
from tenantry.storage.repositories.remote_calendars import Chosen
from tenantry.tools.registry import call_tool
from tests.contract.google import GoogleHarness
from tests.contract.microsoft import MicrosoftHarness
from tests.google_server import GoogleServer, google_server
from tests.google_server.channels import Channel
from tests.graph_login import CLIENT_ID, CLIENT_SECRET
from tests.graph_server import graph_server
from tests.graph_service import GraphServer
from tests.graph_subscriptions import Subscription
from tests.integration.booking_parties import Party, make_party

LOOPBACK = ip_network("127.0.0.0/8")
# So long that in a test nothing comes of it.
POLL_S = 3600


@dataclass(frozen=True)
class Installation:
    """A server with all that it does in the background, and the providers that it is registered at."""

    runtime: Runtime
    url: str
    graph: GraphServer
    google: GoogleServer
    http: OutboundHttp = field(default_factory=lambda: OutboundHttp(NetworkPolicy((LOOPBACK,))))


@asynccontextmanager
async def installed_at(home: Path) -> AsyncIterator[Installation]:
    """The installation of the home, serving while inside."""
    bound = bind("127.0.0.1", 0)
    async with graph_server() as graph, google_server() as google:
        login = f"{graph.url}/common/oauth2/v2.0"
        microsoft = OAuthClient(CLIENT_ID, CLIENT_SECRET, f"{login}/authorize", f"{login}/token", None, graph.api_url)
        settings = Settings(
            home=home,
            network=NetworkSettings((LOOPBACK,)),
            calendars=CalendarSettings(microsoft, google.client(), POLL_S),
            public_url=f"http://127.0.0.1:{bound.getsockname()[1]}",
        )
        async with open_runtime(settings) as runtime, serving(runtime, bound) as url:
            made = Installation(runtime, url, graph, google)
            yield made
            await made.http.close()
        assert graph.violations == []


def url_of(watch: Subscription | Channel) -> str:
    """Where the provider calls."""
    return watch.url if isinstance(watch, Subscription) else watch.address


def secret_of(watch: Subscription | Channel) -> str:
    """What the provider says there."""
    return watch.client_state if isinstance(watch, Subscription) else watch.token


def ticket_of(watch: Subscription | Channel) -> str:
    """The secret in the URL."""
    return url_of(watch).rpartition("/")[2]


@dataclass(frozen=True)
class Owner:
    """A tenant that connected a calendar, and a contact of its agent."""

    installation: Installation
    harness: MicrosoftHarness | GoogleHarness
    key: str
    connection_id: UUID
    party: Party

    @property
    def provider(self) -> ProviderName:
        return "microsoft" if isinstance(self.harness, MicrosoftHarness) else "google"

    def watches(self) -> Sequence[Subscription | Channel]:
        """Those of this owner that the provider has."""
        if isinstance(self.harness, MicrosoftHarness):
            held = self.installation.graph.subscriptions.held.values()
            return [each for each in held if each.mailbox is self.harness.mailbox]
        # A ticket says whose it is.
        channels = self.installation.google.api.channels.held.values()
        return [each for each in channels if claimed_tenant(ticket_of(each)) == self.party.tenant_id]

    async def value(self, query: str, *args: Any) -> Any:
        async with self.party.db.tenant(self.party.tenant_id) as tx:
            return await tx.value(query, *args)

    async def book(self, days: int = 3) -> tuple[UUID, str]:
        """An appointment, as it is told by the tool, and its event."""
        start = datetime.now(UTC).replace(hour=16, minute=0, second=0, microsecond=0) + timedelta(days=days)
        start += timedelta(days=(7 - start.weekday()) % 7 if start.weekday() > 4 else 0)
        arguments = {"start": start.isoformat(), "property_address": "1 Main St"}
        context = self.party.context(now=datetime.now(UTC))
        result = await call_tool(context, ToolCallRequest("call-1", "set_appointment", arguments))
        assert result.status == "booked", result.output
        booking_id = UUID(result.output["booking_id"])
        return booking_id, await self.value("SELECT remote_id FROM bookings WHERE id = $1", booking_id)

    async def look(self) -> None:
        """Have the calendar looked at, as after the poll's time."""
        await self.value("UPDATE remote_calendars SET next_sync_at = now()")

    async def renew(self) -> None:
        """Have the subscription be due for renewal, and the calendar looked at."""
        await self.value("UPDATE calendar_watches SET renew_at = now()")
        await self.look()


async def connected_owner(installation: Installation, provider: ProviderName) -> Owner:
    """A new tenant that connected a new account of the provider; its appointments go to the main calendar."""
    runtime, tenant_id = installation.runtime, new_id()
    slug, key = f"t-{tenant_id.hex}", make_key(tenant_id)
    async with runtime.db.operator(tenant_id) as tx:
        await tenants.create(tx, slug, slug, "UTC", tenant_id)
        await api_keys.create(tx, key_hash=hash_key(key), name="test", member_id=None, scopes=frozenset(Scope))
    harness = _account(installation, provider, f"{slug}@contoso.example")
    token = (await harness.credentials.access()).authorization.removeprefix("Bearer ")
    signed_in = SignedIn(ConnectionKey(tenant_id, None, provider), OAuthSecret(token, "none"), slug)
    choice = CalendarChoice(harness.calendar, "Main", primary=True, writable=True)
    async with runtime.db.tenant(tenant_id) as tx:
        connection = await runtime.resources.connecting.keep(tx, signed_in)
        calendar_id = await calendars.find_or_create(tx, None)
        await remote_calendars.put(tx, calendar_id, connection.id, [Chosen(choice, True, True)])
    party = replace(await make_party(runtime.db, tenant_id), sides=runtime.resources.calendars)
    return Owner(installation, harness, key, connection.id, party)


def _account(installation: Installation, provider: ProviderName, address: str) -> MicrosoftHarness | GoogleHarness:
    if provider == "google":
        return GoogleHarness(installation.google, installation.http)
    return MicrosoftHarness(installation.graph, installation.http, installation.graph.add_mailbox(address))
