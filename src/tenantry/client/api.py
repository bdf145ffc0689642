"""All of the HTTP API under one key."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

from tenantry.client.agents import Agents
from tenantry.client.audit import AuditLog
from tenantry.client.calendar import Calendar
from tenantry.client.calls import Calls
from tenantry.client.connections import Connections
from tenantry.client.contacts import Contacts
from tenantry.client.conversations import Conversations
from tenantry.client.lifecycle import Lifecycle
from tenantry.client.limits import Limits
from tenantry.client.members import Members
from tenantry.client.memory import Memory
from tenantry.client.personal import PersonalAgents
from tenantry.client.providers import Providers
from tenantry.client.replies import Replies
from tenantry.client.routing import Routing
from tenantry.client.secrets import Secrets
from tenantry.client.sharing import Sharing
from tenantry.client.sites import Sites
from tenantry.client.templates import Templates
from tenantry.client.transport import Transport
from tenantry.client.turns import Turns
from tenantry.client.usage import Usage

_TIMEOUT = aiohttp.ClientTimeout(total=90)


class TenantryClient:
    """One server, one API key; each attribute is a feature of the API."""

    def __init__(self, transport: Transport) -> None:
        self.agents = Agents(transport)
        self.audit = AuditLog(transport)
        self.calendar = Calendar(transport)
        self.calls = Calls(transport)
        self.connections = Connections(transport)
        self.contacts = Contacts(transport)
        self.conversations = Conversations(transport)
        self.lifecycle = Lifecycle(transport)
        self.limits = Limits(transport)
        self.members = Members(transport)
        self.memory = Memory(transport)
        self.personal_agents = PersonalAgents(transport)
        self.providers = Providers(transport)
        self.replies = Replies(transport)
        self.routing = Routing(transport)
        self.secrets = Secrets(transport)
        self.sharing = Sharing(transport)
        self.sites = Sites(transport)
        self.templates = Templates(transport)
        self.turns = Turns(transport)
        self.usage = Usage(transport)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, key: str) -> AsyncGenerator["TenantryClient"]:
        """A client of the server at `url`, which begins with http:// or https://."""
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(url, headers=headers, timeout=_TIMEOUT) as session:
            yield cls(Transport(session, url))
