"""What the caller said, and the answer while it grows."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol
from uuid import UUID

from tenantry.client.errors import ApiError
from tenantry.client.replies import Reply, ReplyEvent

_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 2.0


class Says(Protocol):
    """Where what the caller said goes: a CallSession."""

    def say(self, message: str, *, idempotency_key: str) -> AsyncGenerator[ReplyEvent]: ...


class Turn:
    """One turn of a call. It is followed to its end also when the caller interrupts the answer, since what was noted
    and done in it is told all the same. `text` is what was answered so far, `error` why there is no more of it."""

    def __init__(self, message: str, key: str, on_fields: Callable[[Mapping[str, Any]], None]) -> None:
        """`key` makes the turn one however often it is sent; `on_fields` is given the agent's turn fields as soon as
        they are known."""
        self._message = message
        self._key = key
        self._on_fields = on_fields
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._again: str | None = None
        self.turn_id: UUID | None = None
        self.text = ""
        self.reply: Reply | None = None
        self.error: ApiError | None = None

    async def follow(self, session: Says) -> None:
        """Send it and read the answer. What fails and may pass is sent once more by the same key."""
        try:
            try:
                await self._read(session)
            except ApiError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(min(error.retry_after or _PAUSE_S, _LONGEST_PAUSE_S))
                self._again = ""
                await self._read(session)
        except ApiError as error:
            self.error = error
        finally:
            self._pieces.put_nowait(None)

    async def pieces(self) -> AsyncGenerator[str]:
        """The answer's text, piece by piece."""
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def _read(self, session: Says) -> None:
        async with aclosing(session.say(self._message, idempotency_key=self._key)) as events:
            async for event in events:
                match event.type:
                    case "accepted":
                        self.turn_id = UUID(str(event.data["turnId"]))
                    case "turn.restarted":
                        self._again = ""
                    case "delta":
                        self._add(event.text)
                    case "fields.noted":
                        self._on_fields(event.data)
                    case "done":
                        self._end(event.reply)
                    case _:
                        pass

    def _add(self, piece: str) -> None:
        """An answer that begins anew is not said again as far as it is the same."""
        if self._again is not None:
            self._again += piece
            if self.text.startswith(self._again):
                return
            piece = self._again.removeprefix(self.text)
            self._again = None
        self.text += piece
        self._pieces.put_nowait(piece)

    def _end(self, reply: Reply | None) -> None:
        self.reply = reply
        if reply is None:
            return
        self.turn_id = reply.turn_id
        self._on_fields(reply.fields)
        if self._again is not None or not self.text:
            # A turn that was over when it was sent again has its answer here alone.
            self._again = ""
            self._add(reply.reply)
