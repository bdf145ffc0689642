"""`/api/livekit/token`: where a call begins."""

from fastapi import APIRouter, Request, Response

from tenantry.api.common import EngineResources, TheSettings
from tenantry.api.problems import problem, problems
from tenantry.auth.principals import SCHEME
from tenantry.channels.livekit_voice.callers import admit, opener_of, preflight, share
from tenantry.channels.livekit_voice.channel import TheVoice, VoiceChannel
from tenantry.channels.livekit_voice.opening import Opened, open_call
from tenantry.channels.livekit_voice.schemas import CallIn, CallOut
from tenantry.credentials.call_tickets import Ticket
from tenantry.domain.call import Transport
from tenantry.domain.errors import (
    AgentNotPublished,
    DatabaseUnavailable,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    OriginRefused,
    RateLimited,
    TenantryError,
    Unauthenticated,
)
from tenantry.settings import Settings

SOCKET_PATH = "/api/voice/socket"
router = APIRouter(prefix="/api/livekit", tags=["calls"])


@router.post(
    "/token",
    response_model=CallOut,
    responses=problems(
        AgentNotPublished, DatabaseUnavailable, Forbidden, NotFound, OriginRefused, RateLimited, Unauthenticated
    ),
    openapi_extra={"security": [{SCHEME: []}]},
)
async def open_a_call(
    body: CallIn, request: Request, voice: TheVoice, resources: EngineResources, settings: TheSettings
) -> Response:
    """Open a call with the agent that routing finds: a private room and a short-lived token for it. Browsers send a
    site's public key as `X-Tenantry-Site` in the place of an API key, from an origin of the site."""
    opener = await opener_of(request, resources, settings)
    try:
        await admit(request, resources, opener)
        transport = _transport(body, voice)
        opened = await open_call(resources, opener.inbound(body), transport, opener.site and opener.site.id)
        answer = _answer(opened, transport, voice, _socket_url(request, settings))
    except TenantryError as error:
        return share(problem(error), opener)
    return share(Response(answer.model_dump_json(by_alias=True), media_type="application/json"), opener)


@router.options("/token", include_in_schema=False)
async def may_open(request: Request) -> Response:
    """What browsers ask before they open a call."""
    return preflight(request)


def _transport(body: CallIn, voice: VoiceChannel) -> Transport:
    if body.transport == "livekit" and voice.rooms is None:
        message = "cannot be livekit: this installation has no LiveKit server; leave it out"
        raise InvalidInput(f"`transport` {message}.", errors=[FieldError("transport", message)])
    return body.transport or ("websocket" if voice.rooms is None else "livekit")


def _answer(opened: Opened, transport: Transport, voice: VoiceChannel, socket_url: str) -> CallOut:
    url, token = socket_url, ""
    if transport == "livekit" and voice.rooms is not None:
        ticket = voice.tickets.seal(Ticket(opened.tenant_id, opened.call_id, 1))
        url, token = voice.livekit_url, voice.rooms.token(opened.room, opened.participant, ticket)
    else:
        token = voice.sockets.seal(opened.tenant_id, opened.call_id)
    return CallOut(
        server_url=url,
        room_name=opened.room,
        participant_name=opened.participant,
        participant_token=token,
        transport=transport,
        call_id=opened.call_id,
        consent_text=opened.consent_text,
    )


def _socket_url(request: Request, settings: Settings) -> str:
    """This server's WebSocket for callers: at its public address, else where it was asked."""
    here = settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return f"{here.replace('http', 'ws', 1)}{SOCKET_PATH}"
