"""The local text to speech as LiveKit Agents wants it."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Literal

from livekit.agents import APIConnectionError, APIConnectOptions, APIError
from livekit.agents.tts import TTS, AudioEmitter, ChunkedStream, TTSCapabilities
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.wire import DEFAULT_VOICE, OUT_RATE, SAMPLE_BYTES
from tenantry.domain.errors import TenantryError

_SILENCE = bytes(OUT_RATE // 50 * SAMPLE_BYTES)  # 20 ms


class LocalTTS(TTS[Literal["metrics_collected"]]):
    """Speaks by the machine's speech server. A session gives it a streamed answer sentence by sentence."""

    def __init__(self, client: SpeechClient, *, voice: str = DEFAULT_VOICE, speed: float = 1.0) -> None:
        super().__init__(capabilities=TTSCapabilities(streaming=False), sample_rate=OUT_RATE, num_channels=1)
        self.client = client
        self.voice = voice
        self.speed = speed
        self._prepared: dict[str, _Prepared] = {}

    @property
    def model(self) -> str:
        return "hibari"

    @property
    def provider(self) -> str:
        return "local"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "LocalChunkedStream":
        return LocalChunkedStream(self, text, conn_options)

    def prepare(self, text: str) -> None:
        """Begin with a text that is to be spoken soon; what was prepared and is not spoken is dropped in `aclose`."""
        self._prepared[text] = _Prepared(self._asked(text))

    def spoken(self, text: str) -> AsyncIterator[bytes]:
        """What the speech server makes of the text, or made when it was prepared."""
        return self._prepared.pop(text, None) or self._asked(text)

    async def aclose(self) -> None:
        prepared, self._prepared = self._prepared, {}
        for each in prepared.values():
            await each.aclose()
        await super().aclose()

    def _asked(self, text: str) -> AsyncGenerator[bytes]:
        return self.client.synthesize(text, voice=self.voice, speed=self.speed)


class _Prepared:
    """The pieces of a text that are made before they are wanted; iterated once."""

    def __init__(self, spoken: AsyncGenerator[bytes]) -> None:
        self._pieces: asyncio.Queue[bytes | TenantryError | None] = asyncio.Queue()
        self._making = asyncio.create_task(self._make(spoken))

    async def _make(self, spoken: AsyncGenerator[bytes]) -> None:
        try:
            async for pcm in spoken:
                self._pieces.put_nowait(pcm)
            self._pieces.put_nowait(None)
        except TenantryError as error:
            self._pieces.put_nowait(error)

    def __aiter__(self) -> "_Prepared":
        return self

    async def __anext__(self) -> bytes:
        piece = await self._pieces.get()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, TenantryError):
            raise piece
        return piece

    async def aclose(self) -> None:
        self._making.cancel()
        await asyncio.gather(self._making, return_exceptions=True)


class LocalChunkedStream(ChunkedStream):
    """One text, spoken as its pieces are ready; closed, the rest of it is not made."""

    def __init__(self, tts: LocalTTS, text: str, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=tts, input_text=text, conn_options=conn_options)  # pyright: ignore[reportUnknownMemberType]
        self._local = tts

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=uuid.uuid4().hex, sample_rate=OUT_RATE, num_channels=1, mime_type="audio/pcm"
        )
        said = False
        try:
            async for pcm in self._local.spoken(self.input_text):
                output_emitter.push(pcm)
                said = True
        except TenantryError as error:
            raise api_error(error) from error
        if not said:
            # LiveKit takes a text without audio, such as an emoji, for a fault.
            output_emitter.push(_SILENCE)
        output_emitter.flush()


def api_error(error: TenantryError) -> APIError:
    """A speech client's error as the one by which LiveKit decides whether to try again."""
    if error.retryable:
        return APIConnectionError(error.detail)
    return APIError(error.detail, retryable=False)
