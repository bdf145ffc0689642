"""`/api/voice/tickets` and `/api/voice/claims`: what workers do with their key."""

from fastapi import APIRouter, Response, status

from tenantry.api.common import Db, EngineResources
from tenantry.api.problems import problems
from tenantry.channels.livekit_voice.access import by_worker
from tenantry.channels.livekit_voice.channel import TheVoice
from tenantry.channels.livekit_voice.claiming import claim, waiting_call
from tenantry.channels.livekit_voice.schemas import ClaimOut, LostIn, TicketIn, TicketOut
from tenantry.domain.errors import DatabaseUnavailable, TicketInvalid, Unauthenticated
from tenantry.storage.repositories import calls

router = APIRouter(
    prefix="/api/voice",
    tags=["voice workers"],
    dependencies=[by_worker],
    responses=problems(Unauthenticated, TicketInvalid, DatabaseUnavailable),
)


@router.post("/tickets")
async def read_ticket(body: TicketIn, voice: TheVoice, db: Db) -> TicketOut:
    """What a ticket is for. Nothing is claimed by that."""
    ticket = voice.tickets.open(body.ticket)
    async with db.tenant(ticket.tenant_id) as tx:
        call = await waiting_call(tx, ticket)
    return TicketOut(kinds=call.kinds)


@router.post("/claims")
async def claim_call(body: TicketIn, voice: TheVoice, resources: EngineResources) -> ClaimOut:
    """Speak for the ticket's call from now on, in the place of whoever did."""
    return await claim(resources, voice.tickets.open(body.ticket))


@router.post("/claims/lost", status_code=status.HTTP_204_NO_CONTENT, response_class=Response)
async def lost_claim(body: LostIn, voice: TheVoice, db: Db) -> None:
    """The process of this claim is dead: another agent is asked for at once, unless another claim was made since."""
    ticket = voice.tickets.open(body.ticket)
    async with db.tenant(ticket.tenant_id) as tx:
        await calls.lost(tx, ticket.call_id, body.claim)
