"""Threads that are shared fairly: clients take turns, however much one of them asks for."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class QueueFull(Exception):
    """Too much is waiting; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], Any]
    result: asyncio.Future[Any]


class FairThreads:
    """`threads` threads; of the work that waits, each client's oldest is done in turn.

    At most `per_client` jobs of one client wait, and `in_all` of all.
    """

    def __init__(self, name: str, *, threads: int, per_client: int, in_all: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._idle = threads
        self._per_client = per_client
        self._in_all = in_all
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, client: str, work: Callable[[], T]) -> T:
        """The outcome of `work` on one of the threads. Cancelled, it is not begun any more.

        Raises QueueFull at once, and what `work` raises.
        """
        queue = self._waiting.setdefault(client, deque())
        if len(queue) >= self._per_client or sum(map(len, self._waiting.values())) >= self._in_all:
            raise QueueFull
        job = _Job(work, asyncio.get_running_loop().create_future())
        queue.append(job)
        self._begin()
        try:
            return await job.result
        finally:
            if job in queue:
                queue.remove(job)
                self._forget_if_empty(client)

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while self._idle and self._waiting:
            client, queue = next(iter(self._waiting.items()))
            job = queue.popleft()
            self._waiting.move_to_end(client)
            self._forget_if_empty(client)
            self._idle -= 1
            task = asyncio.create_task(self._do(job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _forget_if_empty(self, client: str) -> None:
        if not self._waiting.get(client, True):
            del self._waiting[client]

    async def _do(self, job: _Job) -> None:
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(self._executor, job.work)
            if not job.result.done():
                job.result.set_result(outcome)
        except Exception as error:
            if not job.result.done():
                job.result.set_exception(error)
        finally:
            self._idle += 1
            self._begin()
