"""Calls that are measured: what their callers say, when they were answered, and what each answer took."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psutil

from bench.voice_processes import CpuMeter, Memory, call_processes, memory, roles
from tenantry.client import TenantryClient
from tenantry.client.calls import CallRecord
from tenantry.domain.agent import AgentDefinition, Variable, VariableType
from tests.acceptance.voice_world import Phone, VoiceWorld, Worker
from tests.voice_caller import Unheard
from tests.voice_callers import RemoteCaller

SAYS = (
    "It has a red door.",
    "There is a large garden.",
    "The roof is new.",
    "We have two cars.",
    "The kitchen is blue.",
)
# One short question for ever, so that all turns are alike and none takes longer than it has to.
AGENT = AgentDefinition(
    name="Bench",
    greeting="Hello, tell me about your house.",
    variables=tuple(
        Variable(f"fact_{number}", VariableType.TEXT, question="And what else?") for number in range(1, 41)
    ),
)


@dataclass(frozen=True)
class Greeting:
    """Seconds to the first audible sample of the greeting, since the call was asked for and since it was joined."""

    since_asked: float
    since_joined: float


@dataclass(frozen=True)
class Round:
    """Calls at the same time: seconds from voice to voice, the milliseconds of each answer by stage, how many answers
    never came, CPU seconds of each role for a minute of a call and the share of the machine's cores, memory of the call
    processes."""

    calls: int
    delays: Sequence[float]
    stages: Sequence[Mapping[str, float]]
    unanswered: int
    cpu: Mapping[str, float]
    cores: float
    memory: Memory


async def make_agent(url: str, key: str) -> UUID:
    """The agent that all calls are with."""
    async with TenantryClient.open(url, key) as client:
        return (await client.agents.create(AGENT, publish=True)).id


async def greeting(world: VoiceWorld, key: str, agent: UUID) -> Greeting:
    """Call, hear the greeting, and leave."""
    asked = time.monotonic()
    phone = await world.call(key, agentId=str(agent))
    await phone.caller.hears_out(within=60)
    lived = await phone.caller.lived()
    await hang_up(phone)
    return Greeting(lived.heard[0].began - asked, lived.first_word())


async def side_by_side(world: VoiceWorld, worker: Worker, key: str, agent: UUID, calls: int, turns: int) -> Round:
    """So many calls at once, in each of which the caller says so much."""
    phones = await asyncio.gather(*(world.call(key, agentId=str(agent)) for _ in range(calls)))
    await asyncio.gather(*(phone.caller.hears_out(within=60) for phone in phones))
    meter, began = CpuMeter(roles(world, worker)), time.monotonic()
    unanswered = sum(await asyncio.gather(*(_talk(phone.caller, turns) for phone in phones)))
    took, cpu = time.monotonic() - began, meter.taken()
    used = memory(call_processes(worker)[0])
    lived = await asyncio.gather(*(phone.caller.lived() for phone in phones))
    records = await asyncio.gather(*(hang_up(phone) for phone in phones))
    return Round(
        calls=calls,
        delays=[delay for experience in lived for delay in experience.voice_to_voice()],
        stages=[stages for record in records for stages in stages_of(record)],
        unanswered=unanswered,
        cpu={role: seconds / calls / took * 60 for role, seconds in cpu.items()},
        cores=sum(cpu.values()) / took / (psutil.cpu_count() or 1),
        memory=used,
    )


async def _talk(caller: RemoteCaller, turns: int) -> int:
    """Say so much; how much of it was not answered."""
    unanswered = 0
    for turn in range(turns):
        await caller.says(SAYS[turn % len(SAYS)])
        try:
            await caller.hears_out()
        except Unheard:
            unanswered += 1
    return unanswered


async def hang_up(phone: Phone) -> CallRecord:
    """End the call and wait until all of it is known."""
    async with TenantryClient.open(phone.world.server.url, phone.key) as client:
        await client.calls.hang_up(phone.call_id)
    record = await phone.ended()
    await phone.caller.leave()
    return record


def stages_of(record: CallRecord) -> list[Mapping[str, Any]]:
    """The milliseconds by stage of each of the agent's answers."""
    return [line.timings for line in record.lines if line.by == "agent" and line.turn_id and line.timings]
