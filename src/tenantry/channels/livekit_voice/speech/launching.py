"""The speech server as a child of whoever needs one."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tenantry.channels.livekit_voice.kept_process import KeptProcess
from tenantry.domain.errors import SpeechUnavailable

_READY_S = 60.0  # loading takes two seconds on an idle machine
_POLL_S = 0.05
_SOCKET_PATH_LIMIT = 103  # bytes, on macOS; 107 on Linux


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
    child = KeptProcess(__package__ or "", ("--socket", str(path), "--until-stdin-closes"))
    keeping = asyncio.create_task(child.keep())
    try:
        await _ready(path)
        yield path
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _ready(path: Path) -> None:
    # Not the child's own word: another process may be the one that serves here.
    try:
        async with asyncio.timeout(_READY_S):
            while not await _listens(path):  # noqa: ASYNC110
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
