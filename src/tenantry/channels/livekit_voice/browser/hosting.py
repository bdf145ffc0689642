"""Starts the call host as a child of the server, once somebody may call, and again when it dies."""

import asyncio
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tenantry.channels.livekit_voice.browser.pipe import Pipe
from tenantry.channels.livekit_voice.kept_process import KeptProcess
from tenantry.domain.errors import SpeechUnavailable

_READY_S = 120.0  # loading takes four seconds on an idle machine
_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class _Running:
    socket: Path
    child: KeptProcess
    keeping: asyncio.Task[None]


class CallHost:
    """The process in which call processes are made, once it is needed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: _Running | None = None

    @property
    def ready(self) -> bool:
        """Whether a call process is to be had at once."""
        return self._running is not None and self._running.child.ready.is_set()

    def start(self) -> None:
        """Have it started; waits for nothing."""
        self._started()

    async def connect(self) -> Pipe:
        """A pipe to a call process of its own. Raises SpeechUnavailable when none is to be had."""
        running = self._started()
        try:
            async with asyncio.timeout(_READY_S):
                while True:
                    await running.child.ready.wait()
                    try:
                        return await Pipe.connect(running.socket)
                    except OSError:
                        # It died just now, and is started again.
                        await asyncio.sleep(_AGAIN_S)
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

    def _started(self) -> _Running:
        if self._running is None:
            path = Path(tempfile.mkdtemp(prefix="tenantry-calls-")) / "socket"
            child = KeptProcess(f"{__package__}.host", ("--socket", str(path), "--home", str(self._home)))
            self._running = _Running(path, child, asyncio.create_task(child.keep()))
        return self._running
