"""The recording of a call, caller left and agent right, left with the server piece by piece while the call goes on."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog
from livekit.agents import AgentSession
from livekit.agents.voice.recorder_io import RecorderIO

from tenantry.client.errors import ApiError

_RATE = 24_000  # Hz
_PIECE_BYTES = 128 * 1024
_PIECE_S = 5.0
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
# At some 12 KB a second, what a piece that is tried for so long keeps waiting fits in twice the bytes.
_TRYING_S = 30.0
_WAITING_BYTES = 256 * 1024

log = structlog.get_logger(__name__)


class Records(Protocol):
    """Where the pieces go: a CallSession."""

    async def record(self, part: int, audio: bytes) -> None: ...


class Recording:
    """LiveKit's recorder writes an Ogg file of Opus into a pipe, of which this reads: nothing of it is ever on a disk.
    What it cannot leave with the server ends the recording, never the call."""

    def __init__(self, server: Records, session: AgentSession[None]) -> None:
        self._server = server
        self._session = session
        self._recorder = RecorderIO(agent_session=session, sample_rate=_RATE)
        self._file = asyncio.StreamReader(_WAITING_BYTES)
        self._leaving: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._refused = False

    def attach(self) -> None:
        """Pass the sound of a session that has started through the recorder, which takes nothing of it yet."""
        hears, speaks = self._session.input.audio, self._session.output.audio
        if hears is not None and speaks is not None:
            self._session.input.audio = self._recorder.record_input(hears)
            self._session.output.audio = self._recorder.record_output(speaks)

    async def start(self) -> None:
        """Record from now on."""
        readable, writable = os.pipe()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._file), os.fdopen(readable, "rb", buffering=0)
        )
        self._writable = writable
        await self._recorder.start(output_path=Path(f"/dev/fd/{writable}"))
        self._leaving = asyncio.create_task(self._leave())

    async def finish(self, within_s: float) -> None:
        """End the file and leave the rest of it with the server, in at most so long."""
        if self._leaving is None:
            return
        ending = self._end()
        await asyncio.wait([self._leaving], timeout=within_s)
        if not self._leaving.done():
            self._leaving.cancel()
            await asyncio.gather(self._leaving, return_exceptions=True)
            self._refuse("timeout")
            await self._leave()
        await ending

    def _end(self) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = asyncio.create_task(self._close())
        return self._ending

    async def _close(self) -> None:
        await self._recorder.aclose()
        os.close(self._writable)

    async def _leave(self) -> None:
        """Leave pieces with the server until the file ends; once it does not take them, drop them, since the recorder
        waits for whoever reads."""
        part = 0
        while not self._file.at_eof():
            piece = await self._piece()
            if not piece or self._refused:
                continue
            try:
                async with asyncio.timeout(_TRYING_S):
                    await self._send(part, piece)
            except ApiError as error:
                self._refuse(error.code)
            except TimeoutError:
                self._refuse("timeout")
            part += 1

    async def _piece(self) -> bytes:
        piece = bytearray()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PIECE_S):
                while len(piece) < _PIECE_BYTES and (more := await self._file.read(_PIECE_BYTES - len(piece))):
                    piece += more
        return bytes(piece)

    async def _send(self, part: int, piece: bytes) -> None:
        for pause in _PAUSES_S:
            try:
                return await self._server.record(part, piece)
            except ApiError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(pause)
        return await self._server.record(part, piece)

    def _refuse(self, code: str) -> None:
        log.warning("recording_stopped", code=code)
        self._refused = True
        self._end()
