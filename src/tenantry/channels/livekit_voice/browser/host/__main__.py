"""The call host as a program: `python -m tenantry.channels.livekit_voice.browser.host --socket PATH --home HOME`."""

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from tenantry.channels.livekit_voice.browser.host.pool import Pool
from tenantry.channels.livekit_voice.kept_process import ready_teller
from tenantry.channels.livekit_voice.speech.launching import socket_path, speech_server
from tenantry.logs import configure_logs


def main() -> None:
    """Serve until stdin closes, as it does when the server ends, or until SIGTERM."""
    tell_ready = ready_teller()
    parser = argparse.ArgumentParser(prog="calls", description="Runs a process for each call of a server.")
    parser.add_argument("--socket", type=Path, required=True, help="the Unix socket, in a private folder")
    parser.add_argument("--home", type=Path, required=True, help="the installation whose speech server is used")
    parser.add_argument("--idle", type=int, default=1, help="how many processes wait for a call")
    arguments = parser.parse_args()
    configure_logs("info")
    with _listening(arguments.socket) as listening:
        asyncio.run(_serve(listening, arguments.home, arguments.idle, tell_ready))


def _listening(path: Path) -> socket.socket:
    # One that died leaves its socket.
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    bound.bind(str(path))
    bound.listen(64)
    return bound


async def _serve(listening: socket.socket, home: Path, idle: int, tell_ready: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_reader(0, lambda: os.read(0, 64) or ended.set())
    pool = Pool(socket_path(home), idle)
    filling = asyncio.create_task(pool.fill())
    async with speech_server(home):
        await filling
        tell_ready()
        accepting = asyncio.create_task(_accept(listening, pool))
        await ended.wait()
        accepting.cancel()


async def _accept(listening: socket.socket, pool: Pool) -> None:
    while True:
        connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        await pool.hand_over(connection)


if __name__ == "__main__":
    main()
