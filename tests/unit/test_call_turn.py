"""A turn of a call as its process follows it."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from tenantry.channels.livekit_voice.worker import turn as turns
from tenantry.channels.livekit_voice.worker.turn import Turn
from tenantry.client.errors import ApiError
from tenantry.client.replies import Reply, ReplyEvent, ReplyUsage

TURN_ID = uuid4()
AWAY = ApiError(503, {"code": "database_unavailable", "retryable": True}, retry_after=0.01)
ENDED = ApiError(409, {"code": "call_ended"})


def accepted() -> ReplyEvent:
    return ReplyEvent("accepted", {"turnId": str(TURN_ID)}, "1")


def delta(text: str) -> ReplyEvent:
    return ReplyEvent("delta", {"text": text}, "1")


def restarted() -> ReplyEvent:
    return ReplyEvent("turn.restarted", {"attempt": 2}, "1")


def done(text: str, **fields: Any) -> ReplyEvent:
    usage = ReplyUsage(0, 0, 0, 0)
    reply = Reply(text, (), uuid4(), TURN_ID, uuid4(), {}, (), (), (), fields, "form", usage, None, False)
    return ReplyEvent("done", {}, "1", reply)


class Script:
    """Answers each time with the next of its answers, and knows by which keys it was asked."""

    def __init__(self, *answers: list[ReplyEvent | ApiError]) -> None:
        self._answers = iter(answers)
        self.keys: list[str] = []

    async def say(self, message: str, *, idempotency_key: str) -> AsyncGenerator[ReplyEvent]:
        self.keys.append(idempotency_key)
        for event in next(self._answers):
            if isinstance(event, ApiError):
                raise event
            yield event


async def heard(script: Script, fields: list[Mapping[str, Any]] | None = None) -> tuple[Turn, str]:
    turn = Turn("hello", "key", (fields if fields is not None else []).append)
    await turn.follow(script)
    return turn, "".join([piece async for piece in turn.pieces()])


async def test_the_answer_comes_in_pieces_and_the_reply_with_its_end() -> None:
    fields: list[Mapping[str, Any]] = []
    noted = ReplyEvent("fields.noted", {"mood": "calm"}, "1")
    turn, text = await heard(Script([accepted(), noted, delta("Good "), delta("day"), done("Good day", a=1)]), fields)
    assert (turn.turn_id, turn.text, text, turn.error) == (TURN_ID, "Good day", "Good day", None)
    assert turn.reply is not None
    assert fields == [{"mood": "calm"}, {"a": 1}]


async def test_what_fails_and_may_pass_is_sent_once_more_by_the_same_key() -> None:
    script = Script([accepted(), delta("Good "), AWAY], [accepted(), delta("Go"), delta("od day"), done("Good day")])
    turn, text = await heard(script)
    assert (text, turn.text, script.keys) == ("Good day", "Good day", ["key", "key"])


async def test_an_answer_that_was_over_comes_whole() -> None:
    turn, text = await heard(Script([AWAY], [accepted(), done("Good day")]))
    assert (text, turn.text) == ("Good day", "Good day")
    turn, text = await heard(Script([accepted(), delta("Good "), AWAY], [accepted(), done("Good day")]))
    assert (text, turn.text) == ("Good day", "Good day")


async def test_a_turn_that_begins_anew_is_not_heard_twice() -> None:
    begun = [accepted(), delta("Good "), restarted()]
    _, text = await heard(Script([*begun, delta("Good day"), done("Good day")]))
    assert text == "Good day"
    _, text = await heard(Script([*begun, delta("Hello"), done("Hello")]))
    assert text == "Good Hello"


@pytest.mark.parametrize(("answers", "asked"), [([[AWAY], [AWAY]], 2), ([[ENDED]], 1)])
async def test_what_fails_for_good_is_the_turns_error(
    answers: list[list[ReplyEvent | ApiError]], asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_PAUSE_S", 0.01)
    script = Script(*answers)
    turn, text = await heard(script)
    assert (turn.error, turn.reply, text, len(script.keys)) == (answers[-1][0], None, "", asked)
