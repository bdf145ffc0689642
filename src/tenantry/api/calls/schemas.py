"""What the calls' routes give."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from tenantry.api.common import Page
from tenantry.domain.call import (
    Call,
    CallerWords,
    CallStatus,
    EndReason,
    Transport,
    Utterance,
    in_order,
    typical_timings,
)


class CallOut(BaseModel):
    """A call. `room` and `participant` are its names at the transport; `recognition` and `speech` are the engines,
    empty before an agent came; `local` says whether all speech stayed on the operator's machines. `agents` counts the
    processes that spoke for the agent, more than one where one was lost. `hang_up` is why it is to end."""

    id: UUID
    conversation_id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    site_id: UUID | None
    room: str
    participant: str
    transport: Transport
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

    @classmethod
    def of(cls, call: Call) -> "CallOut":
        """The call as it is shown."""
        return cls(
            id=call.id,
            conversation_id=call.conversation_id,
            agent_id=call.agent_id,
            owner_member_id=call.owner_member_id,
            site_id=call.site_id,
            room=call.room,
            participant=call.participant,
            transport=call.transport,
            status=call.status,
            recognition=call.recognition,
            speech=call.speech,
            local=call.local,
            agents=call.claims,
            started_at=call.created_at,
            answered_at=call.answered_at,
            ended_at=call.ended_at,
            hang_up=call.hang_up,
            end_reason=call.end_reason,
        )


class CallPage(Page):
    """Calls, newest first."""

    items: list[CallOut]


class CallLineOut(BaseModel):
    """What one side said in one go; of the agent also what of it was heard, whether it was interrupted, and the
    milliseconds that each stage took. A greeting has no `turn_id`."""

    by: Literal["caller", "agent"]
    turn_id: UUID | None
    said: str
    heard: str
    interrupted: bool = False
    timings: Mapping[str, float] = {}
    at: datetime | None

    @classmethod
    def of(cls, line: CallerWords | Utterance) -> "CallLineOut":
        """The line as it is shown."""
        if isinstance(line, CallerWords):
            return cls(by="caller", turn_id=line.turn_id, said=line.text, heard=line.text, at=line.said_at)
        return cls(
            by="agent",
            turn_id=line.turn_id,
            said=line.said,
            heard=line.heard,
            interrupted=line.interrupted,
            timings=line.timings,
            at=line.created_at,
        )


class CallRecordOut(BaseModel):
    """A call with all that was said, in order. `typical_timings` has the median of each stage in milliseconds;
    `recorded_bytes` is the size of its recording, 0 where there is none."""

    call: CallOut
    lines: list[CallLineOut]
    typical_timings: Mapping[str, float]
    recorded_bytes: int

    @classmethod
    def of(
        cls, call: Call, words: Sequence[CallerWords], utterances: Sequence[Utterance], recorded_bytes: int
    ) -> "CallRecordOut":
        """The record as it is shown."""
        return cls(
            call=CallOut.of(call),
            lines=[CallLineOut.of(line) for line in in_order(words, utterances)],
            typical_timings=typical_timings(utterances),
            recorded_bytes=recorded_bytes,
        )
