"""The answer as it is written: whole, or as server-sent events while it grows."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from tenantry.api.problems import problem_body
from tenantry.api.sse import COMMENT, EVENTS, SILENCE_S, sse
from tenantry.domain.conversation import EventType
from tenantry.domain.errors import TenantryError
from tenantry.engine.events import LiveEvent, TurnDone
from tenantry.engine.live import LiveTurn
from tenantry.engine.watching import RESTARTED, TurnReader

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": EVENTS,
        "description": "The answer; with `stream`, its events. An event's `id` is a cursor for "
        "`GET /api/v1/conversations/{conversation_id}/stream`, which goes on from there.",
    },
    401: {"description": "No valid API key."},
    403: {"description": "The key may not reply, or not for this client."},
    404: {"description": "No such agent or conversation that the key can see."},
    409: {"description": "Another message is being answered and the agent takes one at a time."},
    410: {"description": "The contact was deleted while the message was being answered."},
    422: {"description": "The request is not valid, the model not allowed, or the idempotencyKey used for another."},
    429: {"description": "A rate limit or the month's budget; `Retry-After` says how long to wait."},
    503: {"description": "The database is away; send the same request again."},
}


def reply_json(done: TurnDone) -> bytes:
    """The body of an answer."""
    return msgspec.json.encode(_body(done))


def _body(done: TurnDone) -> dict[str, Any]:
    result, usage = done.result, done.result.usage
    return {
        "reply": result.reply,
        "quickReplies": result.quick_replies,
        "conversationId": done.conversation_id,
        "turnId": done.turn_id,
        "agentId": done.agent_id,
        "variables": result.variables,
        "missing": result.missing,
        "toolCalls": result.tool_calls,
        "degraded": result.degraded,
        "fields": result.fields,
        "model": result.model,
        "usage": {
            "inputTokens": usage.input_tokens,
            "outputTokens": usage.output_tokens,
            "cachedTokens": usage.cached_tokens,
            "costMicros": usage.cost_micros,
        },
        "stopped": result.stopped,
        "ended": result.ended,
    }


async def stream_reply(live: LiveTurn) -> AsyncGenerator[bytes]:
    """The turn's events; the turn goes on when the client is gone."""
    turn, restarts, reader = live.turn, live.restarts, TurnReader(live)
    yield sse("accepted", {"turnId": turn.id, "conversationId": turn.conversation_id}, reader.cursor())
    while True:
        async for events in live.follow(SILENCE_S):
            yield b"".join([sse(event.type, event.data, reader.past(event)) for event in _merged(events)]) or COMMENT
        if restarts == live.restarts:
            break
        restarts, reader = live.restarts, TurnReader(live)
        yield sse(RESTARTED, {"attempt": live.attempt}, reader.cursor())
    if live.done is not None:
        yield sse("done", _body(live.done), reader.cursor())
    else:
        error = live.error if isinstance(live.error, TenantryError) else TenantryError()
        yield sse("error", problem_body(error), reader.cursor())


def _merged(events: list[LiveEvent]) -> list[LiveEvent]:
    """The events with pieces of text that follow each other as one."""
    if len(events) < 2:
        return events
    found: list[LiveEvent] = []
    for event in events:
        if event.type is EventType.DELTA and found and found[-1].type is EventType.DELTA:
            found[-1] = LiveEvent(event.type, {"text": found[-1].data["text"] + event.data["text"]})
        else:
            found.append(event)
    return found
