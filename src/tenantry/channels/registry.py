"""All channels that are mounted on the HTTP server."""

from fastapi import APIRouter

from tenantry.channels.http_reply.routes import router as http_reply

ROUTERS: tuple[APIRouter, ...] = (http_reply,)
