"""What pages of calls ask this server for."""

from fastapi import APIRouter

from tenantry.channels.livekit_voice.browser.page import router as page
from tenantry.channels.livekit_voice.browser.socket import converse
from tenantry.channels.livekit_voice.token_routes import SOCKET_PATH

router = APIRouter()
router.include_router(page)
router.add_api_websocket_route(SOCKET_PATH, converse)
