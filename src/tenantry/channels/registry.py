"""All channels that are mounted on the HTTP server."""

from fastapi import APIRouter

from tenantry.channels.http_reply.routes import router as http_reply
from tenantry.channels.livekit_voice.browser.routes import router as browser_calls
from tenantry.channels.livekit_voice.call_routes import router as voice_calls
from tenantry.channels.livekit_voice.recording import router as call_recordings
from tenantry.channels.livekit_voice.token_routes import router as call_tokens
from tenantry.channels.livekit_voice.worker_routes import router as voice_workers

ROUTERS: tuple[APIRouter, ...] = (
    http_reply,
    call_tokens,
    voice_workers,
    voice_calls,
    call_recordings,
    browser_calls,
)
