"""The agent on a call: what it says when, what is told of it, and how calls end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from livekit.agents import Agent, AgentSession

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.livekit_tts import LocalTTS
from tenantry.channels.livekit_voice.speech.wire import OUT_RATE
from tenantry.channels.livekit_voice.worker import call as calling
from tenantry.channels.livekit_voice.worker import phrases
from tenantry.channels.livekit_voice.worker.call import LineBroken
from tenantry.channels.livekit_voice.worker.engines import Speech
from tenantry.client.call_session import Claim, WorkerClient
from tenantry.domain.call import EndReason, Utterance
from tenantry.server.runtime import Runtime
from tests.conftest import TenantForTest
from tests.integration.call_parties import answer_to, opened, speaking_for, worker
from tests.integration.conftest import Call
from tests.integration.spoken_call import WITHIN_S, CallServer, CallUnderTest, called
from tests.integration.spoken_line import AGENT_HZ, SpokenLine, Voice, tone
from tests.integration.test_reply_api import make_agent


@pytest.fixture
async def broker(url: str, session_home: Path) -> AsyncIterator[WorkerClient]:
    async with worker(url, session_home) as client:
        yield client


@pytest.fixture
async def ringing(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest, broker: WorkerClient, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[CallUnderTest]:
    """A claimed call that nobody speaks for yet."""
    variables = [{"name": "email", "type": "email"}]
    agent_id = await make_agent(call, tenant.key, "Anna", greeting="Good morning!", variables=variables)
    made = await opened(call, tenant.key, agentId=agent_id)
    server = CallServer(runtime, tenant, url, broker)
    async with called(server, made["callId"], SpokenLine(), Voice(), monkeypatch) as under_test:
        yield under_test


def with_voice(claim: Claim, **voice: Any) -> Claim:
    return msgspec.structs.replace(claim, voice=replace(claim.voice, **voice))


async def test_what_is_said_and_heard_is_told_with_its_turn_and_its_times(ringing: CallUnderTest) -> None:
    ringing.run()
    await ringing.until(lambda: ringing.voice.said == ["Good morning!"])
    await ringing.line.say("my email is ada@example.org")
    await ringing.until(lambda: len(ringing.line.sent) == 1)
    topic, summary = ringing.line.sent[0]
    assert (topic, summary["ended"]) == ("conversation-summary", False)
    assert summary["variables"] == {"email": "ada@example.org"}
    assert UUID(summary["conversationId"]) == ringing.claim.conversation_id
    row = await ringing.hang_up()
    assert (row.status, row.end_reason) == ("ended", EndReason.HUNG_UP)
    assert row.answered_at is not None
    greeting, answer = await ringing.told()
    assert (greeting.turn_id, greeting.said, greeting.heard) == (None, "Good morning!", "Good morning!")
    assert (str(answer.turn_id), answer.heard, answer.interrupted) == (summary["turnId"], answer.said, False)
    assert answer.timings.keys() >= {"first_text", "first_audio"}


class Noting(SpeechClient):
    """A speech server that notes what it is asked to say, and says a tone."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.asked: list[str] = []

    async def synthesize(self, text: str, **how: Any) -> AsyncGenerator[bytes]:
        self.asked.append(text)
        yield tone(AGENT_HZ, OUT_RATE // 10, OUT_RATE)


@pytest.mark.parametrize("greeting", ["Good morning!", "Good morning! This is Anna. How can I help you?", ""])
async def test_the_first_words_are_made_while_the_line_is_joined_and_only_once(
    ringing: CallUnderTest, monkeypatch: pytest.MonkeyPatch, greeting: str
) -> None:
    speech, start, joined = Noting(), ringing.line.start, asyncio.Event()

    async def start_late(session: AgentSession[None], agent: Agent) -> None:
        await joined.wait()
        await start(session, agent)

    monkeypatch.setattr(ringing.line, "start", start_late)
    monkeypatch.setattr(calling, "speech_of", lambda *_: Speech(None, LocalTTS(speech), ringing.directions.append))  # type: ignore[arg-type]
    # Without a greeting it is the second agent of the call, who apologises.
    ringing.claim = msgspec.structs.replace(ringing.claim, greeting=greeting, claim=1 if greeting else 2)
    said = greeting or phrases.CUT_OFF
    ringing.run()
    await ringing.until(lambda: speech.asked != [])
    assert said.startswith(speech.asked[0])
    joined.set()
    session = await ringing.line.started
    await ringing.until(lambda: "".join(speech.asked) == said and session.current_speech is None)


async def test_what_the_caller_cut_off_was_not_heard(ringing: CallUnderTest) -> None:
    ringing.run()
    session = await ringing.line.started
    await ringing.until(lambda: ringing.voice.said == ["Good morning!"] and session.current_speech is None)
    ringing.line.loudspeaker.held = True
    speech = session.generate_reply(user_input="Where do I have to be?")
    await asyncio.wait_for(ringing.line.loudspeaker.playing.wait(), WITHIN_S)
    await speech.interrupt()
    ringing.line.loudspeaker.held = False
    await ringing.line.say("my email is ada@example.org")
    ringing.line.breaks()
    with pytest.raises(LineBroken):
        await ringing.over()
    told = {utterance.position: utterance for utterance in await ringing.told()}
    assert told[2].interrupted
    assert told[2].said.startswith(told[2].heard)
    assert told[2].said != told[2].heard


async def test_a_line_that_breaks_is_no_end_of_the_call(ringing: CallUnderTest) -> None:
    ringing.run()
    await ringing.line.started
    ringing.line.breaks()
    with pytest.raises(LineBroken):
        await ringing.over()
    assert (await ringing.row()).status != "ended"


async def test_who_says_nothing_is_asked_and_then_bidden_goodbye(ringing: CallUnderTest) -> None:
    ringing.claim = with_voice(ringing.claim, silence_s=0.05, silences=2, silence_prompt="Hello?", goodbye="Bye!")
    ringing.run()
    assert (await ringing.over()).end_reason is EndReason.SILENCE
    assert ringing.voice.said == ["Good morning!", "Hello?", "Hello?", "Bye!"]
    assert [utterance.said for utterance in await ringing.told()] == ringing.voice.said


async def test_a_call_that_takes_too_long_ends_with_a_goodbye(ringing: CallUnderTest) -> None:
    ringing.claim = msgspec.structs.replace(ringing.claim, ends_in_s=0.2)
    ringing.run()
    assert (await ringing.over()).end_reason is EndReason.TIME_LIMIT
    assert ringing.voice.said[0] == "Good morning!"
    assert "our time is up" in ringing.voice.said[1]


async def test_a_caller_who_left_has_time_to_come_back(ringing: CallUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    ringing.run()
    await ringing.line.started
    ringing.line.caller(there=False)
    await ringing.until(lambda: not ringing.line.changed.is_set())
    ringing.line.caller(there=True)
    await ringing.until(lambda: not ringing.line.changed.is_set())
    monkeypatch.setattr(calling, "_RETURN_S", 0.05)
    ringing.line.caller(there=False)
    assert (await ringing.over()).end_reason is EndReason.CALLER_LEFT


async def test_a_caller_who_never_came_has_not_joined(ringing: CallUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "_JOIN_S", 0.05)
    ringing.line.caller_there = False
    ringing.run()
    assert (await ringing.over()).end_reason is EndReason.NOT_JOINED


async def test_whoever_is_superseded_leaves_without_a_word(ringing: CallUnderTest) -> None:
    ringing.run()
    await ringing.until(lambda: ringing.voice.said == ["Good morning!"])
    await ringing.server.broker.claim(ringing.ticket)
    row = await ringing.over()
    assert (row.ended_at, ringing.voice.said) == (None, ["Good morning!"])


async def test_an_agent_that_was_lost_is_followed_by_one_that_goes_on(ringing: CallUnderTest) -> None:
    async with speaking_for(ringing.server.url, ringing.claim) as lost:
        await lost.beat(caller_there=True, answered=True)
        await lost.spoken(Utterance(1, None, "Good morning!", "Good morning!", False, {}))
        reply = await answer_to(lost, "hello", "1")
    ringing.claim = await ringing.server.broker.claim(ringing.ticket)
    ringing.run()
    await ringing.until(lambda: len(ringing.voice.said) >= 2)
    await ringing.hang_up()
    assert ringing.voice.said[0] == "Sorry, we were cut off."
    told = await ringing.told()
    assert [(u.position, u.turn_id) for u in told] == [(1, None), (2, None), (3, reply.turn_id)]
    assert told[2].said == reply.reply


async def test_a_goodbye_ends_the_call_once_it_is_spoken(ringing: CallUnderTest) -> None:
    ringing.run()
    await ringing.until(lambda: ringing.voice.said == ["Good morning!"])
    await ringing.line.say("my email is ada@example.org")
    await ringing.line.say("That's all, goodbye!")
    row = await ringing.over()
    assert row.end_reason is EndReason.GOODBYE
    told = await ringing.told()
    assert told[-1].heard == told[-1].said
