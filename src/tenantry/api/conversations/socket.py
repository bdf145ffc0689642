"""A conversation over a WebSocket: its stream one way, messages and cancelling the other."""

import asyncio
from contextlib import aclosing, suppress
from typing import Any, Literal
from uuid import UUID

import msgspec
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tenantry.api.conversations.schemas import MessageIn
from tenantry.api.conversations.stream import event_data, inbound_message
from tenantry.api.problems import problem, problem_body
from tenantry.auth.identity import authenticate
from tenantry.domain.access import Principal, Scope
from tenantry.domain.errors import FieldError, InvalidInput, NotFound, TenantryError, Unauthenticated
from tenantry.engine.turn import Engine
from tenantry.engine.watching import Position, watch
from tenantry.storage.repositories import conversations

PROTOCOL = "tenantry.v1"
_KEY_PREFIX = "key."


class _Message(MessageIn):
    type: Literal["message"]


class _Cancel(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["cancel"]


_frames: TypeAdapter[_Message | _Cancel] = TypeAdapter(_Message | _Cancel)


async def converse(websocket: WebSocket, conversation_id: UUID) -> None:
    """Serve one socket until either side ends it. A refused handshake is answered with a problem."""
    engine: Engine = websocket.app.state.runtime.engine
    try:
        who = await _principal(websocket, engine)
        position = Position.parse(websocket.query_params.get("after", "0")[:100])
        async with engine.db.tenant(who.tenant_id) as tx:
            if await conversations.get(tx, conversation_id, sees_only=who.sees_only) is None:
                raise NotFound
    except TenantryError as error:
        await websocket.send_denial_response(problem(error))
        return
    await websocket.accept(PROTOCOL if PROTOCOL in _offered(websocket) else None)
    telling = asyncio.create_task(_tell(websocket, engine, who, conversation_id, position))
    hearing = asyncio.create_task(_hear(websocket, engine, conversation_id))
    try:
        await asyncio.wait([telling, hearing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, hearing):
            task.cancel()
        await asyncio.gather(telling, hearing, return_exceptions=True)
        with suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close()


def _offered(websocket: WebSocket) -> list[str]:
    return [name.strip() for name in websocket.headers.get("sec-websocket-protocol", "").split(",")]


async def _principal(websocket: WebSocket, engine: Engine) -> Principal:
    """Whose key it is: of the header or, from browsers, which cannot set it, of a subprotocol."""
    kind, _, key = websocket.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        key = next((name.removeprefix(_KEY_PREFIX) for name in _offered(websocket) if name.startswith(_KEY_PREFIX)), "")
    if not key:
        raise Unauthenticated
    who = await authenticate(engine.db, key)
    who.require(Scope.CONVERSATIONS_READ)
    return who


async def _tell(
    websocket: WebSocket, engine: Engine, who: Principal, conversation_id: UUID, position: Position
) -> None:
    batches = watch(engine, who, conversation_id, position, follow=True)
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                await _send(websocket, {"type": event.type, "cursor": str(event.position), "data": event_data(event)})


async def _hear(websocket: WebSocket, engine: Engine, conversation_id: UUID) -> None:
    while True:
        try:
            text = await websocket.receive_text()
        except WebSocketDisconnect:
            return
        try:
            # Asked for anew with each frame: a key may be revoked, and settings changed, while the socket is open.
            who = await _principal(websocket, engine)
            await _act(text, websocket, engine, who, conversation_id)
        except TenantryError as error:
            await _send(websocket, {"type": "error", "data": problem_body(error)})
            if isinstance(error, Unauthenticated):
                return


async def _act(text: str, websocket: WebSocket, engine: Engine, who: Principal, conversation_id: UUID) -> None:
    who.require(Scope.REPLY)
    frame = _frame(text)
    if isinstance(frame, _Message):
        live = await engine.begin(inbound_message(who, conversation_id, frame))
        accepted = {"turn_id": live.turn.id, "idempotency_key": frame.idempotency_key}
        await _send(websocket, {"type": "accepted", "data": accepted})
    elif (running := engine.live.running(who.tenant_id, conversation_id)) is not None:
        await engine.stop(who.tenant_id, running.turn.id, "cancelled")


def _frame(text: str) -> _Message | _Cancel:
    try:
        return _frames.validate_json(text)
    except ValidationError as error:
        faults = [FieldError(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()]
        raise InvalidInput('Send {"type": "message", "text": …} or {"type": "cancel"}.', errors=faults) from error


async def _send(websocket: WebSocket, frame: dict[str, Any]) -> None:
    await websocket.send_text(msgspec.json.encode(frame).decode())
