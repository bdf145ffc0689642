"""A call of a browser without LiveKit, measured as its page plays it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from bench.voice_calls import SAYS
from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tests.acceptance.voice_world import VoiceWorld
from tests.heard_audio import AUDIBLE_RMS, GAP_S, STEP
from tests.page_caller import PageCaller, page_call
from tests.speech import spoken

_PLAYED_STEP = 480  # samples: 20 ms at 24,000 Hz


@dataclass(frozen=True)
class PageRound:
    """A call of one page: seconds from asking for it to its greeting, and from voice to voice."""

    greeting: float
    delays: Sequence[float]


async def page_round(world: VoiceWorld, key: str, agent: UUID, speech: SpeechClient, turns: int) -> PageRound:
    """A page that calls, says so much, and leaves."""
    utterances = [_without_end(await spoken(speech, text)) for text in SAYS]
    asked = time.monotonic()
    opened = await world.open_call(key, agentId=str(agent), transport="websocket")
    async with page_call(opened["serverUrl"], f"bearer.{opened['participantToken']}") as page:
        greeted = await _answered(page, 0.0)
        delays = [await _turn(page, utterances[number % len(SAYS)]) for number in range(turns)]
        await page.tell({"type": "hangup"})
        await page.until(lambda: page.told("ended"))
    return PageRound(greeted - asked, delays)


async def _turn(page: PageCaller, pcm: bytes) -> float:
    before = len(page.told("state"))
    page.said += pcm
    await page.until(lambda: not page.said, 60)
    ended = page.said_until
    return await _answered(page, ended, before) - ended


async def _answered(page: PageCaller, after: float, states: int = 0) -> float:
    """Wait until the agent has answered what was said until then; when its first audible sample was played."""
    await page.until(lambda: _is_done(page.told("state")[states:]) and _audible(page, after), 60)
    until = max(begins for begins, _ in page.pieces)
    await asyncio.sleep(max(until - asyncio.get_running_loop().time(), 0) + GAP_S)
    return _audible(page, after)[0]


def _is_done(states: list[dict[str, Any]]) -> bool:
    names = [state["state"] for state in states]
    return "speaking" in names and names[-1] == "listening"


def _audible(page: PageCaller, after: float) -> list[float]:
    """When audible steps of 20 ms began that were played since then."""
    return [
        begins + at / 24_000
        for begins, pcm in page.pieces
        if begins >= after
        for samples in [np.frombuffer(pcm, "<i2").astype(np.float32)]
        for at in range(0, len(samples), _PLAYED_STEP)
        if np.sqrt(np.mean(samples[at : at + _PLAYED_STEP] ** 2)) >= AUDIBLE_RMS
    ]


def _without_end(pcm: bytes) -> bytes:
    """What is said, without the silence that the voice ends with."""
    steps = [pcm[at : at + STEP * 2] for at in range(0, len(pcm), STEP * 2)]
    loud = [np.sqrt(np.mean(np.frombuffer(step, "<i2").astype(np.float32) ** 2)) >= AUDIBLE_RMS for step in steps]
    return b"".join(steps[: len(loud) - loud[::-1].index(True)])
