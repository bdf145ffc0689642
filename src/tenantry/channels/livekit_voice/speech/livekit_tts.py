"""The local text to speech as LiveKit Agents wants it."""

import uuid
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
            spoken = self._local.client.synthesize(self.input_text, voice=self._local.voice, speed=self._local.speed)
            async for pcm in spoken:
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
