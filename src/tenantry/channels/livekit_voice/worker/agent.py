"""The session of a call: LiveKit's own, but for who thinks, which is the server by its turns."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, NoReturn, Protocol

from livekit import rtc
from livekit.agents import Agent, AgentSession, FlushSentinel, ModelSettings, TurnHandlingOptions, llm, vad

from tenantry.channels.livekit_voice.worker.engines import Speech
from tenantry.domain.speakable import SpeakableStream
from tenantry.domain.voice import Voice

# After the agent's first words begin: until then an echo canceller does not know the caller's loudspeaker yet.
_ECHO_S = 0.7
_VAD_SILENCE_S = 0.25


class Answers(Protocol):
    """Who answers what the caller said."""

    def answer(self, heard: llm.ChatContext) -> AsyncGenerator[str]: ...


class TurnAgent(Agent):
    """Answers by turns of the server, and says what is written in words that a voice can speak; transcripts stay as
    it is written."""

    def __init__(self, answers: Answers, speech: Speech, language: str) -> None:
        super().__init__(instructions="")  # pyright: ignore[reportUnknownMemberType]
        self._answers = answers
        self._speech = speech
        self._language = language

    def prepare(self, text: str) -> None:
        """The text will be said as soon as the session has begun."""
        stream = SpeakableStream(self._language)
        self._speech.prepare(stream.feed(text) or stream.flush())

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[llm.ChatChunk | str | FlushSentinel]:
        async for piece in self._answers.answer(chat_ctx):
            yield piece

    async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncGenerator[rtc.AudioFrame]:
        sentences = self._speakable(text)
        engine = self._speech.synthesis
        if engine.capabilities.streaming:
            async for frame in Agent.default.tts_node(self, sentences, model_settings):
                yield frame
            return
        # LiveKit's own adapter would hold a sentence back until it has seen some of the next.
        async for sentence in sentences:
            async with engine.synthesize(sentence) as spoken:
                async for piece in spoken:
                    yield piece.frame

    async def _speakable(self, text: AsyncIterable[str]) -> AsyncGenerator[str]:
        stream = SpeakableStream(self._language)
        async for piece in text:
            if words := stream.feed(piece):
                yield words
        if words := stream.flush():
            yield words


def make_session(voice: Voice, speech: Speech, vad: vad.VAD) -> AgentSession[None]:
    """The session of one call, not started yet."""
    turns: TurnHandlingOptions = {
        "turn_detection": "vad",
        "endpointing": {"mode": "fixed", "min_delay": voice.pause_ms / 1000, "max_delay": voice.pause_ms / 1000},
        "interruption": {"enabled": voice.interruptible, "mode": "vad"},
        # It would send unfinished speech as a turn, and our turns book appointments.
        "preemptive_generation": {"enabled": False},
    }
    return AgentSession(
        stt=speech.recognition,
        tts=speech.synthesis,
        vad=vad,
        llm=_NoModel(),
        turn_handling=turns,
        user_away_timeout=None,
        aec_warmup_duration=_ECHO_S,
        # The agent makes text speakable by itself.
        tts_text_transforms=None,
        session_close_transcript_timeout=0.1,
    )


def vad_silence(voice: Voice) -> float:
    """The seconds of silence after which the voice activity detector takes speech for ended."""
    return min(_VAD_SILENCE_S, voice.pause_ms / 1000)


class _NoModel(llm.LLM[Any]):
    """A session without a model takes no turns; this one is never asked."""

    def chat(self, **_: Any) -> NoReturn:
        raise NotImplementedError
