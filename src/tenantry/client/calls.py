"""Calls: which there are, what was said in them, and hanging up."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.client.transport import Transport
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


class Calls:
    """`/api/v1/calls`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

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
