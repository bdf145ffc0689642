"""What the conversations' routes give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from tenantry.api.common import Page, with_examples
from tenantry.domain.conversation import Conversation, Event
from tenantry.domain.routing import Routed


class VariableOut(BaseModel):
    """A value, the words it was read from, and whether the contact confirmed it."""

    value: Any
    heard: str
    confirmed: bool


class ConversationOut(BaseModel):
    """A conversation. `external_id` is the caller's own id of it, `last_event` the number of its newest event.
    `routing` is how it found the agent that it began with, null where that was not kept; `hand_offs` counts how often
    it went over to another agent since."""

    id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    contact_id: UUID
    channel: str
    external_id: str | None
    topic: str | None
    routing: Routed | None
    hand_offs: int
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
            routing=conversation.routed,
            hand_offs=conversation.hand_offs,
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


class ConversationCreate(BaseModel):
    """A conversation to begin, or the one there is under this `external_id` of this contact. `lead_id` and
    `lead_email` identify the contact. Without `agent_id` the tenant's routing says who answers, by `purpose`,
    `language` (such as de-AT), `tags` and `metadata`; without rules, it is the tenant's active agent."""

    model_config = with_examples(
        {"lead_id": "customer-17", "external_id": "chat-2041", "topic": "Opening hours"},
        {"lead_id": "customer-17", "purpose": "sales", "metadata": {"tier": "gold"}},
    )
    agent_id: UUID | None = None
    lead_id: str | None = None
    lead_email: str | None = None
    external_id: str | None = None
    topic: Annotated[str, Field(max_length=200)] | None = None
    purpose: Annotated[str, Field(max_length=64)] | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    tags: list[Annotated[str, Field(max_length=64)]] = []
    metadata: dict[str, Any] = {}


class MessageIn(BaseModel):
    """What the contact says."""

    model_config = with_examples({"text": "When are you open?", "idempotency_key": "chat-2041-1"})
    text: str
    model: Annotated[str, Field(max_length=200)] | None = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class TurnAcceptedOut(BaseModel):
    """The message is kept and is being answered. `cursor` is where its answer begins in the conversation's stream."""

    turn_id: UUID
    cursor: str


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
