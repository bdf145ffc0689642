"""Callers in a process of their own, so that many of them are a burden to no test's event loop and their CPU is known.

usage: python -m tests.voice_callers SPEECH_SOCKET   (requests on standard input, answers on standard output: JSON)
"""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tests.voice_caller import Caller, Experience, Unheard

_LINE = 64 * 1024 * 1024  # bytes; a caller's experience is one line


class Request(msgspec.Struct):
    """What a caller is to do; `do` is a method of Caller, or `join`, `leave`, `lived`."""

    number: int
    caller: int
    do: str
    given: list[Any]
    named: dict[str, Any]


class Answer(msgspec.Struct):
    """What came of a request: its result, or what was raised."""

    number: int
    result: Any = None
    error: tuple[str, str] | None = None


class RemoteCaller:
    """A caller in the process of callers; its methods are those of `Caller`."""

    def __init__(self, process: "CallersProcess", number: int) -> None:
        self._process = process
        self._number = number

    async def says(self, text: str, *, over: bool = False) -> None:
        """As Caller.says."""
        await self._process.ask(self._number, "says", text, over=over)

    async def hears(self, *words: str, within: float = 60.0) -> str:
        """As Caller.hears."""
        return await self._process.ask(self._number, "hears", *words, within=within)

    async def hears_out(self, *, within: float = 60.0) -> str:
        """As Caller.hears_out."""
        return await self._process.ask(self._number, "hears_out", within=within)

    async def is_spoken_to(self, *, within: float = 60.0) -> float:
        """As Caller.is_spoken_to."""
        return await self._process.ask(self._number, "is_spoken_to", within=within)

    async def is_left(self, *, within: float = 60.0) -> str:
        """As Caller.is_left."""
        return await self._process.ask(self._number, "is_left", within=within)

    async def leave(self) -> None:
        """Leave the room."""
        await self._process.ask(self._number, "leave")

    async def lived(self) -> Experience:
        """All that the caller lived through so far."""
        return msgspec.convert(await self._process.ask(self._number, "lived"), Experience)


class CallersProcess:
    """The process of callers, as the test sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input, self._output = process.stdin, process.stdout
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def join(self, url: str, token: str) -> RemoteCaller:
        """A caller who has just joined the room of a token."""
        number = next(self._numbers)
        await self.ask(number, "join", url, token)
        return RemoteCaller(self, number)

    @property
    def pid(self) -> int:
        """The process itself."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Seconds of CPU that all callers took."""
        used = psutil.Process(self._process.pid).cpu_times()
        return used.user + used.system

    async def ask(self, caller: int, do: str, *given: Any, **named: Any) -> Any:
        """Let a caller do something; raises what it raises."""
        request = Request(next(self._numbers), caller, do, list(given), named)
        answer = self._waiting[request.number] = asyncio.get_running_loop().create_future()
        self._input.write(msgspec.json.encode(request) + b"\n")
        try:
            return await answer
        finally:
            del self._waiting[request.number]

    async def read_answers(self) -> None:
        """Hand out answers until the process ends."""
        while line := await self._output.readline():
            answer = msgspec.json.decode(line, type=Answer)
            waiting = self._waiting.get(answer.number)
            if waiting is None or waiting.done():
                continue
            if answer.error is None:
                waiting.set_result(answer.result)
            else:
                kind, message = answer.error
                waiting.set_exception(_RAISED.get(kind, RuntimeError)(message))
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError("the process of callers ended"))


_RAISED: dict[str, type[Exception]] = {"Unheard": Unheard, "TimeoutError": TimeoutError}


@asynccontextmanager
async def callers_process(speech_socket: Path) -> AsyncIterator[CallersProcess]:
    """Callers who speak and understand through the speech server at this path."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.voice_callers", str(speech_socket)),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE,
    )
    callers = CallersProcess(process)
    reading = asyncio.create_task(callers.read_answers())
    try:
        yield callers
    finally:
        process.kill()
        await process.wait()
        await reading


class _Host:
    """The process's own side: its callers, by number."""

    def __init__(self, speech: SpeechClient) -> None:
        self._speech = speech
        self._callers: dict[int, Caller] = {}
        self._stacks: dict[int, AsyncExitStack] = {}

    async def answer(self, request: Request) -> Answer:
        """What comes of a request; never raises."""
        try:
            return Answer(request.number, await self._do(request))
        except Exception as error:
            return Answer(request.number, error=(type(error).__name__, str(error)))

    async def _do(self, request: Request) -> Any:
        caller = self._callers.get(request.caller)
        if request.do == "join":
            stack = self._stacks[request.caller] = AsyncExitStack()
            url, token = request.given
            self._callers[request.caller] = await stack.enter_async_context(Caller.joined(url, token, self._speech))
            return None
        assert caller is not None
        if request.do == "leave":
            return await self._stacks[request.caller].aclose()
        if request.do == "lived":
            return caller.lived
        return await getattr(caller, request.do)(*request.given, **request.named)


async def main(speech_socket: str) -> None:
    """Do what standard input asks for until it ends."""
    host = _Host(SpeechClient(Path(speech_socket)))
    reader = asyncio.StreamReader(limit=_LINE)
    loop = asyncio.get_running_loop()
    # Libraries that print must not print into the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def do(request: Request) -> None:
        answers.write(msgspec.json.encode(await host.answer(request)) + b"\n")

    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            tasks.create_task(do(msgspec.json.decode(line, type=Request)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
