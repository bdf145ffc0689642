"""The call processes of a host: one for each call, and some that wait for theirs."""

import asyncio
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import structlog

# Imported once and shared: all that a call needs, and last the module that freezes it for the garbage collector, whose
# marks would make every page of it a process's own.
_PRELOADED = [
    "tenantry.channels.livekit_voice.worker.preload",
    "tenantry.channels.livekit_voice.browser.host.process",
    "livekit.agents.ipc._preload_freeze",
]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    process: BaseProcess
    control: socket.socket


class Pool:
    """Hands each connection to a process of its own, forked from one in which everything is loaded."""

    def __init__(self, speech: Path, idle: int) -> None:
        """Processes find the speech server at `speech`; `idle` of them wait."""
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._speech = speech
        self._idle = idle
        self._waiting: deque[_Waiting] = deque()
        self._filling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def fill(self) -> None:
        """Start as many processes as shall wait."""
        async with self._filling:
            while len(self._waiting) < self._idle:
                self._waiting.append(await asyncio.to_thread(self._start))

    async def hand_over(self, connection: socket.socket) -> None:
        """Give a connection to a process that waits, or to a new one, and keep none of it here."""
        with connection:
            while True:
                chosen = self._waiting.popleft() if self._waiting else await asyncio.to_thread(self._start)
                with chosen.control, suppress(OSError):
                    # One that died while it waited takes nothing.
                    socket.send_fds(chosen.control, [b"c"], [connection.fileno()])
                    break
        for work in (self.fill(), self._reap(chosen.process)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _start(self) -> _Waiting:
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._context.Process(target=_serve, args=(theirs, str(self._speech)), daemon=True)
            process.start()
        return _Waiting(process, ours)

    async def _reap(self, process: BaseProcess) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process.sentinel)
        await asyncio.to_thread(process.join)
        if process.exitcode:
            log.warning("call_process_died", pid=process.pid, status=process.exitcode)
        process.close()


def _serve(control: socket.socket, speech: str) -> None:
    # Imported in call processes alone: the host needs none of it, and it takes 90 MB.
    from tenantry.channels.livekit_voice.browser.host.process import serve

    serve(control, Path(speech))
