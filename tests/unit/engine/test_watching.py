"""Where a reader of a stored turn stands, who heard some of it while it grew."""

from datetime import UTC, datetime
from typing import Any

from tenantry.domain.conversation import Event, EventType
from tenantry.domain.ids import new_id
from tenantry.engine.watching import RESTARTED, Position, StreamEvent, _stored

TURN = new_id()
TEXT = "One two three four."


def stored(attempt: int) -> list[Event]:
    told: list[tuple[EventType, dict[str, Any]]] = [
        (EventType.TOOL_CALLED, {"step": 0}),
        (EventType.TOOL_FINISHED, {"step": 0}),
        (EventType.TOOL_CALLED, {"step": 1}),
        (EventType.TOOL_FINISHED, {"step": 1}),
        (EventType.REPLY, {"text": TEXT, "attempt": attempt}),
    ]
    return [Event(seq, TURN, kind, data, datetime.now(UTC)) for seq, (kind, data) in enumerate(told, 2)]


def read(position: Position, attempt: int = 1) -> list[StreamEvent]:
    """All that the reader is told who is cut off after every single event."""
    told: list[StreamEvent] = []
    while rest := [event for event in stored(attempt) if event.seq > position.seq]:
        fresh, position = _stored(rest, position)
        told += fresh[:1]
        position = Position.parse(str(fresh[0].position)) if fresh else position
    return told


def test_what_was_heard_while_it_grew_is_not_told_again() -> None:
    told = read(Position(1, TURN, 1, events=2, characters=8))
    assert [(event.type, event.data.get("step")) for event in told if event.type != "delta"] == [
        ("tool.called", 1),
        ("tool.finished", 1),
        ("reply", None),
    ]


def test_the_rest_of_the_words_comes_before_the_reply() -> None:
    told, after = _stored(stored(1), Position(1, TURN, 1, events=4, characters=8))
    assert [(event.type, event.data["text"]) for event in told] == [("delta", TEXT[8:]), ("reply", TEXT)]
    assert after == Position(6)


def test_another_attempt_is_told_from_its_beginning_with_its_words() -> None:
    told = read(Position(1, TURN, 1, events=3, characters=8), attempt=2)
    assert [event.type for event in told] == [
        RESTARTED, "tool.called", "tool.finished", "tool.called", "tool.finished", "delta", "reply"
    ]  # fmt: skip
    assert told[-2].data["text"] == TEXT


def test_who_heard_nothing_of_the_turn_is_told_what_is_stored() -> None:
    told, after = _stored(stored(2), Position(1))
    assert [event.type for event in told] == ["tool.called", "tool.finished"] * 2 + ["reply"]
    assert after == Position(6)
