"""The local speech to text as LiveKit Agents wants it, recognising while the caller may still go on."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from livekit import rtc
from livekit.agents import APIConnectOptions, LanguageCode
from livekit.agents.stt import (
    STT,
    RecognizeStream,
    SpeechData,
    SpeechEvent,
    SpeechEventType,
    STTCapabilities,
)
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer, aio, is_given
from livekit.agents.vad import VAD, VADEvent, VADEventType, VADStream

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.livekit_tts import api_error
from tenantry.channels.livekit_voice.speech.wire import IN_RATE, MAX_AUDIO_BYTES, SAMPLE_BYTES
from tenantry.domain.errors import TenantryError

_PAUSE_S = 0.2  # after so much silence the caller may have ended, so what they said is recognised
_SETTLED_BYTES = 10 * IN_RATE * SAMPLE_BYTES  # what is longer is not recognised again at the next pause


class LocalSTT(STT[Literal["metrics_collected"]]):
    """Hears by the machine's speech server; `vad` says when somebody speaks."""

    def __init__(self, client: SpeechClient, *, vad: VAD, language: str = "en") -> None:
        super().__init__(capabilities=STTCapabilities(streaming=True, interim_results=True))
        self._client = client
        self._vad = vad
        self._language = LanguageCode(language)

    @property
    def model(self) -> str:
        return "moonshine-tiny"

    @property
    def provider(self) -> str:
        return "local"

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "Utterances":
        return Utterances(self, self._vad, conn_options)

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent:
        asked = language if is_given(language) else self._language
        pcm = _pcm(buffer)
        try:
            # What is longer than one request may be is cut wherever that is.
            texts = [
                await self._client.transcribe(pcm[at : at + MAX_AUDIO_BYTES], language=asked)
                for at in range(0, len(pcm), MAX_AUDIO_BYTES)
            ]
        except TenantryError as error:
            raise api_error(error) from error
        return self.event(SpeechEventType.FINAL_TRANSCRIPT, _joined(texts))

    def event(self, kind: SpeechEventType, text: str) -> SpeechEvent:
        """An event with one reading of what was said."""
        return SpeechEvent(kind, alternatives=[SpeechData(self._language, text)])


class Utterances(RecognizeStream):
    """Recognises what was said as soon as the caller pauses, and has it at hand when the VAD is sure that they ended.

    A caller who goes on makes the attempt void, except where it is long: then it is settled, and only what follows is
    recognised from there on.
    """

    def __init__(self, stt: LocalSTT, vad: VAD, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=stt, conn_options=conn_options, sample_rate=IN_RATE)  # pyright: ignore[reportUnknownMemberType]
        self._local = stt
        self._detector = vad
        self._attempts = conn_options
        self._begin()

    def _begin(self) -> None:
        self._heard = bytearray()  # since what is settled
        self._settled: list[asyncio.Task[str]] = []
        self._guess: asyncio.Task[str] | None = None  # of all of `_heard` but the silence since
        self._guessed_bytes = 0

    async def _run(self) -> None:
        detecting = self._detector.stream()
        forwarding = asyncio.create_task(self._forward(detecting))
        try:
            async for event in detecting:
                await self._on(event)
            await forwarding
        finally:
            await aio.cancel_and_wait(forwarding)
            await self._forget()
            await detecting.aclose()

    async def _forward(self, detecting: VADStream) -> None:
        async for given in self._input_ch:
            if isinstance(given, rtc.AudioFrame):
                detecting.push_frame(given)
            else:
                detecting.flush()
        detecting.end_input()

    async def _on(self, event: VADEvent) -> None:
        if event.type == VADEventType.START_OF_SPEECH:
            self._begin()
            self._heard += _pcm(event.frames)
            self._event_ch.send_nowait(SpeechEvent(SpeechEventType.START_OF_SPEECH))
        elif event.type == VADEventType.INFERENCE_DONE and event.speaking:
            self._heard += _pcm(event.frames)
            if event.raw_accumulated_silence >= _PAUSE_S:
                self._guess_once()
            elif event.raw_accumulated_silence == 0:
                await self._go_on()
        elif event.type == VADEventType.END_OF_SPEECH:
            ended = time.time() - event.silence_duration - event.inference_duration
            self._event_ch.send_nowait(SpeechEvent(SpeechEventType.END_OF_SPEECH, speech_end_time=ended))
            if text := await self._text():
                final = self._local.event(SpeechEventType.FINAL_TRANSCRIPT, text)
                self._event_ch.send_nowait(replace(final, speech_end_time=ended))
            await self._forget()

    def _guess_once(self) -> asyncio.Task[str]:
        if self._guess is None:
            self._guessed_bytes = len(self._heard)
            self._guess = asyncio.create_task(self._recognised(bytes(self._heard)))
            self._guess.add_done_callback(self._tell)
        return self._guess

    def _tell(self, guess: asyncio.Task[str]) -> None:
        """Tell the session what was probably all, for it to think about an answer."""
        parts = [*self._settled, guess]
        if guess is not self._guess or any(not part.done() or part.cancelled() or part.exception() for part in parts):
            return
        if (text := _joined(part.result() for part in parts)) and not self._event_ch.closed:
            self._event_ch.send_nowait(self._local.event(SpeechEventType.PREFLIGHT_TRANSCRIPT, text))

    async def _go_on(self) -> None:
        """The caller did not end: forget the guess, or settle it if it is long."""
        guess, self._guess = self._guess, None
        if guess is None:
            return
        if self._guessed_bytes < _SETTLED_BYTES:
            await aio.cancel_and_wait(guess)
            return
        self._settled.append(guess)
        del self._heard[: self._guessed_bytes]

    async def _text(self) -> str:
        """All that was said."""
        return _joined(await asyncio.gather(*self._settled, self._guess_once()))

    async def _recognised(self, pcm: bytes) -> str:
        frame = rtc.AudioFrame(pcm, IN_RATE, 1, len(pcm) // SAMPLE_BYTES)
        event = await self._local.recognize(frame, conn_options=self._attempts)
        return event.alternatives[0].text

    async def _forget(self) -> None:
        await aio.cancel_and_wait(*self._settled, *([self._guess] if self._guess else []))
        self._begin()


def _joined(texts: Iterable[str]) -> str:
    return " ".join(filter(None, texts))


def _pcm(buffer: AudioBuffer) -> bytes:
    """16-bit mono PCM at 16,000 Hz of one or more mono frames."""
    frames = buffer if isinstance(buffer, list) else [buffer]
    if frames and frames[0].sample_rate != IN_RATE:
        resampler = rtc.AudioResampler(frames[0].sample_rate, IN_RATE)
        frames = [made for frame in frames for made in resampler.push(frame)] + resampler.flush()
    return b"".join(bytes(frame.data) for frame in frames)
