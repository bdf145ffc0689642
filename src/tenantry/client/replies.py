"""Replies to contacts' messages: whole, or while they grow; and the active configuration behind them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack
from uuid import UUID

import msgspec

from tenantry.client.errors import ApiError
from tenantry.client.transport import Transport, given
from tenantry.domain.conversation import ToolCallRecord

_PATH = "/api/agent"


class ReplyUsage(msgspec.Struct, frozen=True, rename="camel"):
    """What a reply used, in tokens and in millionths of a US dollar."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_micros: int


class Reply(msgspec.Struct, frozen=True, rename="camel"):
    """An answer: `variables` are all values known by now, `missing` the required ones that are not known or not
    confirmed, `fields` the agent's turn fields, `degraded` each step down that it took; `stopped` says who ended it
    before its end, `ended` that the contact is done."""

    reply: str
    quick_replies: tuple[str, ...]
    conversation_id: UUID
    turn_id: UUID
    agent_id: UUID
    variables: Mapping[str, Any]
    missing: tuple[str, ...]
    tool_calls: tuple[ToolCallRecord, ...]
    degraded: tuple[str, ...]
    fields: Mapping[str, Any]
    model: str
    usage: ReplyUsage
    stopped: str | None
    ended: bool


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """What happened while the answer grew: `type` is accepted, delta (with a piece of the `text`), variable.noted,
    tool.called, tool.finished, fields.noted, turn.restarted, or done, with the whole `reply`."""

    type: str
    data: Mapping[str, Any]
    cursor: str
    reply: Reply | None = None

    @property
    def text(self) -> str:
        """The piece of the answer that a delta brings, else nothing."""
        return str(self.data["text"]) if self.type == "delta" else ""


class Component(msgspec.Struct, frozen=True):
    """One part that replies depend on: ok, degraded, unavailable or not_configured."""

    state: str
    detail: str


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """Whether replies would be whole now."""

    client_id: str
    status: str
    database: Component
    model: Component
    memory: Component
    calendar: Component


class ActiveConfiguration(msgspec.Struct, frozen=True, rename="camel"):
    """The agent that answers when a message names none, by the names of the reply API."""

    client_id: str
    agent_id: UUID
    revision: int
    name: str
    personality: str
    tonality: str
    response_style: str
    dos_list: tuple[str, ...]
    donts_list: tuple[str, ...]
    system_prompt: str
    greeting: str
    language: str
    region: str
    time_zone: str
    model: str | None


class About(TypedDict, total=False):
    """What may be said of a message besides its words: to which agent, from whom (`lead_id`, `lead_email`), in which
    conversation (the API's id of it, or the caller's own), by which model it is to be answered; and what the tenant's
    routing goes by where no agent is named."""

    agent_id: UUID | None
    lead_id: str | None
    lead_email: str | None
    conversation_id: UUID | str | None
    topic: str | None
    model: str | None
    idempotency_key: str | None
    purpose: str | None
    language: str | None
    tags: Sequence[str] | None
    metadata: Mapping[str, Any] | None


class Replies:
    """`/api/agent`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, message: str, **about: Unpack[About]) -> Reply:
        """Say something to an agent; the whole answer. With an `idempotency_key` the message is sent again when no
        answer came, and counts once."""
        repeatable = about.get("idempotency_key") is not None
        body = _body(message, about)
        return await self._transport.call("POST", f"{_PATH}/reply", Reply, body=body, repeatable=repeatable)

    async def stream(self, message: str, **about: Unpack[About]) -> AsyncGenerator[ReplyEvent]:
        """Say something to an agent; the answer while it grows, ending with `done`. When the stream breaks off, the
        answer goes on: `conversations.follow` takes it up after the last event's cursor."""
        async for event in self._transport.stream("POST", f"{_PATH}/reply", body=_body(message, about, stream=True)):
            if event.type == "error":
                raise ApiError(int(event.data.get("status", 500)), event.data)
            reply = msgspec.convert(event.data, Reply) if event.type == "done" else None
            yield ReplyEvent(event.type, event.data, event.cursor, reply)

    async def configuration(self) -> ActiveConfiguration:
        """The active configuration, made with defaults when there is none."""
        return await self._transport.call("GET", f"{_PATH}/config/active", ActiveConfiguration)

    async def configure(
        self, changes: Mapping[str, Any] | None = None, *, agent_id: UUID | None = None, revision: int | None = None
    ) -> ActiveConfiguration:
        """Change the active configuration, by the names that it has on the wire, or which agent it is."""
        body = {**(changes or {}), **given(agentId=agent_id, revision=revision)}
        return await self._transport.call("PUT", f"{_PATH}/config/active", ActiveConfiguration, body=body)

    async def health(self) -> Health:
        """What a reply depends on, each with its state."""
        return await self._transport.call("GET", f"{_PATH}/health", Health)


def _body(message: str, about: About, *, stream: bool = False) -> dict[str, Any]:
    known = {_camel(name): value for name, value in about.items() if value is not None}
    return {"message": message, "stream": stream, **known}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
