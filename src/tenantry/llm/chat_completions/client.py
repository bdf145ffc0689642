"""The client of the chat-completions wire: a request in, events out while the answer is still being written."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog

from tenantry.llm.base import ModelEvent, ModelFault, ModelRequest, TextDelta
from tenantry.llm.chat_completions.answer import Answer
from tenantry.llm.chat_completions.answer_form import Wanted
from tenantry.llm.chat_completions.attempts import Attempts
from tenantry.llm.chat_completions.connections import open_socket
from tenantry.llm.chat_completions.endpoint import Dialect, Endpoint, Patience
from tenantry.llm.chat_completions.reading import Reading
from tenantry.llm.chat_completions.request_body import Again, request_body, system_message
from tenantry.llm.chat_completions.transport import Transport
from tenantry.outbound.sockets import SocketFactory

log = structlog.get_logger()

_ASK_AGAIN_SECONDS = 10.0


class ChatCompletions:
    """A model behind the chat-completions wire. One pool of connections serves all of its requests, from its first one
    to `close`."""

    def __init__(self, name: str, endpoint: Endpoint, socket_factory: SocketFactory = open_socket) -> None:
        """`name` is how settings and records name the model, not what its provider calls it."""
        self._name = name
        self._endpoint = endpoint
        self._dialect = Dialect(endpoint.answer_mode)
        self._transport = Transport(name, endpoint, socket_factory)

    @property
    def name(self) -> str:
        """How settings, the API and the records name the model."""
        return self._name

    async def close(self) -> None:
        """Close the pooled connections; answers that are still being read end as cut."""
        await self._transport.close()

    def prompt(self, request: ModelRequest) -> str:
        """The system prompt with the rules of the answer."""
        return system_message(request, self._dialect)

    async def respond(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """One step, tried again where nothing was said yet and the fault may pass. Raises ModelFault."""
        loop = asyncio.get_running_loop()
        patience = self._endpoint.patience
        deadline = loop.time() + patience.total
        attempts = Attempts(request, self._dialect)
        tries = 0
        while True:
            answer = Answer(self._name, attempts.request)
            said, fault = False, None
            try:
                body = request_body(attempts.request, self._endpoint, attempts.dialect)
                async with aclosing(self._answer(body, answer, deadline)) as pieces:
                    async for piece in pieces:
                        said = True
                        yield TextDelta(piece)
                answer.check()
            except ModelFault as raised:
                fault = raised
            whole = fault is None or answer.said_whole
            if whole and (piece := answer.unsaid()):
                yield TextDelta(piece)
            for event in answer.account():
                yield event
            if fault is None or whole:
                break
            if said:
                raise fault
            if attempts.adapt(fault):
                continue
            pause = _pause(patience, fault, tries, deadline - loop.time())
            if pause is None:
                raise fault
            tries += 1
            await asyncio.sleep(pause)
        self._dialect = attempts.learnt or self._dialect
        if fault is not None:
            log.warning("answer broke off after all was said", model=self._name, kind=fault.kind)
        async with aclosing(self._finished(attempts, answer, deadline)) as events:
            async for event in events:
                yield event

    async def _finished(self, attempts: Attempts, answer: Answer, deadline: float) -> AsyncGenerator[ModelEvent]:
        """The values of a finished answer; where some are missing or wrong, the model is asked for them once more."""
        request = attempts.request
        agent = request.agent
        calls = answer.tool_calls()
        values = answer.values()
        reading = Reading.of(agent, request.known, Wanted.whole(agent), {} if calls and values is None else values)
        noted = list(reading.noted())
        for event in noted:
            yield event
        if calls:
            for event in (*reading.unusable(), *calls):
                yield event
            return
        if wanted := reading.wanted_again():
            again = Again(answer.written, wanted, reading.told_faults())
            second = await self._ask_again(attempts, again, deadline)
            for event in second.account():
                yield event
            reading.mend(Reading.of(agent, request.known, wanted, second.values()))
            for event in reading.noted():
                if event not in noted:
                    yield event
        for event in reading.last_events():
            yield event

    async def _ask_again(self, attempts: Attempts, again: Again, deadline: float) -> Answer:
        """The second answer, as far as it came: a fault of it is none of the first one."""
        body = request_body(attempts.request, self._endpoint, attempts.dialect, again)
        deadline = min(deadline, asyncio.get_running_loop().time() + _ASK_AGAIN_SECONDS)
        answer, fault = await self._silently(attempts.request, body, deadline)
        if fault is not None and fault.kind == "cut" and not answer.tokens:
            # The provider may close the connection of the first answer just as this is sent.
            answer, fault = await self._silently(attempts.request, body, deadline)
        if fault is not None:
            log.warning("values not put right", model=self._name, kind=fault.kind)
        return answer

    async def _silently(self, request: ModelRequest, body: bytes, deadline: float) -> tuple[Answer, ModelFault | None]:
        answer = Answer(self._name, request)
        try:
            async with aclosing(self._answer(body, answer, deadline)) as pieces:
                async for _ in pieces:
                    pass
        except ModelFault as fault:
            return answer, fault
        return answer, None

    async def _answer(self, body: bytes, answer: Answer, deadline: float) -> AsyncGenerator[str]:
        """What is said, while the answer takes in all that comes. Raises ModelFault."""
        async with self._transport.open(body, deadline) as stream:
            while chunks := await stream.chunks(answer):
                said = ""
                try:
                    for chunk in chunks:
                        said += answer.take(chunk)
                except ModelFault:
                    if said:
                        yield said
                    raise
                if said:
                    yield said
            if said := answer.unsaid():
                yield said


def _pause(patience: Patience, fault: ModelFault, tries: int, left: float) -> float | None:
    """The seconds before the next try, or None when there is to be none in the seconds that are left."""
    if tries >= patience.retries or not fault.retryable:
        return None
    if fault.retry_after is not None:
        return fault.retry_after if fault.retry_after <= min(patience.longest_retry_after, left) else None
    # Jitter, so that the turns which failed together do not come back together.
    pause = patience.backoff * 2**tries * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return pause if pause < left else None
