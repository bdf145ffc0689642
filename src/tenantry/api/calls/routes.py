"""`/api/v1/calls`."""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from tenantry.api.calls.schemas import CallOut, CallPage, CallRecordOut
from tenantry.api.common import Cursor, Db, EngineResources, Limit, cut_page
from tenantry.auth.principals import CanReadConversations, CanReply
from tenantry.credentials.call_recordings import MEDIA_TYPE, CallRecordings
from tenantry.domain.access import Principal
from tenantry.domain.call import Call, CallStatus, EndReason
from tenantry.domain.errors import NotFound
from tenantry.storage.repositories import audit, calls, recordings
from tenantry.storage.repositories.recordings import Piece
from tenantry.storage.tenancy import Database, TenantTx

router = APIRouter(prefix="/api/v1/calls", tags=["calls"])


@router.get("")
async def list_calls(
    who: CanReadConversations,
    db: Db,
    live: Annotated[bool | None, Query(description="Only those that are not over, or only those that are.")] = None,
    conversation_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CallPage:
    """The calls that the key can see, newest first."""
    async with db.tenant(who.tenant_id) as tx:
        found = await calls.list_page(
            tx,
            sees_only=who.sees_only,
            live=live,
            conversation_id=conversation_id,
            before=cursor,
            limit=limit + 1,
        )
    page, next_cursor = cut_page(found, limit, lambda call: call.id)
    return CallPage(items=[CallOut.of(call) for call in page], next_cursor=next_cursor)


@router.get("/{call_id}")
async def read_call(call_id: UUID, who: CanReadConversations, db: Db) -> CallRecordOut:
    """One call with what both sides said, what of it was heard, and how long each stage took."""
    async with db.tenant(who.tenant_id) as tx:
        call = await _visible(tx, call_id, who)
        words, said = await calls.caller_words(tx, call), await calls.utterances(tx, call_id)
        return CallRecordOut.of(call, words, said, await recordings.size_of(tx, call_id))


@router.post("/{call_id}/hang-up")
async def hang_up(call_id: UUID, who: CanReply, db: Db) -> CallOut:
    """End a call: its agent says goodbye within seconds; one that no agent has come to is over at once. A call that is
    over stays as it is."""
    async with db.tenant(who.tenant_id) as tx:
        call = await _visible(tx, call_id, who, lock=True)
        if call.status is CallStatus.ENDED:
            return CallOut.of(call)
        await calls.ask_to_hang_up(tx, call_id, EndReason.HUNG_UP)
        if not call.claims:
            await calls.end(tx, call_id, EndReason.HUNG_UP)
        await audit.record(tx, actor=who.actor, action="call.hung_up", target=f"call:{call_id}")
        return CallOut.of(await _visible(tx, call_id, who))


@router.get(
    "/{call_id}/recording",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The recording, the caller on the left."}},
)
async def read_recording(
    call_id: UUID, who: CanReadConversations, db: Db, resources: EngineResources
) -> StreamingResponse:
    """What was recorded of a call; where its agent was lost and came again, one Ogg stream follows the other."""
    opening = CallRecordings(resources.vault)
    async with db.tenant(who.tenant_id) as tx:
        await _visible(tx, call_id, who)
        pieces = await recordings.of_call(tx, call_id)
        if not pieces:
            raise NotFound("This call has no recording; its agent's `voice.record` says whether calls are recorded.")
        # Before the answer begins, so that what cannot be opened is a problem and not a broken file.
        first = await opening.audio(tx, pieces[0])
        await audit.record(tx, actor=who.actor, action="recording.read", target=f"call:{call_id}")
    headers = {"Content-Disposition": f'attachment; filename="{call_id}.ogg"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(
        _audio(db, who.tenant_id, opening, first, pieces[1:]), media_type=MEDIA_TYPE, headers=headers
    )


async def _audio(
    db: Database, tenant_id: UUID, opening: CallRecordings, first: bytes, rest: Sequence[Piece]
) -> AsyncGenerator[bytes]:
    yield first
    for piece in rest:
        # One at a time: no connection is held while it is sent.
        async with db.tenant(tenant_id) as tx:
            audio = await opening.audio(tx, piece)
        yield audio


async def _visible(tx: TenantTx, call_id: UUID, who: Principal, *, lock: bool = False) -> Call:
    call = await calls.get(tx, call_id, sees_only=who.sees_only, lock=lock)
    if call is None:
        raise NotFound
    return call
