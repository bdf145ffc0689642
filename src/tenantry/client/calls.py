"""Calls: opening them, which there are, what was said in them, and hanging up."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from tenantry.client.transport import Transport, given
from tenantry.domain.call import CallStatus, EndReason
from tenantry.domain.call import Transport as CallTransport

_PATH = "/api/v1/calls"


@dataclass(frozen=True, slots=True)
class Call:
    """A call. `room` and `participant` are its names at the transport, `recognition` and `speech` its engines; `agents`
    counts the processes that spoke for the agent; `hang_up` is why it is to end."""

    id: UUID
    conversation_id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    site_id: UUID | None
    room: str
    participant: str
    transport: CallTransport
    status: CallStatus
    recognition: str
    speech: str
    local: bool | None
    agents: int
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    hang_up: EndReason | None
    end_reason: EndReason | None


@dataclass(frozen=True, slots=True)
class CallLine:
    """What one side said in one go; of the agent also what of it was heard, and milliseconds by stage."""

    by: Literal["caller", "agent"]
    turn_id: UUID | None
    said: str
    heard: str
    at: datetime | None
    interrupted: bool = False
    timings: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call with all that was said, in order; the median of each stage in milliseconds; the size of its recording."""

    call: Call
    lines: tuple[CallLine, ...]
    typical_timings: Mapping[str, float]
    recorded_bytes: int


class OpenedCall(msgspec.Struct, frozen=True, rename="camel"):
    """Where the caller goes: a LiveKit room of their own, or a WebSocket of the server, with a token that is good for
    two minutes. `consent_text` is what to tell them before they are recorded, None where they are not."""

    server_url: str
    room_name: str
    participant_name: str
    participant_token: str
    transport: CallTransport
    call_id: UUID
    consent_text: str | None


class Calls:
    """`/api/livekit/token` and `/api/v1/calls`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def open(
        self,
        *,
        purpose: str | None = None,
        agent_id: UUID | None = None,
        user_id: str | None = None,
        user_details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        transport: CallTransport | None = None,
    ) -> OpenedCall:
        """A call for a caller to join, with the agent that routing finds or that is named; `user_id` is the contact's
        own id, as `lead_id` is of replies."""
        named = given(purpose=purpose, agentId=agent_id, user_id=user_id, transport=transport)
        body = {**named, **given(user_details=user_details, metadata=metadata)}
        return await self._transport.call("POST", "/api/livekit/token", OpenedCall, body=body)

    def list(self, *, live: bool | None = None, conversation_id: UUID | None = None) -> AsyncGenerator[Call]:
        """The calls that the key can see, newest first; with `live` those that are not over, or those that are."""
        return self._transport.pages(_PATH, Call, live=live, conversation_id=conversation_id)

    async def get(self, call_id: UUID) -> CallRecord:
        """One call with all that was said."""
        return await self._transport.call("GET", f"{_PATH}/{call_id}", CallRecord)

    async def hang_up(self, call_id: UUID) -> Call:
        """End a call; one that is over stays as it is."""
        return await self._transport.call("POST", f"{_PATH}/{call_id}/hang-up", Call, repeatable=True)

    def recording(self, call_id: UUID) -> AsyncGenerator[bytes]:
        """What was recorded, piece by piece: Ogg with Opus, the caller on the left."""
        return self._transport.download(f"{_PATH}/{call_id}/recording")
