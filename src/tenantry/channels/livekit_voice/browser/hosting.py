"""Starts the call host as a child of the server, once somebody may call, and again when it dies."""

import asyncio
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from tenantry.channels.livekit_voice.browser.pipe import Pipe
from tenantry.domain.errors import SpeechUnavailable

_READY_S = 120.0  # loading takes four seconds on an idle machine
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 10.0
_STEADY_S = 30.0  # a host that lived as long begins with the first pause again
_END_S = 5.0
# Neither the database nor any key: a call process has the token of its call, and nothing else.
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
class _Running:
    socket: Path
    keeping: asyncio.Task[None]


class CallHost:
    """The process in which call processes are made, once it is needed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: _Running | None = None
        self._ready = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether a call process is to be had at once."""
        return self._ready.is_set()

    def start(self) -> Path:
        """Where the host listens once it is ready; started, if it is not."""
        if self._running is None:
            path = Path(tempfile.mkdtemp(prefix="tenantry-calls-")) / "socket"
            self._running = _Running(path, asyncio.create_task(self._keep(path)))
        return self._running.socket

    async def connect(self) -> Pipe:
        """A pipe to a call process of its own. Raises SpeechUnavailable when none is to be had."""
        path = self.start()
        try:
            async with asyncio.timeout(_READY_S):
                while True:
                    await self._ready.wait()
                    try:
                        return await Pipe.connect(path)
                    except OSError:
                        # It died just now, and is started again.
                        await asyncio.sleep(_FIRST_PAUSE_S)
        except TimeoutError as error:
            raise SpeechUnavailable("The call host did not get ready; its messages in the log say why.") from error

    async def close(self) -> None:
        """End the host, and with it every call process."""
        running, self._running = self._running, None
        if running is not None:
            running.keeping.cancel()
            with suppress(asyncio.CancelledError):
                await running.keeping
            shutil.rmtree(running.socket.parent, ignore_errors=True)

    async def _keep(self, path: Path) -> None:
        """Run the host for ever, with growing pauses between one that dies and the next."""
        clock = asyncio.get_running_loop().time
        pause = _FIRST_PAUSE_S
        while True:
            began = clock()
            status = await self._run_once(path)
            if clock() - began >= _STEADY_S:
                pause = _FIRST_PAUSE_S
            log.warning("call_host_ended", status=status, again_after_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE_S)

    async def _run_once(self, path: Path) -> int:
        """Run the host until it ends, and end it when cancelled. Returns its exit status."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.host", "--socket", str(path), "--home", str(self._home)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            # A ctrl-C is for the server, which ends its calls first. uvloop does not take `process_group`.
            start_new_session=True,
        )
        try:
            if child.stdout is not None and await child.stdout.readline() == b"ready\n":
                self._ready.set()
            return await child.wait()
        finally:
            self._ready.clear()
            if child.returncode is None:
                child.terminate()
                try:
                    await asyncio.wait_for(child.wait(), _END_S)
                except TimeoutError:
                    child.kill()
                    await child.wait()
