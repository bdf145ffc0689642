"""The processes of a voice installation: which are which, what memory each has, and what CPU they use."""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from bench.servers import cpu_seconds
from tests.acceptance.voice_world import VoiceWorld, Worker

IDLE = 2  # call processes that a worker keeps warm
_POLL_S = 0.25


@dataclass(frozen=True)
class Memory:
    """Bytes of some processes: what each has alone (USS), and with its share of what is shared (PSS)."""

    uss: Sequence[int]
    pss: Sequence[int]


def memory(processes: Sequence[psutil.Process]) -> Memory:
    """What these processes have now."""
    each = [process.memory_full_info() for process in processes]
    return Memory([taken.uss for taken in each], [taken.pss for taken in each])


def call_processes(worker: Worker) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The processes that are in a call, which have sockets of the internet, and those that wait for one."""
    main = psutil.Process(worker.pid)
    forked = [child for fork_server in main.children() for child in fork_server.children()]
    in_a_call = [process for process in forked if process.net_connections()]
    return in_a_call, [process for process in forked if process not in in_a_call]


async def until_warm(worker: Worker) -> None:
    """Wait until the worker has as many idle processes as it keeps, and they have nothing left to do."""
    before: Mapping[int, float] = {}
    while True:
        # One that ends just now is asked for in vain.
        with contextlib.suppress(psutil.NoSuchProcess):
            in_a_call, waiting = call_processes(worker)
            now = {process.pid: cpu_seconds(process) for process in waiting}
            if not in_a_call and len(now) == IDLE and now == before:
                return
            before = now
        await asyncio.sleep(_POLL_S)


def speech_servers() -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The installation's speech server, and that of the callers, which is this process's own child."""
    children = psutil.Process(os.getpid()).children(recursive=True)
    found = [child for child in children if _speaks(child)]
    return [child for child in found if child.ppid() != os.getpid()], [c for c in found if c.ppid() == os.getpid()]


def _speaks(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "tenantry.channels.livekit_voice.speech" in process.cmdline()
    return False


OUTSIDE = "callers and their speech, not the product"


def roles(world: VoiceWorld, worker: Worker) -> dict[str, list[psutil.Process]]:
    """All processes by what they do."""
    main, (in_a_call, waiting) = psutil.Process(worker.pid), call_processes(worker)
    ours, theirs = speech_servers()
    server, *children = world.server.tree()
    below = [child for child in main.children(recursive=True) if child not in (*in_a_call, *ours)]
    return {
        "call processes": in_a_call,
        "speech server": ours,
        "worker, its main process": [main, *(child for child in below if child not in waiting)],
        "LiveKit": [psutil.Process(world.livekit.pid)],
        "tenantry": [server],
        "PostgreSQL": [child for child in children if child.name() == "postgres"],
        OUTSIDE: [psutil.Process(world.callers.pid), *theirs],
    }


class CpuMeter:
    """The CPU seconds that each role takes from now on."""

    def __init__(self, measured: Mapping[str, Sequence[psutil.Process]]) -> None:
        self._measured = measured
        self._before = self._now()

    def taken(self) -> dict[str, float]:
        """Seconds since it was made."""
        return {role: now - self._before[role] for role, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {role: sum(map(_cpu_seconds, processes)) for role, processes in self._measured.items()}


def _cpu_seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return cpu_seconds(process)
    return 0.0
