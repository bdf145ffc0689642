"""A conversation as a stream that can be taken up where it was lost: what is stored, and the turn that grows."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from tenantry.domain.access import Principal
from tenantry.domain.conversation import Event, EventType
from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.engine.events import LiveEvent
from tenantry.engine.live import LiveTurn
from tenantry.engine.turn import Engine
from tenantry.storage.repositories import api_keys, conversations

# A turn of another process is seen when it is stored.
_POLL_S = 1.0
_PAGE = 2000
_CURSOR = re.compile(r"(\d{1,18})(?:\.([0-9a-f]{32})\.(\d{1,9})\.(\d{1,9})\.(\d{1,9}))?")
RESTARTED = "turn.restarted"


@dataclass(frozen=True, slots=True)
class Position:
    """What a reader has: every stored event up to `seq` and, of the turn in progress, so many of its events and
    characters of its reply. They count for one attempt at the turn alone."""

    seq: int = 0
    turn_id: UUID | None = None
    attempt: int = 0
    events: int = 0
    characters: int = 0

    def __str__(self) -> str:
        if self.turn_id is None:
            return str(self.seq)
        return f"{self.seq}.{self.turn_id.hex}.{self.attempt}.{self.events}.{self.characters}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The position that a cursor spells. Raises InvalidInput."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            message = "is no cursor of a stream; send the `id` of the last event that came, or 0"
            raise InvalidInput(f"`after` {message}.", errors=[FieldError("after", message)])
        seq, turn, *counts = found.groups()
        if turn is None:
            return cls(int(seq))
        attempt, events, characters = map(int, counts)
        return cls(int(seq), UUID(hex=turn), attempt, events, characters)

    def past(self, event: LiveEvent) -> "Position":
        """The position after this event of the turn in progress."""
        if event.type is EventType.DELTA:
            return replace(self, characters=self.characters + len(event.data["text"]))
        return replace(self, events=self.events + 1)


class TurnReader:
    """The cursors of who follows one turn from its first event on; text is built, as every piece has one."""

    __slots__ = ("_characters", "_events", "_live", "_start")

    def __init__(self, live: LiveTurn) -> None:
        self._live = live
        self._start = f"{live.seq}.{live.turn.id.hex}."
        self._events = self._characters = 0

    def past(self, event: LiveEvent) -> str:
        """The cursor after this event."""
        if event.type is EventType.DELTA:
            self._characters += len(event.data["text"])
        else:
            self._events += 1
        return self.cursor()

    def cursor(self) -> str:
        """The cursor after the last event; a turn that waits has its attempt only when it is begun."""
        return f"{self._start}{self._live.attempt}.{self._events}.{self._characters}"


class StreamEvent(NamedTuple):
    """One event of the stream. `type` is an EventType or "turn.restarted", after which the turn's events and text
    begin anew; `position` is where the reader stands after it."""

    type: str
    turn_id: UUID
    data: Mapping[str, Any]
    position: Position


async def watch(
    engine: Engine, who: Principal, conversation_id: UUID, position: Position, *, follow: bool
) -> AsyncGenerator[list[StreamEvent]]:
    """What the reader at that position does not have, in order; lists may be empty. Without `follow` it ends when all
    is told and nothing runs here; with it, when the process ends. The reader, who may see the conversation, hears
    nothing more when their key is revoked."""
    tenant_id = who.tenant_id
    while True:
        async with engine.db.tenant(tenant_id) as tx:
            if not await api_keys.in_use(tx, who.key_id):
                return
            stored = await conversations.events_after(tx, conversation_id, position.seq, _PAGE)
        if stored:
            told, position = _stored(stored, position)
            yield told
        live = engine.live.running(tenant_id, conversation_id)
        if live is not None:
            async for events in _live(live, position):
                position = events[-1].position if events else position
                yield events
        elif not stored:
            if not follow or engine.live.closing:
                return
            yield []
            await engine.live.changed(tenant_id, conversation_id, _POLL_S)


def _stored(events: Sequence[Event], position: Position) -> tuple[list[StreamEvent], Position]:
    """What of these events a reader at the position does not have, and where the reader stands after them."""
    told: list[StreamEvent] = []
    reply = next((e for e in events if e.turn_id == position.turn_id and e.type == EventType.REPLY), None)
    if reply is not None and reply.data.get("attempt") != position.attempt:
        # The process died that the reader had heard, and another one answered.
        attempt = int(reply.data.get("attempt", 0))
        position = Position(position.seq, reply.turn_id, attempt)
        told.append(StreamEvent(RESTARTED, reply.turn_id, {"attempt": attempt}, position))
    for event in events:
        before, position = position, replace(position, seq=event.seq)
        of_turn = event.turn_id == position.turn_id and event.type != EventType.MESSAGE_RECEIVED
        if of_turn and event.type == EventType.REPLY:
            rest = str(event.data["text"])[before.characters :]
            position = Position(event.seq)
            if rest:
                heard = replace(before, characters=before.characters + len(rest))
                told.append(StreamEvent(EventType.DELTA, event.turn_id, {"text": rest}, heard))
        elif of_turn and position.events > 0:
            # Heard while it grew; it is among those up to `seq` from here on.
            position = replace(position, events=position.events - 1)
            continue
        told.append(StreamEvent(event.type, event.turn_id, event.data, position))
    return told, position


async def _live(live: LiveTurn, position: Position) -> AsyncGenerator[list[StreamEvent]]:
    """The rest of the turn in progress for a reader at that position."""
    turn_id = live.turn.id
    here = Position(position.seq, turn_id, live.attempt)
    if position.turn_id == turn_id and position.attempt != live.attempt:
        yield [StreamEvent(RESTARTED, turn_id, {"attempt": live.attempt}, here)]
        position = here
    had = position if position.turn_id == turn_id else here
    async for events in live.follow(_POLL_S):
        fresh: list[StreamEvent] = []
        for event in events:
            before, here = here, here.past(event)
            if (unheard := _unheard(event, before, had)) is not None:
                fresh.append(StreamEvent(unheard.type, turn_id, unheard.data, here))
        yield fresh


def _unheard(event: LiveEvent, before: Position, had: Position) -> LiveEvent | None:
    """What of the event, which comes after `before`, a reader at `had` does not have."""
    if event.type is not EventType.DELTA:
        return event if before.events >= had.events else None
    text = str(event.data["text"])
    rest = text[max(0, had.characters - before.characters) :]
    return LiveEvent(event.type, {"text": rest}) if rest else None
