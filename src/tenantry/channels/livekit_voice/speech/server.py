"""The speech server: one process that hears and speaks for every call on the machine.

It listens on a Unix socket that only its user can open (`wire.py` says what is spoken there), holds each model once,
and keeps and logs neither audio nor text.
"""

import asyncio
import fcntl
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from tenantry.channels.livekit_voice.speech import wire
from tenantry.channels.livekit_voice.speech.pieces import pieces
from tenantry.channels.livekit_voice.speech.turns import FairThreads, QueueFull

if TYPE_CHECKING:
    from tenantry.channels.livekit_voice.speech.hibari import Voices
    from tenantry.channels.livekit_voice.speech.moonshine import Moonshine

_REQUEST_S = 10.0  # a request that is not there by then is not waited for
_SEND_S = 30.0  # a client that has not taken a piece of its answer by then is left
_DISCARDED = 64 * 1024  # bytes at once
_BUSY = "Too much speech waits on this machine; ask again in a moment."
_FAILED = "The speech engine failed; ask again, and if it fails again, restart this process."

log = structlog.get_logger(__name__)


async def run_speech_server(path: Path, tell_ready: Callable[[], None]) -> None:
    """Serve on the Unix socket `path` until SIGTERM or SIGINT; `tell_ready` is called once it does.

    Its folder is made private. While another process serves on the same path this one waits, with no models loaded,
    to take over. The socket takes connections once both models are warm.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    ended = asyncio.Event()
    with _sole_server(path.with_suffix(".lock")):
        server = SpeechServer.load()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        with _private_socket(path) as listening:
            serving = await asyncio.start_unix_server(server.handle, sock=listening, limit=wire.MAX_HEAD)
            tell_ready()
            await ended.wait()
            serving.close()
        server.close()


@contextmanager
def _sole_server(lock: Path) -> Generator[None]:
    """Wait for the lock of the socket, and hold it."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def _private_socket(path: Path) -> Generator[socket.socket]:
    """A bound Unix socket that only its user can connect to."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        path.chmod(0o600)
        yield bound
    path.unlink(missing_ok=True)


class SpeechServer:
    """The models, and the threads they work on."""

    def __init__(self, ear: "Moonshine", voices: "Voices") -> None:
        self._ear = ear
        self._voices = voices
        # A request has one thread, and two of either kind are what two cores can do.
        self._hearing = FairThreads("ear", threads=2, per_client=16, in_all=64)
        self._speaking = FairThreads("voice", threads=2, per_client=16, in_all=64)

    @classmethod
    def load(cls) -> "SpeechServer":
        """Both models, warm."""
        # Not above, so that a server that only waits for another's end holds no libraries of models.
        from tenantry.channels.livekit_voice.speech import models

        return cls(*models.load())

    def close(self) -> None:
        """Begin nothing more."""
        self._hearing.close()
        self._speaking.close()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection; the work ends when its client has gone."""
        try:
            try:
                async with asyncio.timeout(_REQUEST_S):
                    head = await wire.read_head(reader)
                    body = await wire.read_body(reader, head, wire.MAX_AUDIO_BYTES)
                await _while_connected(reader, self._answer(head, body, writer))
            except wire.Refused as error:
                await _send(writer, wire.message({"error": "invalid", "message": str(error)}))
                # Closed at once, the client would lose the answer together with what it still sends.
                async with asyncio.timeout(_REQUEST_S):
                    while await reader.read(_DISCARDED):
                        pass
            except QueueFull:
                await _send(writer, wire.message({"error": "busy", "message": _BUSY}))
            await _send(writer, b"", all_of_it=True)
        except (EOFError, ConnectionError, TimeoutError):
            pass
        except Exception as error:
            # Without the error's message: an engine's may hold what was said.
            log.error("speech_failed", error=type(error).__name__)
            with suppress(ConnectionError, TimeoutError):
                await _send(writer, wire.message({"error": "failed", "message": _FAILED}), all_of_it=True)
        finally:
            writer.transport.abort()

    async def _answer(self, head: wire.Head, body: bytes, writer: asyncio.StreamWriter) -> None:
        match head.get("do"):
            case "transcribe":
                await _send(writer, wire.message(await self._transcribe(head, body)))
            case "synthesize":
                async for pcm in self._synthesize(head):
                    await _send(writer, wire.message({}, pcm))
                await _send(writer, wire.message({"done": True}))
            case _:
                raise wire.Refused("A request is `transcribe` or `synthesize`.")

    async def _transcribe(self, head: wire.Head, pcm: bytes) -> wire.Head:
        if str(head.get("language")).split("-")[0].lower() != "en":
            raise wire.Refused("The local model understands English only; give the agent another speech engine.")
        if len(pcm) % wire.SAMPLE_BYTES:
            raise wire.Refused("The audio is 16-bit PCM, which has two bytes for a sample.")
        began = time.perf_counter()
        text = await self._hearing.run(str(head.get("client")), partial(self._ear.hear, pcm))
        return {"text": text, "ms": round((time.perf_counter() - began) * 1000)}

    async def _synthesize(self, head: wire.Head) -> AsyncIterator[bytes]:
        text, speed = head.get("text"), head.get("speed", 1.0)
        if not isinstance(text, str) or len(text) > wire.MAX_TEXT:
            raise wire.Refused(f"The text has at most {wire.MAX_TEXT} characters; send it sentence by sentence.")
        if not isinstance(speed, int | float) or not wire.MIN_SPEED <= speed <= wire.MAX_SPEED:
            raise wire.Refused(f"The speed is between {wire.MIN_SPEED} and {wire.MAX_SPEED}.")
        voice = str(head.get("voice"))
        for piece in pieces(text):
            work = partial(self._voices.say, piece, voice, float(speed))
            if pcm := await self._speaking.run(str(head.get("client")), work):
                yield pcm


async def _while_connected(reader: asyncio.StreamReader, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, unless the client closes or sends more than its one request, which cancels it."""
    working, gone = asyncio.create_task(work), asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise EOFError
        await working
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, data: bytes, *, all_of_it: bool = False) -> None:
    """Send, and wait until the client has taken nearly all of it. Raises TimeoutError where it does not."""
    if all_of_it:
        writer.transport.set_write_buffer_limits(0)
    writer.write(data)
    async with asyncio.timeout(_SEND_S):
        await writer.drain()
