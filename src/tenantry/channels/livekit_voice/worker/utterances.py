"""Tells the server what was said and heard on a call, without holding the call up and without losing any of it."""

import asyncio
from typing import Protocol

from tenantry.client.errors import ApiError
from tenantry.domain.call import Utterance

_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


class Hears(Protocol):
    """Where utterances go: a CallSession."""

    async def spoken(self, said: Utterance) -> None: ...


class UtteranceReport:
    """Sends utterances in their order, each until the server has it."""

    def __init__(self, session: Hears) -> None:
        self._session = session
        self._waiting: asyncio.Queue[Utterance] = asyncio.Queue()

    def add(self, said: Utterance) -> None:
        """Tell of it, soon."""
        self._waiting.put_nowait(said)

    async def told(self, within_s: float) -> bool:
        """Wait until all is told, at most so long; whether it is."""
        try:
            async with asyncio.timeout(within_s):
                await self._waiting.join()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Send them, for ever. Raises ApiError when the call is not ours any more."""
        while True:
            said = await self._waiting.get()
            try:
                await self._send(said)
            finally:
                self._waiting.task_done()

    async def _send(self, said: Utterance) -> None:
        tries = 0
        while True:
            try:
                return await self._session.spoken(said)
            except ApiError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
                tries += 1
