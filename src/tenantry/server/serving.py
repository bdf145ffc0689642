"""The application on a real socket."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from tenantry.domain.errors import ConfigurationError
from tenantry.server.app import create_app
from tenantry.server.body_limit import BODY_LIMIT
from tenantry.server.runtime import Runtime


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.start_ended = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.start_ended.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        # Signals belong to the command that serves: uvicorn would raise them again before the database is closed.
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening address. Port 0 takes any free one. Raises ConfigurationError when it is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, since asyncio turns Nagle's algorithm off only where it knows that a socket is TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(f"Cannot listen on {host}:{port} ({error.strerror}); choose another port.") from error
    return bound


@asynccontextmanager
async def serving(runtime: Runtime, bound: socket.socket) -> AsyncGenerator[str]:
    """Serve while inside; the value is the server's URL. At the end, running requests are finished first."""
    config = uvicorn.Config(
        create_app(runtime),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        ws_max_size=BODY_LIMIT,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    starting = asyncio.create_task(server.start_ended.wait())
    try:
        await asyncio.wait([task, starting], return_when=asyncio.FIRST_COMPLETED)
        if not server.started:
            raise ConfigurationError("The server did not start; its log says why.")
        host, port = bound.getsockname()[:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        starting.cancel()
        # Streams that wait for what may come would hold the end up, and so would calls.
        runtime.engine.live.close()
        await runtime.browser_calls.close()
        server.should_exit = True
        await task
        bound.close()
