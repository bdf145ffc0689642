"""The floor of the benchmark of streams: a raw ASGI application that passes the model's bytes on, and nothing else.

usage: python -m bench.stream_proxy HOST PORT MODEL_URL
"""

import sys
from typing import Any

import aiohttp
import uvicorn


class Proxy:
    """Posts what it gets to the model and hands each piece of the answer over as it comes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One ASGI call."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message.get("more_body", False)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        assert self._session is not None
        async with self._session.post(self._url, data=body) as response:
            while data := await response.content.readany():
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Serve until the process is ended."""
    config = uvicorn.Config(Proxy(sys.argv[3]), sys.argv[1], int(sys.argv[2]), log_config=None, access_log=False)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
