"""The client of models by itself: streams side by side in one process, which prints its own CPU time.

usage: python -m bench.client_alone MODEL_BASE_URL STREAMS TURNS CHUNKS...     (a line of JSON for each CHUNKS)
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

import uvloop

from bench.model_server import message
from tenantry.cli.demo.seed import AGENTS, JON
from tenantry.llm.base import ChatMessage, ModelRequest, TextDelta
from tenantry.llm.chat_completions.client import ChatCompletions
from tenantry.llm.chat_completions.endpoint import Endpoint


async def main() -> None:
    """Ask at every length in turn."""
    base_url, streams, turns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    model = ChatCompletions("bench", Endpoint(base_url, "", "vendor/model"))
    await _round(model, streams, 1, 1)
    for chunks in map(int, sys.argv[4:]):
        began = time.process_time()
        pieces = await _round(model, streams, turns, chunks)
        told = {"chunks": chunks, "cpu_s": time.process_time() - began, "pieces": pieces, "turns": streams * turns}
        print(json.dumps(told), flush=True)
    await model.close()


async def _round(model: ChatCompletions, streams: int, turns: int, chunks: int) -> int:
    request = ModelRequest(
        agent=AGENTS[JON],
        system_prompt="You are Jon's assistant.",
        messages=(ChatMessage("user", message(chunks)),),
        tools=(),
        known={},
        now=datetime.now(UTC),
        user_id="jon",
    )

    async def talk(number: int) -> int:
        await asyncio.sleep(number / streams)
        pieces = 0
        for _ in range(turns):
            async for event in model.respond(request):
                pieces += isinstance(event, TextDelta)
        return pieces

    return sum(await asyncio.gather(*(talk(number) for number in range(streams))))


if __name__ == "__main__":
    uvloop.run(main())
