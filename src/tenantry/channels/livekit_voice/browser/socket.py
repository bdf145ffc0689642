"""`/api/voice/socket`: where the pages of calls speak with their agents."""

from uuid import UUID

from fastapi import WebSocket

from tenantry.channels.livekit_voice.browser.bridge import Bridge
from tenantry.channels.livekit_voice.browser.calls import BrowserCalls
from tenantry.channels.livekit_voice.browser.page_socket import PROTOCOL, REFUSED, TRY_LATER, PageSocket
from tenantry.channels.livekit_voice.channel import VoiceChannel
from tenantry.channels.livekit_voice.origins import is_own_origin
from tenantry.domain.call import CallStatus
from tenantry.domain.errors import CallEnded, OriginRefused, TenantryError, Unauthenticated
from tenantry.storage.repositories import calls, sites
from tenantry.storage.tenancy import Database

_BEARER, _RESUME = "bearer.", "resume."


async def converse(websocket: WebSocket) -> None:
    """Serve the socket of one page until it ends. Browsers do not show why a handshake was refused, so what is wrong
    is told by an `error` on the open socket."""
    offered = [name.strip() for name in websocket.headers.get("sec-websocket-protocol", "").split(",")]
    await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
    page = PageSocket(websocket)
    try:
        bridge = await _bridge_for(websocket, offered)
    except TenantryError as error:
        close_code = TRY_LATER if error.retryable else REFUSED
        await page.refuse(error.code, error.detail, close_code, retryable=error.retryable)
        return
    await bridge.attend(page)
    await page.close()


async def _bridge_for(websocket: WebSocket, offered: list[str]) -> Bridge:
    """The call that the page may speak in. Raises Unauthenticated, OriginRefused, CallEnded and TooManyCalls."""
    runtime = websocket.app.state.runtime
    here: BrowserCalls = runtime.browser_calls
    if (token := _credential(offered, _RESUME)) is not None:
        return here.resumed(token)
    if (token := _credential(offered, _BEARER)) is None:
        raise Unauthenticated("Offer the subprotocol bearer.… with the token that POST /api/livekit/token gave.")
    voice: VoiceChannel = runtime.voice
    tenant_id, call_id = voice.sockets.open(token)
    own = is_own_origin(websocket, runtime.settings)
    await _check(runtime.db, tenant_id, call_id, None if own else websocket.headers.get("origin", ""))
    host, port = websocket.scope["server"]
    return here.joined(tenant_id, call_id, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


def _credential(offered: list[str], kind: str) -> str | None:
    return next((name.removeprefix(kind) for name in offered if name.startswith(kind)), None)


async def _check(db: Database, tenant_id: UUID, call_id: UUID, foreign_origin: str | None) -> None:
    """The call is there, and where a site opened it, a page of that site is who asks."""
    async with db.tenant(tenant_id) as tx:
        call = await calls.get(tx, call_id, sees_only=None)
        if call is None or call.status is CallStatus.ENDED:
            raise CallEnded("This call is over; begin a new one.")
        if call.site_id is None or foreign_origin is None:
            return
        site = await sites.get(tx, call.site_id)
        if site is None or foreign_origin not in site.origins:
            raise OriginRefused
