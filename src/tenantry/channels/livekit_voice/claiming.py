"""How a process comes to speak for a call: its ticket against a token, in the place of whoever spoke before."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from tenantry.auth.call_tokens import make_call_token
from tenantry.auth.tenant_secrets import hash_secret
from tenantry.channels.livekit_voice.schemas import ClaimOut, SpeechKeysOut
from tenantry.channels.livekit_voice.verdicts import agent_lives
from tenantry.credentials.call_tickets import Ticket
from tenantry.credentials.secret_store import OwnerSecrets
from tenantry.domain.call import Call, CallStatus
from tenantry.domain.errors import TicketInvalid
from tenantry.domain.voice import SpeechEngine, Voice
from tenantry.engine.resources import Resources
from tenantry.llm.form_policy import greeting_of
from tenantry.storage.repositories import calls, conversations
from tenantry.storage.tenancy import TenantTx

log = structlog.get_logger()


async def waiting_call(tx: TenantTx, ticket: Ticket, *, lock: bool = False) -> Call:
    """The call of the ticket. Where another agent was asked for since, the ticket is good as long as none is there:
    whoever starts slowly is better than nobody. Raises TicketInvalid."""
    call = await calls.get(tx, ticket.call_id, sees_only=None, lock=lock)
    if call is None or call.status is CallStatus.ENDED:
        raise TicketInvalid
    if call.dispatches != ticket.dispatch and agent_lives(call, await calls.now(tx)):
        raise TicketInvalid
    return call


async def claim(resources: Resources, ticket: Ticket) -> ClaimOut:
    """Give the call to the claimant alone. Raises TicketInvalid."""
    async with resources.db.tenant(ticket.tenant_id) as tx:
        call = await waiting_call(tx, ticket)
        talk = await conversations.with_agent(tx, call.conversation_id)
        definition = (await resources.definitions.agent(tx, talk.serving)).definition
    equipped = await _equip(definition.voice, resources.secrets.of(call.tenant_id, call.owner_member_id), call)
    token = make_call_token(ticket.tenant_id)
    async with resources.db.tenant(ticket.tenant_id) as tx:
        call = await waiting_call(tx, ticket, lock=True)
        if call.dispatches != ticket.dispatch:
            # The one that was asked for later comes too late now.
            await calls.outdate_tickets(tx, call.id)
        await calls.claim(
            tx,
            call.id,
            hash_secret(token),
            recognition=_label(equipped.voice.recognition),
            speech=_label(equipped.voice.speech),
            local=equipped.local,
        )
        said = await calls.utterances(tx, call.id)
    return ClaimOut(
        call_id=call.id,
        call_token=token,
        claim=call.claims + 1,
        conversation_id=call.conversation_id,
        room=call.room,
        participant=call.participant,
        transport=call.transport,
        agent_id=talk.conversation.agent_id,
        agent_name=definition.name,
        language=definition.language,
        voice=equipped.voice,
        keys=equipped.keys,
        greeting="" if call.answered_at else greeting_of(definition),
        next_position=said[-1].position + 1 if said else 1,
        ends_in_s=_seconds_left(call, definition.voice),
    )


@dataclass(frozen=True, slots=True)
class _Equipped:
    """A voice with the keys of its engines."""

    voice: Voice
    keys: SpeechKeysOut

    @property
    def local(self) -> bool:
        """Whether all speech stays on our machines."""
        return self.voice.recognition.provider == self.voice.speech.provider == "local"


async def _equip(voice: Voice, secrets: OwnerSecrets, call: Call) -> _Equipped:
    """The voice with its keys; an engine whose key is not there is the local one."""
    recognition, recognition_key = await _engine(voice.recognition, secrets, call)
    speech, speech_key = await _engine(voice.speech, secrets, call)
    return _Equipped(
        replace(voice, recognition=recognition, speech=speech),
        SpeechKeysOut(recognition=recognition_key, speech=speech_key),
    )


async def _engine(engine: SpeechEngine, secrets: OwnerSecrets, call: Call) -> tuple[SpeechEngine, str | None]:
    if engine.provider == "local":
        return engine, None
    key = await secrets.reveal(engine.secret) if engine.secret else None
    if key is None:
        log.warning("a speech engine has no key, the local one is used", call_id=str(call.id), provider=engine.provider)
        return SpeechEngine(), None
    return engine, key


def _label(engine: SpeechEngine) -> str:
    return f"{engine.provider}/{engine.model}" if engine.model else engine.provider


def _seconds_left(call: Call, voice: Voice) -> float:
    taken = (datetime.now(UTC) - call.answered_at).total_seconds() if call.answered_at else 0.0
    return max(0.0, voice.max_minutes * 60 - taken)
