"""The local speech engines behind LiveKit's interfaces."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.agents.stt import SpeechEvent, SpeechEventType
from livekit.plugins import silero

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.launching import speech_server
from tenantry.channels.livekit_voice.speech.livekit_stt import LocalSTT, Utterances
from tenantry.channels.livekit_voice.speech.livekit_tts import LocalTTS
from tenantry.domain.errors import SpeechUnavailable
from tests.conftest import new_home
from tests.speech import spoken, word_errors

_RATE = 16_000
_SAID = "I would like to book an appointment on Tuesday morning."
_MORE = "Can you tell me the price of a new kitchen?"


@pytest.fixture(scope="module")
async def speech_path() -> AsyncIterator[Path]:
    with new_home() as home:
        async with speech_server(home) as path:
            yield path


@pytest.fixture(scope="module")
def speech(speech_path: Path) -> SpeechClient:
    return SpeechClient(speech_path, patience_s=30)


@pytest.fixture(scope="module")
def stt(speech: SpeechClient) -> LocalSTT:
    return LocalSTT(speech, vad=silero.VAD.load())


def _frame(pcm: bytes) -> rtc.AudioFrame:
    return rtc.AudioFrame(pcm, _RATE, 1, len(pcm) // 2)


def _silence(seconds: float) -> bytes:
    return bytes(int(seconds * _RATE) * 2)


async def _events(stream: Utterances, pcm: bytes) -> list[SpeechEvent]:
    """What the stream tells of audio that comes as fast as it can be taken."""
    stream.push_frame(_frame(pcm))
    stream.end_input()
    return [event async for event in stream]


def _final(events: list[SpeechEvent]) -> list[str]:
    return [event.alternatives[0].text for event in events if event.type == SpeechEventType.FINAL_TRANSCRIPT]


async def test_an_utterance_begins_ends_and_has_its_words(stt: LocalSTT, speech: SpeechClient) -> None:
    events = await _events(stt.stream(), _silence(0.3) + await spoken(speech, _SAID) + _silence(1))
    kinds = [event.type for event in events if event.type != SpeechEventType.PREFLIGHT_TRANSCRIPT]
    assert kinds == [
        SpeechEventType.START_OF_SPEECH,
        SpeechEventType.END_OF_SPEECH,
        SpeechEventType.FINAL_TRANSCRIPT,
    ]
    assert word_errors(_SAID, _final(events)[0]) <= 0.1


async def test_words_are_there_before_the_end_is_sure(stt: LocalSTT, speech: SpeechClient) -> None:
    stream = stt.stream()
    stream.push_frame(_frame(await spoken(speech, _SAID) + _silence(0.3)))
    async with asyncio.timeout(10):
        event = await anext(event async for event in stream if event.type == SpeechEventType.PREFLIGHT_TRANSCRIPT)
    assert word_errors(_SAID, event.alternatives[0].text) <= 0.1
    await stream.aclose()


async def test_a_caller_who_goes_on_after_a_pause_is_heard_whole(stt: LocalSTT, speech: SpeechClient) -> None:
    first, second = await spoken(speech, _SAID), await spoken(speech, _MORE)
    events = await _events(stt.stream(), first + _silence(0.1) + second + _silence(1))
    assert word_errors(f"{_SAID} {_MORE}", " ".join(_final(events))) <= 0.1


async def test_a_long_utterance_is_heard_whole(stt: LocalSTT, speech: SpeechClient) -> None:
    part = await spoken(speech, _SAID) + _silence(0.1) + await spoken(speech, _MORE) + _silence(0.1)
    events = await _events(stt.stream(), part * 4 + _silence(1))
    assert word_errors(f"{_SAID} {_MORE} " * 4, " ".join(_final(events))) <= 0.1


async def test_two_utterances_are_two(stt: LocalSTT, speech: SpeechClient) -> None:
    first, second = await spoken(speech, _SAID), await spoken(speech, _MORE)
    events = await _events(stt.stream(), first + _silence(1.5) + second + _silence(1.5))
    heard = _final(events)
    assert [word_errors(said, text) <= 0.2 for said, text in zip((_SAID, _MORE), heard, strict=True)] == [True, True]


async def test_silence_is_no_utterance(stt: LocalSTT) -> None:
    assert await _events(stt.stream(), _silence(3)) == []


async def test_a_text_is_spoken(speech: SpeechClient) -> None:
    async with LocalTTS(speech).synthesize(_SAID) as stream:
        frames = [event.frame async for event in stream]
    assert {frame.sample_rate for frame in frames} == {24_000}
    whole = rtc.combine_audio_frames(frames)
    heard = await LocalSTT(speech, vad=silero.VAD.load()).recognize(whole)
    assert word_errors(_SAID, heard.alternatives[0].text) <= 0.1


async def test_an_emoji_is_spoken_as_silence(speech: SpeechClient) -> None:
    async with LocalTTS(speech).synthesize("😀") as stream:
        assert sum([event.frame.duration async for event in stream]) < 0.1


class _Counted(SpeechClient):
    """Notes what is asked of the speech server."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, patience_s=0)
        self.asked: list[str] = []

    def synthesize(self, text: str, **how: Any) -> AsyncGenerator[bytes]:
        self.asked.append(text)
        return super().synthesize(text, **how)


async def test_a_text_that_was_prepared_is_made_once_and_what_failed_is_asked_for_again(speech_path: Path) -> None:
    there, away = _Counted(speech_path), _Counted(speech_path.with_name("nobody"))
    tts = LocalTTS(there)
    tts.prepare(_SAID)
    assert [pcm async for pcm in tts.spoken(_SAID)]
    assert there.asked == [_SAID]
    assert [pcm async for pcm in tts.spoken(_SAID)]
    assert there.asked == [_SAID] * 2
    unlucky = LocalTTS(away)
    unlucky.prepare(_SAID)
    for _ in range(2):
        with pytest.raises(SpeechUnavailable):
            await anext(aiter(unlucky.spoken(_SAID)))
    assert away.asked == [_SAID] * 2


async def test_what_was_prepared_and_is_not_spoken_is_not_made(speech_path: Path) -> None:
    tts = LocalTTS(_Counted(speech_path))
    before = asyncio.all_tasks()
    tts.prepare(_SAID)
    assert asyncio.all_tasks() != before
    await tts.aclose()
    assert asyncio.all_tasks() == before
