"""What the conversations' routes give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from tenantry.api.common import Page
from tenantry.domain.conversation import Conversation, Event


class VariableOut(BaseModel):
    """A value, the words it was read from, and whether the contact confirmed it."""

    value: Any
    heard: str
    confirmed: bool


class ConversationOut(BaseModel):
    """A conversation. `external_id` is the caller's own id of it, `last_event` the number of its newest event."""

    id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    contact_id: UUID
    channel: str
    external_id: str | None
    topic: str | None
    variables: Mapping[str, VariableOut]
    turns: int
    last_event: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, conversation: Conversation) -> "ConversationOut":
        """The conversation as it is shown."""
        return cls(
            id=conversation.id,
            agent_id=conversation.agent_id,
            owner_member_id=conversation.owner_member_id,
            contact_id=conversation.contact_id,
            channel=conversation.channel,
            external_id=conversation.external_id,
            topic=conversation.topic,
            variables={
                name: VariableOut(value=entry.value, heard=entry.heard, confirmed=entry.confirmed)
                for name, entry in conversation.known.items()
            },
            turns=conversation.last_turn,
            last_event=conversation.last_event,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
        )


class ConversationPage(Page):
    """Conversations, newest first."""

    items: list[ConversationOut]


class EventOut(BaseModel):
    """One entry of a conversation's record."""

    seq: int
    turn_id: UUID
    type: str
    data: Mapping[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, event: Event) -> "EventOut":
        """The event as it is shown."""
        return cls(seq=event.seq, turn_id=event.turn_id, type=event.type, data=event.data, created_at=event.created_at)


class EventPage(BaseModel):
    """Events in order. `last_seq` is what to send as `after` for those that follow."""

    items: list[EventOut]
    last_seq: int
