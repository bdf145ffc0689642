"""Starts the speech server as a child, and again when it dies."""

import asyncio
import hashlib
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from tenantry.domain.errors import SpeechUnavailable

_READY_S = 60.0  # loading takes two seconds on an idle machine
_POLL_S = 0.05
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 10.0
_STEADY_S = 30.0  # a server that lived as long begins with the first pause again
_END_S = 5.0
_SOCKET_PATH_LIMIT = 103  # bytes, on macOS; 107 on Linux
# The server needs no key of anyone's, so it gets none.
_ENVIRONMENT = (
    "PATH",
    "PYTHONPATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "HIBARI_HOME",
    "XDG_CACHE_HOME",
)

log = structlog.get_logger(__name__)


def socket_path(home: Path) -> Path:
    """Where the speech server of a home listens: in the system's temporary folder if the home's path is too long."""
    path = home / "speech" / "socket"
    if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tenantry-speech-{digest}" / "socket"


@asynccontextmanager
async def speech_server(home: Path) -> AsyncGenerator[Path]:
    """A speech server for the block, as a child process; yields the path for `SpeechClient` once it is ready.

    It is started again when it dies. Where another process runs one for the same home, that one is used, and this
    child takes over when it ends. Raises SpeechUnavailable when none is ready within a minute.
    """
    path = socket_path(home)
    keeping = asyncio.create_task(_keep(path))
    try:
        await _ready(path, keeping)
        yield path
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _ready(path: Path, keeping: asyncio.Task[None]) -> None:
    try:
        async with asyncio.timeout(_READY_S):
            while not await _listens(path):
                if keeping.done():
                    keeping.result()
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise SpeechUnavailable("The speech server did not get ready; its messages in the log say why.") from error


async def _listens(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.transport.abort()
    return True


async def _keep(path: Path) -> None:
    """Run the server for ever, with growing pauses between one that dies and the next."""
    clock = asyncio.get_running_loop().time
    pause = _FIRST_PAUSE_S
    while True:
        began = clock()
        status = await _run_once(path)
        if clock() - began >= _STEADY_S:
            pause = _FIRST_PAUSE_S
        log.warning("speech_server_ended", status=status, again_after_s=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LAST_PAUSE_S)


async def _run_once(path: Path) -> int:
    """Run the server until it ends, and end it when cancelled. Returns its exit status."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __package__ or "", "--socket", str(path), "--until-stdin-closes"),
        stdin=asyncio.subprocess.PIPE,
        # A terminal's ctrl-C is for the parent, which may have calls to finish.
        start_new_session=True,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )
    try:
        return await child.wait()
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), _END_S)
            except TimeoutError:
                child.kill()
                await child.wait()
