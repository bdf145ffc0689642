"""Workers share the calls, take only what they are for, finish what they have, and are replaced where there is none."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tenantry.client import TenantryClient
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.voice import Voice
from tests.acceptance.voice_world import Phone, VoiceWorld, voice_world
from tests.conftest import new_home
from tests.livekit_server import need_server

pytestmark = pytest.mark.realtime

DESK = AgentDefinition(name="Desk", greeting="Hello, this is the front desk.", voice=Voice(silence_s=300))
MOST = 2  # calls of a worker
AGAIN_S = 8.0  # from the first worker that may take a call to the first word of its agent


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VoiceWorld]:
    need_server()
    with new_home() as home:
        async with voice_world(tmp_path_factory.mktemp("voice"), home) as made:
            yield made


@pytest.fixture(autouse=True)
async def hung_up(world: VoiceWorld) -> AsyncIterator[None]:
    """Nobody is left on the phone when a test is over, however it ended."""
    yield
    await world.silence()


@dataclass(frozen=True)
class FrontDesk:
    """The agent that everybody calls."""

    world: VoiceWorld
    key: str
    agent_id: str

    async def called(self, **body: str) -> Phone:
        """A call to it, joined."""
        return await self.world.call(self.key, agentId=self.agent_id, **body)


@pytest.fixture(scope="module")
async def desk(world: VoiceWorld) -> FrontDesk:
    """An agent of a tenant."""
    key = await world.new_tenant("harbour")
    async with TenantryClient.open(world.server.url, key) as client:
        return FrontDesk(world, key, str((await client.agents.create(DESK, publish=True)).id))


async def test_two_workers_share_the_calls_and_one_that_drains_finishes_its_own(
    world: VoiceWorld, desk: FrontDesk
) -> None:
    async with (
        world.worker(TENANTRY_WORKER_MAX_CALLS=str(MOST)) as first,
        world.worker(TENANTRY_WORKER_MAX_CALLS=str(MOST)) as second,
    ):
        taken: dict[int, list[Phone]] = {first.pid: [], second.pid: []}
        known: frozenset[int] = frozenset()
        for _ in range(2 * MOST):
            phone = await _greeted(await desk.called())
            taken[first.pid if first.talking() - known else second.pid].append(phone)
            known |= first.talking()
        assert [len(of) for of in taken.values()] == [MOST, MOST]
        await asyncio.gather(*(_leaves(of.pop()) for of in taken.values()))
        first.drain()
        before = second.talking()
        new = await _greeted(await desk.called())
        assert second.talking() - before
        assert first.talking() <= known
        await asyncio.gather(*(_is_answered(phone) for phone in taken[first.pid]))
        assert first.process.returncode is None
        await asyncio.gather(*(_leaves(phone) for phone in taken[first.pid]))
        assert await asyncio.wait_for(first.process.wait(), 30) == 0
        await _is_answered(new)
        records = [await phone.record() for of in taken.values() for phone in of]
        assert {record.call.agents for record in records} == {1}


async def test_a_call_that_no_worker_may_take_gets_an_agent_as_soon_as_one_comes(
    world: VoiceWorld, desk: FrontDesk
) -> None:
    waiting = await desk.called(purpose="sales")
    async with world.worker("--only", "support") as support:
        await _greeted(await desk.called(purpose="support"))
        assert len(support.talking()) == 1
        async with world.worker() as any_purpose:
            since = time.monotonic()
            began = await waiting.caller.is_spoken_to()
            assert began - since < AGAIN_S
            await _greeted(waiting)
            assert len(any_purpose.talking()) == 1
            assert len(support.talking()) == 1


async def _greeted(phone: Phone) -> Phone:
    await phone.caller.hears_out()
    return phone


async def _is_answered(phone: Phone) -> None:
    await phone.caller.says("I have a question about my order.")
    await phone.caller.hears_out()


async def _leaves(phone: Phone) -> None:
    await phone.caller.leave()
    await phone.ended()
