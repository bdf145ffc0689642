"""`python -m tests.google_server PORT`: the server as a process of its own, steered by its routes under `/control`."""

import asyncio
import sys

from tests.google_server.server import google_server


async def _serve(port: int) -> None:
    async with google_server(port, strict=False) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


asyncio.run(_serve(int(sys.argv[1])))
