"""Calls as people make them: real rooms, real speech, a real worker, each call in a process of its own."""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tenantry.client import TenantryClient
from tenantry.client.agents import Agent
from tenantry.domain.agent import AgentDefinition, Function, Variable, VariableType
from tenantry.domain.call import EndReason
from tenantry.domain.voice import Voice
from tests.acceptance.voice_talk import Seller, books
from tests.acceptance.voice_world import Phone, VoiceWorld, Worker, voice_world
from tests.conftest import new_home
from tests.livekit_server import need_server
from tests.voice_caller import Experience

pytestmark = pytest.mark.realtime

MARK, JON = "mark@peterei.example", "jon@peterei.example"
AGAIN_S = 8.0  # from a killed process to the first word of the next one
ADA = Seller("one two three Main Street, Springfield", "123 Main Street", "Next Tuesday at three p.m.", "ada")
SURVEY = AgentDefinition(
    name="Survey Desk",
    greeting="Hello, this is the survey desk.",
    voice=Voice(silence_s=60),
    time_zone="America/New_York",
    variables=(
        Variable(name="property_address", type=VariableType.ADDRESS, question="What is the address of the property?"),
    ),
    functions=(Function(name="set_appointment", description="Book a survey.", variables=("property_address",)),),
)
STORY = (
    "Before we begin I want to explain how it works. Somebody walks through every room, looks at the roof, and writes "
    "a long report with many pictures. What is the address of the property?"
)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VoiceWorld]:
    need_server()
    with new_home() as home:
        async with voice_world(tmp_path_factory.mktemp("voice"), home) as made:
            yield made


@pytest.fixture(scope="module")
async def worker(world: VoiceWorld) -> AsyncIterator[Worker]:
    async with world.worker() as started:
        yield started


@pytest.fixture(autouse=True)
async def hung_up(world: VoiceWorld) -> AsyncIterator[None]:
    """Nobody is left on the phone when a test is over, however it ended."""
    yield
    await world.silence()


@pytest.fixture(scope="module")
async def harbour(world: VoiceWorld) -> str:
    """The key of a tenant."""
    return await world.new_tenant("harbour")


@pytest.fixture(scope="module")
async def quarry(world: VoiceWorld) -> str:
    """The key of another tenant."""
    return await world.new_tenant("quarry")


async def agent_of(world: VoiceWorld, key: str, definition: AgentDefinition) -> str:
    async with TenantryClient.open(world.server.url, key) as client:
        return str((await client.agents.create(definition, publish=True)).id)


async def own_agent(world: VoiceWorld, key: str) -> Agent:
    async with TenantryClient.open(world.server.url, key) as client:
        return next(agent for agent in [a async for a in client.agents.list()] if agent.owner_member_id)


async def booked(world: VoiceWorld, key: str) -> dict[str, str]:
    """The address of each appointment that a key sees, by its conversation."""
    async with TenantryClient.open(world.server.url, key) as client:
        return {str(e.conversation_id): str(e.details) async for e in client.calendar.events()}


async def test_an_appointment_made_by_voice_is_in_the_calendar_of_the_agents_owner_alone(
    world: VoiceWorld, worker: Worker
) -> None:
    key = world.server.key(MARK)
    phone = await world.call(key, agentId=str((await own_agent(world, key)).id))
    await phone.caller.hears("assistant", "visit to value your property")
    await phone.caller.says("I want to sell my house.")
    assert "Tuesday" in await books(phone.caller, ADA)
    await phone.caller.says("Goodbye.")
    await phone.caller.hears("bye")
    await phone.caller.is_left()
    record = await phone.ended()
    assert record.call.end_reason is EndReason.GOODBYE
    assert record.call.local
    conversation = str(record.call.conversation_id)
    appointments = await booked(world, key)
    assert list(appointments) == [conversation]
    assert "123 Main Street, Springfield" in appointments[conversation]
    assert "ada@example.com" in appointments[conversation]
    assert not await booked(world, world.server.key(JON))
    _check_what_was_told(await phone.caller.lived(), conversation)
    answers = [line for line in record.lines if line.by == "agent" and line.turn_id is not None]
    assert all(line.heard == line.said for line in answers)
    for line in answers:
        assert {"end_of_turn", "recognition", "first_text", "first_audio", "voice_to_voice"} <= set(line.timings or {})


def _check_what_was_told(lived: Experience, conversation: str) -> None:
    """The room's data messages and transcripts, which a page shows while the call goes on."""
    assert {summary["conversationId"] for summary in lived.summaries} == {conversation}
    assert lived.summaries[-1]["variables"]["property_address"] == "123 Main Street, Springfield"
    assert [summary["ended"] for summary in lived.summaries][-2:] == [False, True]
    called = [call for summary in lived.summaries for call in summary["toolCalls"]]
    assert "set_appointment" in {call["name"] for call in called}
    of_caller = [text.text for text in lived.transcripts if text.final and text.identity == lived.identity]
    assert any("main street" in text.lower() for text in of_caller)
    assert len(of_caller) == len(lived.said)


STREETS = ("Oak Avenue", "Maple Street", "River Road", "Garden Lane", "Church Street", "Castle Road", "Forest Lane",
           "Station Road")  # fmt: skip
NUMBERS = (12, 23, 34, 45, 56, 67, 78, 89)  # a "two" may be heard as "too", or written out
TIMES = ("nine a.m.", "ten a.m.", "two p.m.", "three p.m.")


async def test_eight_calls_of_two_tenants_keep_apart_and_one_that_is_killed_goes_on(
    world: VoiceWorld, worker: Worker, harbour: str, quarry: str
) -> None:
    agents = {key: await agent_of(world, key, SURVEY) for key in (quarry, harbour)}
    keys = [quarry, harbour] * 4
    sellers = [
        Seller(f"{number} {street}, Springfield", f"{number} {street}", f"Next Tuesday at {TIMES[place // 2]}")
        for place, (number, street) in enumerate(zip(NUMBERS, STREETS, strict=True))
    ]
    before = worker.talking()
    victim = await world.call(quarry, agentId=agents[quarry])
    await victim.caller.hears_out()
    (pid,) = worker.talking() - before
    # All callers live in one process, which takes seconds to join seven rooms at once, and hears nothing meanwhile.
    joining = asyncio.Lock()

    async def talk(key: str, seller: Seller) -> Phone:
        async with joining:
            phone = await world.call(key, agentId=agents[key])
            await phone.caller.is_spoken_to()
        await phone.caller.hears_out()
        await phone.caller.says("I need a survey.")
        await books(phone.caller, seller)
        return phone

    killed, *others = await asyncio.gather(
        _talk_through_a_kill(victim, sellers[0], pid),
        *(talk(key, seller) for key, seller in zip(keys[1:], sellers[1:], strict=True)),
    )
    phones = [victim, *others]
    records = [await phone.record() for phone in phones]
    assert [record.call.agents for record in records] == [2, *[1] * 7]
    lives = [await phone.caller.lived() for phone in phones]
    again = next(sound for sound in lives[0].heard if sound.began > killed)
    assert again.began - killed < AGAIN_S, again
    said = [text.text for text in lives[0].transcripts if text.final and text.identity != lives[0].identity]
    assert "Sorry, we were cut off." in said
    assert sum("What is the address" in text for text in said) == 1
    for street, record, lived in zip(STREETS, records, lives, strict=True):
        lines = " ".join(f"{line.said} {line.heard}" for line in record.lines)
        texts = " ".join(text.text for text in lived.transcripts)
        for words in (lines, texts, str(lived.summaries)):
            assert _streets(words) == [street], words
        assert set(_streets(lived.words())) <= {street}
    for key, mine in ((quarry, (0, 2, 4, 6)), (harbour, (1, 3, 5, 7))):
        appointments = await booked(world, key)
        for number in mine:
            assert STREETS[number] in appointments[str(records[number].call.conversation_id)]
    await asyncio.gather(*(phone.caller.leave() for phone in phones))
    ended = await asyncio.gather(*(phone.ended() for phone in phones))
    assert {record.call.end_reason for record in ended} == {EndReason.CALLER_LEFT}


def _streets(words: str) -> list[str]:
    """Whose words these are, by the first word of their address."""
    return [street for street in STREETS if re.search(rf"\b{street.split()[0]}\b", words, re.IGNORECASE)]


async def _talk_through_a_kill(phone: Phone, seller: Seller, pid: int) -> float:
    """Book, but lose the agent's process once it knows the address; when that was, in monotonic seconds."""
    await phone.caller.says("I need a survey.")
    await phone.caller.hears_out()
    await phone.caller.says(seller.address)
    await phone.caller.hears_out()
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    await phone.caller.is_spoken_to()
    await books(phone.caller, seller)
    return killed


async def test_who_speaks_into_a_long_reply_is_listened_to_and_only_what_was_heard_is_history(
    world: VoiceWorld, worker: Worker, harbour: str
) -> None:
    question = replace(SURVEY.variables[0], question=STORY)
    talker = replace(SURVEY, name="Talker", variables=(question,))
    phone = await world.call(harbour, agentId=await agent_of(world, harbour, talker))
    await phone.caller.hears_out()
    await phone.caller.says("I need a survey.")
    await phone.caller.is_spoken_to()
    await phone.caller.says("Stop, please. I have a question about the price of the survey.", over=True)
    await phone.caller.hears_out()
    lived = await phone.caller.lived()
    began = lived.said[-1].began
    cut = next(sound for sound in lived.heard if sound.began < began < sound.ended)
    assert cut.ended - began < 1.0
    await phone.caller.leave()
    record = await phone.ended()
    line = next(line for line in record.lines if line.interrupted)
    assert line.said.startswith("Before we begin")
    assert line.heard
    assert line.said.startswith(line.heard)
    assert "pictures" not in line.heard
    async with TenantryClient.open(world.server.url, harbour) as client:
        events = await client.conversations.events(record.call.conversation_id)
    history = " ".join(str(event) for event in events.items)
    assert line.heard in history


async def test_who_says_nothing_is_asked_and_then_bidden_goodbye(
    world: VoiceWorld, worker: Worker, harbour: str
) -> None:
    voice = Voice(silence_s=3, silences=1, silence_prompt="Can you hear me?", goodbye="I will hang up now. Goodbye.")
    phone = await world.call(harbour, agentId=await agent_of(world, harbour, replace(SURVEY, name="S", voice=voice)))
    await phone.caller.hears("can you hear me", "hang up now")
    await phone.caller.is_left()
    assert (await phone.ended()).call.end_reason is EndReason.SILENCE
