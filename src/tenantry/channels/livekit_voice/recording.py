"""`/api/voice/call/recording`: where the process of a call leaves what it records, while the call goes on."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response, status

from tenantry.api.common import EngineResources
from tenantry.api.problems import problems
from tenantry.channels.livekit_voice.access import OfCall
from tenantry.credentials.call_recordings import CallRecordings
from tenantry.domain.errors import CallEnded, DatabaseUnavailable, Forbidden, InvalidInput, Unauthenticated
from tenantry.storage.repositories import conversations

router = APIRouter(
    prefix="/api/voice/call/recording",
    tags=["voice calls"],
    responses=problems(Unauthenticated, Forbidden, CallEnded, DatabaseUnavailable),
)

Part = Annotated[int, Query(ge=0, lt=100_000, description="The first piece of this process is 0.")]
Audio = Annotated[bytes, Body(media_type="application/octet-stream")]


@router.post("", status_code=status.HTTP_204_NO_CONTENT, response_class=Response)
async def keep_piece(part: Part, holder: OfCall, resources: EngineResources, audio: Audio = b"") -> None:
    """Keep the next piece of an Ogg file of Opus, of at most 256 KiB; the same one for the second time is nothing new.
    Only of an agent that records, which is refused as soon as the conversation is with another one."""
    async with resources.db.tenant(holder.tenant_id) as tx:
        call = await holder.call(tx)
        if not audio:
            raise InvalidInput("The piece is empty; send bytes of the recording.")
        talk = await conversations.with_agent(tx, call.conversation_id)
        voice = (await resources.definitions.agent(tx, talk.serving)).definition.voice
        if not voice.record:
            raise Forbidden("This agent's calls are not recorded; its `voice.record` would have to say so.")
        await CallRecordings(resources.vault).add(tx, call, part, audio)
