"""The client of the speech server, light enough for every call process."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tenantry.channels.livekit_voice.speech import wire
from tenantry.domain.errors import InvalidInput, SpeechBusy, SpeechUnavailable, TenantryError

_POLL_S = 0.05
_MAX_PIECE = 60 * wire.OUT_RATE * wire.SAMPLE_BYTES


class SpeechClient:
    """Speaks to the server at `path`, by a connection for each request.

    A server that is being started again is waited for, for `patience_s` seconds.
    """

    def __init__(self, path: Path, *, patience_s: float = 5.0) -> None:
        self._path = path
        self._patience_s = patience_s
        self._name = uuid.uuid4().hex

    async def transcribe(self, pcm16: bytes, *, language: str = "en") -> str:
        """The words in 16-bit mono PCM at 16,000 Hz, at most 60 s; empty where nobody speaks.

        Raises InvalidInput, SpeechBusy, SpeechUnavailable.
        """
        asked = {"do": "transcribe", "client": self._name, "language": language}
        async with self._asking(wire.message(asked, pcm16)) as reader:
            return str(_checked(await wire.read_head(reader))["text"])

    async def synthesize(
        self, text: str, *, voice: str = wire.DEFAULT_VOICE, speed: float = 1.0
    ) -> AsyncGenerator[bytes]:
        """16-bit mono PCM at 24,000 Hz of at most 2,000 characters, in pieces as they are ready; closing it cancels.

        Nothing where there is nothing to say. Raises InvalidInput, SpeechBusy, SpeechUnavailable.
        """
        asked = {"do": "synthesize", "client": self._name, "text": text, "voice": voice, "speed": speed}
        async with self._asking(wire.message(asked)) as reader:
            while "done" not in (head := _checked(await wire.read_head(reader))):
                yield await wire.read_body(reader, head, _MAX_PIECE)

    @asynccontextmanager
    async def _asking(self, request: bytes) -> AsyncGenerator[asyncio.StreamReader]:
        writer = None
        try:
            reader, writer = await self._connected()
            writer.write(request)
            yield reader
        except (EOFError, OSError) as error:
            raise SpeechUnavailable from error
        finally:
            if writer is not None:
                writer.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection, waiting a little for a server that is being started again. Raises OSError."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._patience_s
        while True:
            try:
                return await asyncio.open_unix_connection(self._path, limit=wire.MAX_HEAD)
            except OSError:
                if clock() >= until:
                    raise
                await asyncio.sleep(_POLL_S)


def _checked(head: wire.Head) -> wire.Head:
    if "error" in head:
        raise _ERRORS.get(head["error"], SpeechUnavailable)(str(head["message"]))
    return head


_ERRORS: dict[str, type[TenantryError]] = {"invalid": InvalidInput, "busy": SpeechBusy}
