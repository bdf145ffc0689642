"""The wire between the server and the processes that speak for calls, in camel case."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tenantry.api.common import with_examples
from tenantry.domain.call import EndReason, Transport
from tenantry.domain.voice import Voice

_CAMEL = ConfigDict(alias_generator=to_camel, populate_by_name=True)
_Milliseconds = Annotated[float, Field(ge=0, le=3_600_000, allow_inf_nan=False)]
_Spoken = Annotated[str, Field(max_length=20_000)]


class TicketIn(BaseModel):
    """A ticket as its job carries it."""

    model_config = _CAMEL | with_examples({"ticket": "r1qhL0bR…"})
    ticket: Annotated[str, Field(max_length=500)]


class LostIn(TicketIn):
    """The claim whose process is dead."""

    model_config = _CAMEL | with_examples({"ticket": "r1qhL0bR…", "claim": 1})
    claim: Annotated[int, Field(ge=1, le=2**31 - 1)]


class TicketOut(BaseModel):
    """What the ticket is for: the purpose of its call, and its agent's tags."""

    kinds: tuple[str, ...]


class SpeechKeysOut(BaseModel):
    """The keys of the speech engines; null for those that need none."""

    recognition: str | None
    speech: str | None


class ClaimOut(BaseModel):
    """A call that is the claimant's to speak for by `callToken`, until another claim. `greeting` is what to say first,
    empty where that was said; `nextPosition` the first free one for utterances;
    `endsInS` the seconds that the call may still take."""

    model_config = _CAMEL
    call_id: UUID
    call_token: str
    claim: int
    conversation_id: UUID
    room: str
    participant: str
    transport: Transport
    agent_id: UUID
    agent_name: str
    language: str
    voice: Voice
    keys: SpeechKeysOut
    greeting: str
    next_position: int
    ends_in_s: float


class SaidIn(BaseModel):
    """What the caller said. The same words under the same key are one turn of the call."""

    model_config = _CAMEL | with_examples({"message": "When are you open?", "idempotencyKey": "7"})
    message: str
    idempotency_key: Annotated[str, Field(min_length=1, max_length=100)]


class UtteranceIn(BaseModel):
    """What the agent said at a position of the call and what of it the caller heard; `timings` are milliseconds by
    stage."""

    model_config = _CAMEL | with_examples(
        {
            "position": 2,
            "turnId": "01a1ff34-d494-7179-813f-7c9aa2764bb3",
            "said": "We are open from nine to five.",
            "heard": "We are open",
            "interrupted": True,
            "timings": {"recognition": 212.5, "voice_to_voice": 940.0},
        }
    )
    position: Annotated[int, Field(ge=1, le=2**31 - 1)]
    turn_id: UUID | None = None
    said: _Spoken
    heard: _Spoken
    interrupted: bool = False
    timings: Annotated[Mapping[Annotated[str, Field(max_length=40)], _Milliseconds], Field(max_length=20)] = {}


class UnspokenOut(BaseModel):
    """The reply of the call's last turn, where nobody has said that it was spoken; both null where there is none."""

    model_config = _CAMEL
    turn_id: UUID | None = None
    text: str | None = None


class BeatIn(BaseModel):
    """Whether the caller is in the call, and whether the agent was heard."""

    model_config = _CAMEL | with_examples({"callerThere": True, "answered": True})
    caller_there: bool
    answered: bool


class BeatOut(BaseModel):
    """Why the call is to end, if it is."""

    model_config = _CAMEL
    hang_up: EndReason | None


class EndIn(BaseModel):
    """Why the call is over."""

    model_config = _CAMEL | with_examples({"reason": "goodbye"})
    reason: EndReason


class CallIn(BaseModel):
    """Whom a call is for. Routing finds the agent by `purpose` and `metadata`, which are looked at when the call is
    opened and not kept, unless `agentId` names it. `user_id` and the `email` of `user_details` identify the contact for
    an API key; from a browser they are only told to routing. `time_zone` in the metadata is the contact's (IANA).
    `transport` "websocket" takes this server's own socket where LiveKit is set up too."""

    model_config = ConfigDict(populate_by_name=True) | with_examples(
        {"purpose": "support", "metadata": {"time_zone": "Europe/London"}},
        {"user_id": "customer-17", "user_details": {"email": "ada@example.com"}, "transport": "websocket"},
    )
    purpose: Annotated[str, Field(max_length=64)] | None = None
    agent_id: Annotated[UUID | None, Field(alias="agentId")] = None
    user_id: str | None = None
    user_details: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    transport: Transport | None = None


class CallOut(BaseModel):
    """Where the caller goes: a LiveKit room of their own with a token for it, or this server's WebSocket. The token
    is good for two minutes. `consentText` is what to tell them before they are recorded; null where they are not."""

    model_config = _CAMEL
    server_url: str
    room_name: str
    participant_name: str
    participant_token: str
    transport: Transport
    call_id: UUID
    consent_text: str | None
