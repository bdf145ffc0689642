"""What a call costs and how long its caller waits: memory, CPU, the greeting, and the delay from voice to voice, on the
audio of real calls at a real LiveKit server; without keys, all speech on this machine.

usage: python -m bench.voice
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from uuid import UUID

from rich.console import Console

from bench.servers import new_folder
from bench.voice_calls import AGENT, SAYS, greeting, make_agent, side_by_side
from bench.voice_figures import Figures
from bench.voice_page import page_round
from bench.voice_processes import IDLE, Memory, call_processes, memory, speech_servers, until_warm
from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.launching import socket_path
from tests.acceptance.voice_world import VoiceWorld, voice_world
from tests.livekit_server import BINARY
from tests.speech import spoken

SIDE_BY_SIDE = (1, 2, 4, 8)
TURNS = 20  # of all calls of a round together, at least three of each
GREETINGS = 10
_ANSWER = "Thanks."  # what an answer begins with: the sentence that the caller waits for
_TRIES = 10


async def main() -> None:
    """Measure and print."""
    if not BINARY.exists():
        Console().print("calls are not measured: the LiveKit server is not built (`make livekit`, which needs Go)")
        return
    figures = Figures(load=os.getloadavg()[0], pause=AGENT.voice.pause_ms, inside=await _inside())
    folder = new_folder()
    try:
        async with voice_world(folder, folder / "home") as world:
            key = world.server.key("tenant")
            await _measure(world, key, await make_agent(world.server.url, key), figures)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures.show()


async def _measure(world: VoiceWorld, key: str, agent: UUID, figures: Figures) -> None:
    async with world.worker(TENANTRY_WORKER_IDLE="0"):
        figures.unprepared.append(await greeting(world, key, agent))
    async with world.worker(TENANTRY_WORKER_IDLE=str(IDLE)) as worker:
        figures.cold.append(await greeting(world, key, agent))
        await until_warm(worker)
        figures.idle = memory(call_processes(worker)[1])
        for _ in range(GREETINGS):
            figures.warm.append(await greeting(world, key, agent))
            await until_warm(worker)
        for calls in SIDE_BY_SIDE:
            turns = max(3, TURNS // calls)
            figures.rounds.append(await side_by_side(world, worker, key, agent, calls, turns))
            await until_warm(worker)
        figures.speech = memory(speech_servers()[0])
        speech = SpeechClient(socket_path(world.home))
        for turns in (0, TURNS):
            figures.pages.append(await page_round(world, key, agent, speech, turns))
        figures.recognition, figures.synthesis = await _recognition(speech), await _synthesis(speech)


async def _inside() -> Memory:
    """Measured by a process of its own, which has a fork server of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.voice_inside"), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    uss, pss = map(int, printed.split())
    return Memory([uss], [pss])


async def _recognition(speech: SpeechClient) -> float:
    heard = await spoken(speech, SAYS[0])
    return await _median_ms(lambda: speech.transcribe(heard))


async def _synthesis(speech: SpeechClient) -> float:
    async def first_piece() -> None:
        pieces = speech.synthesize(_ANSWER)
        await anext(pieces)
        await pieces.aclose()

    return await _median_ms(first_piece)


async def _median_ms(work: Callable[[], Awaitable[object]]) -> float:
    taken: list[float] = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


if __name__ == "__main__":
    asyncio.run(main())
