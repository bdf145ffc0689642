"""A call as its process sees it: with the workers' key a ticket is claimed, with the token that this gives one call is
spoken for, and nothing else."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from types import NoneType
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from tenantry.client.errors import ApiError
from tenantry.client.replies import Reply, ReplyEvent
from tenantry.client.transport import Transport
from tenantry.domain.call import EndReason, Utterance
from tenantry.domain.call import Transport as CallTransport
from tenantry.domain.voice import Voice

_PATH = "/api/voice"
_TIMEOUT = aiohttp.ClientTimeout(total=20)


class Unspoken(msgspec.Struct, frozen=True, rename="camel"):
    """A reply that the caller was never told of as far as is known; both are None where there is none."""

    turn_id: UUID | None
    text: str | None


class SpeechKeys(msgspec.Struct, frozen=True):
    """The keys of the engines; null for those that need none."""

    recognition: str | None = None
    speech: str | None = None


class Claim(msgspec.Struct, frozen=True, rename="camel"):
    """A call that is ours to speak for, by `call_token`, until another claim supersedes it. `claim` counts them, the
    first is 1. `greeting` is what to say first, after `voice.consent` where it is recorded, empty where it was said;
    `next_position` the first free one for utterances; `ends_in_s` the seconds that the call may still take."""

    call_id: UUID
    call_token: str
    claim: int
    conversation_id: UUID
    room: str
    participant: str
    transport: CallTransport
    agent_id: UUID
    agent_name: str
    language: str
    voice: Voice
    keys: SpeechKeys
    greeting: str
    next_position: int
    ends_in_s: float


class TicketOf(msgspec.Struct, frozen=True):
    """What a ticket is for: the purpose and the tags that a worker may be held to."""

    kinds: tuple[str, ...]


class Beat(msgspec.Struct, frozen=True, rename="camel"):
    """What the server wants of the call: to end for this reason, if any."""

    hang_up: EndReason | None


class WorkerClient:
    """What a worker does with its key. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def read_ticket(self, ticket: str) -> TicketOf:
        """What the ticket is for."""
        return await self._transport.call("POST", f"{_PATH}/tickets", TicketOf, body={"ticket": ticket})

    async def claim(self, ticket: str) -> Claim:
        """Speak for the ticket's call from now on, in the place of whoever did. `ticket_invalid` when it is over."""
        return await self._transport.call("POST", f"{_PATH}/claims", Claim, body={"ticket": ticket})

    async def lost(self, ticket: str, claim: int) -> None:
        """The process that held this claim is dead: another one is to be asked for at once."""
        body = {"ticket": ticket, "claim": claim}
        await self._transport.call("POST", f"{_PATH}/claims/lost", NoneType, body=body, repeatable=True)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, key: str) -> AsyncGenerator["WorkerClient"]:
        """A worker's client of the server at `url`."""
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(url, headers=headers, timeout=_TIMEOUT) as session:
            yield cls(Transport(session, url))


class CallSession:
    """What the holder of a call's token does. Every method raises ApiError: `call_ended` when the call is over or
    another process speaks for it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def say(self, message: str, *, idempotency_key: str) -> AsyncGenerator[ReplyEvent]:
        """What the caller said; the answer while it grows, ending with `done`. The same words under the same key are
        one turn."""
        body = {"message": message, "idempotencyKey": idempotency_key}
        async for event in self._transport.stream("POST", f"{_PATH}/call/turns", body=body):
            if event.type == "error":
                raise ApiError(int(event.data.get("status", 500)), event.data)
            reply = msgspec.convert(event.data, Reply) if event.type == "done" else None
            yield ReplyEvent(event.type, event.data, event.cursor, reply)

    async def unspoken(self) -> Unspoken:
        """What whoever took the call over has to repeat; a turn that still runs is waited for."""
        return await self._transport.call("GET", f"{_PATH}/call/unspoken", Unspoken)

    async def spoken(self, said: Utterance) -> None:
        """Tell what was said and heard at a position; the second time is nothing new."""
        body: dict[str, Any] = {
            "position": said.position,
            "turnId": said.turn_id,
            "said": said.said,
            "heard": said.heard,
            "interrupted": said.interrupted,
            "timings": _whole(said.timings),
        }
        await self._transport.call("POST", f"{_PATH}/call/utterances", NoneType, body=body, repeatable=True)

    async def record(self, part: int, audio: bytes) -> None:
        """Leave a piece of the recording, the first of this process at part 0: the next bytes of an Ogg file of Opus,
        at most 256 KiB. The second time is nothing new. `forbidden` when the agent's calls are not recorded,
        `payload_too_large` when no more is kept of this call: stop recording then."""
        path = f"{_PATH}/call/recording"
        await self._transport.call("POST", path, NoneType, body=audio, params={"part": part}, repeatable=True)

    async def beat(self, *, caller_there: bool, answered: bool) -> Beat:
        """Say that the call lives; every two seconds."""
        body = {"callerThere": caller_there, "answered": answered}
        return await self._transport.call("POST", f"{_PATH}/call/beat", Beat, body=body, repeatable=True)

    async def end(self, reason: EndReason) -> None:
        """The call is over."""
        await self._transport.call("POST", f"{_PATH}/call/end", NoneType, body={"reason": reason}, repeatable=True)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, call_token: str) -> AsyncGenerator["CallSession"]:
        """A session of the call whose token this is."""
        headers = {"Authorization": f"Bearer {call_token}"}
        async with aiohttp.ClientSession(url, headers=headers, timeout=_TIMEOUT) as session:
            yield cls(Transport(session, url))


def _whole(timings: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(took, 1) for stage, took in timings.items()}
