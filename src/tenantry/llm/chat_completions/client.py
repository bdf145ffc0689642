"""The client of the chat-completions wire: a request in, events out while the answer is still being written."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from tenantry.llm.base import ModelEvent, ModelFault, ModelRequest, TextDelta
from tenantry.llm.chat_completions.answer import Answer
from tenantry.llm.chat_completions.connections import SocketFactory, open_socket
from tenantry.llm.chat_completions.endpoint import Endpoint, Patience
from tenantry.llm.chat_completions.request_body import request_body
from tenantry.llm.chat_completions.transport import Transport


class ChatCompletions:
    """A model behind the chat-completions wire. One pool of connections serves all of its requests, from its first one
    to `close`."""

    def __init__(self, name: str, endpoint: Endpoint, socket_factory: SocketFactory = open_socket) -> None:
        """`name` is how settings and records name the model, not what its provider calls it."""
        self._name = name
        self._endpoint = endpoint
        self._transport = Transport(name, endpoint, socket_factory)

    @property
    def name(self) -> str:
        """How settings, the API and the records name the model."""
        return self._name

    async def close(self) -> None:
        """Close the pooled connections; answers that are still being read end as cut."""
        await self._transport.close()

    async def respond(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """One step, tried again where nothing was said yet and the fault may pass. Raises ModelFault."""
        loop = asyncio.get_running_loop()
        patience = self._endpoint.patience
        deadline = loop.time() + patience.total
        body = request_body(request, self._endpoint)
        tries = 0
        while True:
            said = False
            try:
                async with aclosing(self._answer(request, body, deadline)) as events:
                    async for event in events:
                        said = True
                        yield event
                return
            except ModelFault as fault:
                pause = _pause(patience, fault, tries)
                if said or not fault.retryable or pause is None or loop.time() + pause >= deadline:
                    raise
            tries += 1
            await asyncio.sleep(pause)

    async def _answer(self, request: ModelRequest, body: bytes, deadline: float) -> AsyncGenerator[ModelEvent]:
        answer = Answer(self._name, request)
        async with self._transport.open(body, deadline) as stream:
            while chunks := await stream.chunks(answer):
                said = ""
                try:
                    for chunk in chunks:
                        said += answer.take(chunk)
                except ModelFault:
                    if said:
                        yield TextDelta(said)
                    raise
                if said:
                    yield TextDelta(said)
            if said := answer.unsaid():
                yield TextDelta(said)
            for event in answer.finish():
                yield event


def _pause(patience: Patience, fault: ModelFault, tries: int) -> float | None:
    """The seconds before the next try, or None when there is to be none."""
    if tries >= patience.retries:
        return None
    if fault.retry_after is not None:
        return fault.retry_after if fault.retry_after <= patience.longest_retry_after else None
    # Jitter, so that the turns which failed together do not come back together.
    return patience.backoff * 2**tries * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
