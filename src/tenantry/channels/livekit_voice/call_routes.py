"""`/api/voice/call`: what the process that speaks for a call does with the call's token."""

from fastapi import APIRouter, Response, status

from tenantry.api.common import Db, TheEngine
from tenantry.api.problems import problems
from tenantry.api.reply_stream import STREAM, stream_reply
from tenantry.api.sse import sse_response
from tenantry.channels.livekit_voice.access import OfCall
from tenantry.channels.livekit_voice.channel import TheVoice
from tenantry.channels.livekit_voice.heard import keep, unspoken
from tenantry.channels.livekit_voice.schemas import BeatIn, BeatOut, EndIn, SaidIn, UnspokenOut, UtteranceIn
from tenantry.domain.access import Principal
from tenantry.domain.call import Utterance
from tenantry.domain.errors import CallEnded, ConversationBusy, DatabaseUnavailable, NotFound, Unauthenticated
from tenantry.engine.inbound import Inbound, clean_message
from tenantry.storage.repositories import calls, tenants

router = APIRouter(
    prefix="/api/voice/call",
    tags=["voice calls"],
    responses=problems(Unauthenticated, CallEnded, DatabaseUnavailable),
)


@router.post("/turns", response_class=Response, responses=STREAM)
async def say(body: SaidIn, holder: OfCall, engine: TheEngine) -> Response:
    """Answer what the caller said, as server-sent events while the answer grows."""
    async with engine.db.tenant(holder.tenant_id) as tx:
        call, tenant = await holder.call(tx), await tenants.current(tx)
    live = await engine.begin(
        Inbound(
            principal=Principal.of_call(tenant, call.id, call.conversation_id),
            channel="voice",
            message=clean_message(body.message),
            conversation_id=call.conversation_id,
            idempotency_key=f"call:{call.id}:{body.idempotency_key}",
        )
    )
    return sse_response(stream_reply(live))


@router.post(
    "/utterances",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(NotFound, ConversationBusy),
)
async def spoken(body: UtteranceIn, holder: OfCall, engine: TheEngine) -> None:
    """Keep what the agent said at a position. Where the caller interrupted, its turn ends where it stands, and the
    history has what they heard."""
    said = Utterance(body.position, body.turn_id, body.said, body.heard, body.interrupted, body.timings)
    await keep(engine, holder, said)


@router.get("/unspoken", responses=problems(ConversationBusy))
async def read_unspoken(holder: OfCall, engine: TheEngine) -> UnspokenOut:
    """What a process that took the call over has to repeat; a turn that still runs is waited for."""
    found = await unspoken(engine, holder)
    return UnspokenOut(turn_id=found[0], text=found[1]) if found else UnspokenOut()


@router.post("/beat")
async def beat(body: BeatIn, holder: OfCall, db: Db) -> BeatOut:
    """The call's process lives; whether the call is to end."""
    async with db.tenant(holder.tenant_id) as tx:
        call = await holder.call(tx)
        await calls.beat(tx, call.id, caller_there=body.caller_there, answered=body.answered)
    return BeatOut(hang_up=call.hang_up)


@router.post("/end", status_code=status.HTTP_204_NO_CONTENT, response_class=Response)
async def end(body: EndIn, holder: OfCall, db: Db, voice: TheVoice) -> None:
    """The call is over: its room is ended, with whoever is in it."""
    async with db.tenant(holder.tenant_id) as tx:
        call = await holder.call(tx)
        await calls.end(tx, call.id, body.reason)
    await voice.leave(call)
