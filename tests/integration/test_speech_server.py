"""The speech server with its real models: it hears and says the right words for many, and never stands in the way."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tenantry.channels.livekit_voice.speech import wire
from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.launching import socket_path, speech_server
from tenantry.domain.errors import InvalidInput, SpeechBusy, SpeechUnavailable
from tests.conftest import new_home
from tests.speech import spoken, word_errors

_PROGRAM = "tenantry.channels.livekit_voice.speech"
_SENTENCES = (
    "I would like to book an appointment on Tuesday morning.",
    "Can you tell me the price of a new kitchen?",
    "My father wants to sell his house in the summer.",
    "Please move the meeting to Friday afternoon.",
    "What time do you open tomorrow morning?",
)


@pytest.fixture(scope="module")
async def path() -> AsyncIterator[Path]:
    """The socket of a speech server of this file."""
    with new_home() as home:
        async with speech_server(home) as path:
            yield path


@pytest.fixture
def speech(path: Path) -> SpeechClient:
    return SpeechClient(path)


async def test_what_is_said_is_heard(speech: SpeechClient) -> None:
    for sentence in _SENTENCES:
        heard = await speech.transcribe(await spoken(speech, sentence))
        assert word_errors(sentence, heard) <= 0.1, heard


async def test_twenty_at_once_each_get_their_own_words(speech: SpeechClient, path: Path) -> None:
    said = [await spoken(speech, sentence) for sentence in _SENTENCES]
    heard = await asyncio.gather(*(SpeechClient(path).transcribe(said[n % 5]) for n in range(20)))
    alone = [await speech.transcribe(pcm) for pcm in said]
    assert all(word_errors(alone[n % 5], text) <= 0.1 for n, text in enumerate(heard)), heard


@pytest.mark.parametrize("seconds", [0, 0.01, 3])
async def test_nothing_is_heard_in_silence(speech: SpeechClient, seconds: float) -> None:
    assert await speech.transcribe(bytes(2 * int(seconds * wire.IN_RATE))) == ""


@pytest.mark.parametrize("loudness", [30, 300, 3000])
async def test_nothing_is_heard_in_noise(speech: SpeechClient, loudness: int) -> None:
    noise = np.random.default_rng(7).normal(0, loudness, 4 * wire.IN_RATE).astype("<i2").tobytes()
    assert await speech.transcribe(noise) == ""


async def test_nothing_is_added_to_words_by_the_noise_after_them(speech: SpeechClient) -> None:
    noise = np.random.default_rng(7).normal(0, 300, 4 * wire.IN_RATE).astype("<i2").tobytes()
    heard = await speech.transcribe(await spoken(speech, "Good morning, how are you?") + noise)
    assert word_errors("good morning how are you", heard) == 0, heard


async def test_a_long_text_is_heard_from_its_first_piece_on(speech: SpeechClient) -> None:
    sizes = [len(piece) async for piece in speech.synthesize("This is the first sentence. " * 10)]
    assert len(sizes) == 10
    assert min(sizes) > wire.OUT_RATE


async def test_nobody_waits_for_silence(speech: SpeechClient) -> None:
    """At most 0.1 s before the first sound of each piece, and 0.4 s, which is a pause, behind its last."""
    async for piece in speech.synthesize("Hello. This is the second sentence, and it is long. How are you?"):
        loudness = np.abs(np.frombuffer(piece, "<i2").astype(np.int32))
        audible = np.flatnonzero(loudness > 300) / wire.OUT_RATE
        assert audible[0] < 0.1
        assert len(loudness) / wire.OUT_RATE - audible[-1] < 0.4


@pytest.mark.parametrize(
    "text", ["", " \n ", "😀🎉", "日本語です。", "…", "\0\ufffd\ud800", "a" * 2000, "x " * 200, "١٢٣ naïve €5"]
)
async def test_any_text_can_be_said(speech: SpeechClient, text: str) -> None:
    sizes = [len(piece) async for piece in speech.synthesize(text)]
    # No more at once than can be held: half a minute of speech.
    assert all(size <= 30 * wire.OUT_RATE * 2 for size in sizes)


async def test_a_faster_voice_takes_less_time(speech: SpeechClient) -> None:
    async def length(speed: float) -> int:
        return sum([len(piece) async for piece in speech.synthesize(_SENTENCES[0], speed=speed)])

    assert await length(1.5) < await length(1.0) < await length(0.7)


async def test_what_is_not_wanted_any_more_is_not_made(speech: SpeechClient, path: Path) -> None:
    said = speech.synthesize("This is a sentence that takes a moment to be made. " * 39)
    await anext(said)
    await said.aclose()
    one = await asyncio.wait_for(anext(SpeechClient(path).synthesize("Hello.")), 5)
    assert one
    server = _server_of(path)
    before = sum(server.cpu_times()[:2])
    assert await speech.transcribe(b"") == ""
    # All 39 sentences take more than a second of a core.
    assert sum(server.cpu_times()[:2]) - before < 0.5


async def test_a_client_with_much_to_say_does_not_keep_the_others_waiting(speech: SpeechClient, path: Path) -> None:
    pcm = await spoken(speech, _SENTENCES[0])
    order: list[str] = []

    async def ask(client: SpeechClient, name: str) -> None:
        await client.transcribe(pcm)
        order.append(name)

    greedy = SpeechClient(path)
    many = [asyncio.create_task(ask(greedy, "greedy")) for _ in range(8)]
    while not order:
        await asyncio.sleep(0)
    await ask(speech, "modest")
    # Of nine, and two are heard at once.
    assert order.index("modest") <= 5, order
    await asyncio.gather(*many)


async def test_more_than_can_wait_is_refused_at_once(speech: SpeechClient) -> None:
    pcm = await spoken(speech, "Hello.")
    answers = await asyncio.gather(*(speech.transcribe(pcm) for _ in range(24)), return_exceptions=True)
    busy = [answer for answer in answers if isinstance(answer, SpeechBusy)]
    assert 1 <= len(busy) < 24 and busy[0].retryable
    assert all(isinstance(answer, str | SpeechBusy) for answer in answers)


async def test_limits_are_told(speech: SpeechClient) -> None:
    with pytest.raises(InvalidInput, match="1920000 bytes"):
        await speech.transcribe(bytes(wire.MAX_AUDIO_BYTES + 2))
    with pytest.raises(InvalidInput, match="16-bit"):
        await speech.transcribe(b"\0")
    with pytest.raises(InvalidInput, match="English only"):
        await speech.transcribe(b"", language="de")
    for asked in ({"text": "x" * 2001}, {"text": "x", "speed": 9.0}, {"text": "x", "voice": "nobody"}):
        with pytest.raises(InvalidInput):
            await anext(speech.synthesize(**asked))  # pyright: ignore[reportArgumentType]


async def test_a_client_that_does_not_speak_the_language_is_told(path: Path) -> None:
    for request in (b"GET / HTTP/1.1\r\n", b"[]\n", b'{"do": "sing"}\n', b"x" * 100_000 + b"\n"):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(request)
        assert (await wire.read_head(reader))["error"] == "invalid"
        writer.close()


async def test_a_client_that_takes_nothing_stands_in_nobodys_way(speech: SpeechClient, path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    asked = {"do": "synthesize", "client": "slow", "text": "A long story. " * 140, "voice": "heart", "speed": 1.0}
    writer.write(wire.message(asked))
    assert await asyncio.wait_for(anext(speech.synthesize("Hello.")), 5)
    writer.transport.abort()


def test_only_its_user_can_connect(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_server_that_was_killed_is_there_again(home: Path) -> None:
    async with speech_server(home) as path:
        speech = SpeechClient(path, patience_s=30)
        killed = _server_of(path)
        waiting = asyncio.create_task(speech.transcribe(bytes(wire.MAX_AUDIO_BYTES)))
        killed.kill()
        with pytest.raises(SpeechUnavailable):
            await waiting
        pcm = await spoken(speech, _SENTENCES[1])
        assert word_errors(_SENTENCES[1], await speech.transcribe(pcm)) <= 0.1
        second = _server_of(path)
    assert not second.is_running()
    with pytest.raises(SpeechUnavailable):
        await SpeechClient(path, patience_s=0).transcribe(b"")


def test_it_ends_with_its_parent(home: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from tenantry.channels.livekit_voice.speech.launching import speech_server\n"
        "async def main():\n"
        "    async with speech_server(Path(sys.argv[1])):\n"
        "        print('ready', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
    server = _server_of(socket_path(home))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    psutil.wait_procs([server], timeout=5)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def test_the_client_is_light() -> None:
    program = "import sys, tenantry.channels.livekit_voice.speech.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "onnxruntime", "hibari", "moonshine_voice", "livekit", "structlog"} & set(loaded)


def _server_of(path: Path) -> psutil.Process:
    """The process that serves the socket; a test ends no other."""
    (found,) = [
        process
        for process in psutil.process_iter()
        if process.uids().real == os.getuid() and str(path) in _arguments(process) and _PROGRAM in _arguments(process)
    ]
    return found


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
