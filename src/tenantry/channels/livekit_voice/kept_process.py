"""Child processes that are started again when they die."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 10.0
_STEADY_S = 30.0  # a process that lived as long begins with the first pause again
_END_S = 5.0
# Neither the database nor any key: what speaks and hears has the token of its call, and nothing else.
_ENVIRONMENT = (
    "PATH",
    "PYTHONPATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HIBARI_HOME",
    "XDG_CACHE_HOME",
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeptProcess:
    """A Python module that runs as a child, without this process' secrets in its environment.

    The child ends when its standard input does, so it does not outlive this process, and calls `ready_teller` first.
    `ready` is set from when it tells so until it ends.
    """

    module: str
    arguments: Sequence[str]
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self) -> None:
        """Run it until cancelled, with growing pauses between one that dies and the next."""
        clock = asyncio.get_running_loop().time
        pause = _FIRST_PAUSE_S
        while True:
            began = clock()
            try:
                status = await self._run_once()
            # A broad net on purpose: whoever waits for the child would wait for nothing.
            except Exception as error:
                log.error("child_not_started", module=self.module, exc_info=error)
            else:
                log.warning("child_ended", module=self.module, status=status, again_after_s=pause)
            if clock() - began >= _STEADY_S:
                pause = _FIRST_PAUSE_S
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE_S)

    async def _run_once(self) -> int:
        """Run it until it ends, and end it when cancelled. Returns its exit status."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self.module, *self.arguments),
            stdin=PIPE,
            stdout=PIPE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            # A ctrl-C is for this process, which ends its calls first. uvloop does not take `process_group`.
            start_new_session=True,
        )
        try:
            if child.stdout is not None and await child.stdout.readline() == b"ready\n":
                self.ready.set()
            return await child.wait()
        finally:
            self.ready.clear()
            await _end(child)


def ready_teller() -> Callable[[], None]:
    """At the start of such a child: what tells the parent that it is ready. From now on whatever is printed goes to
    standard error, also by processes that are made here: one that held our standard output would make the parent
    believe that we live."""
    parent = os.dup(1)
    os.dup2(2, 1)

    def tell() -> None:
        os.write(parent, b"ready\n")
        os.close(parent)

    return tell


async def _end(child: Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), _END_S)
    except TimeoutError:
        child.kill()
        await child.wait()
