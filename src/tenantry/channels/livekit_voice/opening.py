"""How a call begins: a conversation with the agent that routing finds, and a room that nobody can guess."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from tenantry.domain.call import Transport
from tenantry.domain.ids import new_id
from tenantry.engine.accept import open_conversation
from tenantry.engine.inbound import Inbound
from tenantry.engine.resources import Resources
from tenantry.storage.repositories import agents, calls, conversations
from tenantry.storage.repositories.calls import NewCall

_RANDOM_BYTES = 16


@dataclass(frozen=True, slots=True)
class Opened:
    """A call that waits for its caller. `consent_text` is what they are told before they are recorded, None where they
    are not."""

    tenant_id: UUID
    call_id: UUID
    room: str
    participant: str
    consent_text: str | None


def unguessable(kind: str) -> str:
    """A name with 128 random bits."""
    return f"{kind}-{secrets.token_hex(_RANDOM_BYTES)}"


async def open_call(resources: Resources, inbound: Inbound, transport: Transport, site_id: UUID | None) -> Opened:
    """Begin a conversation, routed at once, and a call in it. Raises NotFound and AgentNotPublished."""
    async with resources.db.tenant(inbound.principal.tenant_id) as tx:
        conversation = await open_conversation(tx, inbound, resources)
        talk = await conversations.with_agent(tx, conversation.id)
        voice = (await resources.definitions.agent(tx, talk.serving)).definition.voice
        agent = await agents.get(tx, conversation.agent_id, sees_only=None)
        new = NewCall(
            id=new_id(),
            conversation_id=conversation.id,
            room=unguessable("call"),
            participant=unguessable("caller"),
            transport=transport,
            kinds=tuple(dict.fromkeys((*filter(None, [inbound.purpose]), *(agent.tags if agent else ())))),
            site_id=site_id,
        )
        await calls.create(tx, new)
    consent = voice.consent if voice.record and voice.consent else None
    return Opened(inbound.principal.tenant_id, new.id, new.room, new.participant, consent)
