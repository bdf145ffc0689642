"""All features of the REST API."""

from fastapi import APIRouter

from tenantry.api.agents.bulk import router as agents_in_bulk
from tenantry.api.agents.clones import router as agent_clones
from tenantry.api.agents.personal import router as personal_agents
from tenantry.api.agents.routes import router as agents
from tenantry.api.agents.setup import router as starting_set
from tenantry.api.agents.shares import router as agent_shares
from tenantry.api.agents.templates import router as templates
from tenantry.api.agents.versions import router as agent_versions
from tenantry.api.audit.routes import router as audit
from tenantry.api.calendars.feeds import router as calendar_feeds
from tenantry.api.calendars.routes import router as calendars
from tenantry.api.calendars.webhooks import router as calendar_webhooks
from tenantry.api.calls.routes import router as calls
from tenantry.api.connections.calendars import router as connection_calendars
from tenantry.api.connections.callback import router as oauth_callback
from tenantry.api.connections.routes import router as connections
from tenantry.api.contacts.routes import router as contacts
from tenantry.api.conversations.routes import router as conversations
from tenantry.api.lifecycle.routes import router as lifecycle
from tenantry.api.limits.routes import router as limits
from tenantry.api.members.routes import router as members
from tenantry.api.memory.routes import router as memory
from tenantry.api.providers.routes import router as providers
from tenantry.api.routing.routes import router as routing
from tenantry.api.secrets.routes import router as secrets
from tenantry.api.sites.routes import router as sites
from tenantry.api.turns.routes import router as turns
from tenantry.api.usage.routes import router as usage

ROUTERS: tuple[APIRouter, ...] = (
    agents,
    agent_versions,
    agents_in_bulk,
    starting_set,
    agent_clones,
    agent_shares,
    templates,
    members,
    personal_agents,
    routing,
    memory,
    conversations,
    turns,
    calls,
    sites,
    calendars,
    calendar_feeds,
    calendar_webhooks,
    providers,
    secrets,
    connections,
    connection_calendars,
    oauth_callback,
    usage,
    limits,
    contacts,
    lifecycle,
    audit,
)
