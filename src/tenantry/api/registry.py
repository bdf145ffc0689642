"""All features of the REST API."""

from fastapi import APIRouter

from tenantry.api.agents.routes import router as agents
from tenantry.api.calendars.routes import router as calendars
from tenantry.api.conversations.routes import router as conversations
from tenantry.api.memory.routes import router as memory

ROUTERS: tuple[APIRouter, ...] = (agents, conversations, calendars, memory)
