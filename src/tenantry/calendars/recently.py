"""What providers said a moment ago, for offers: what is taken up of them is looked at anew."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from cachetools import TTLCache

from tenantry.domain.booking import Interval

Answer = TypeVar("Answer")

_OLD_S = 2.0
_KEPT = 1000
_WEEK = timedelta(days=7)
_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)


class Recently:
    """Answers of the last two seconds and those that are on their way, so that many who want the same times, as is so
    where they are offered, are one request to the provider."""

    def __init__(self) -> None:
        self._answers = TTLCache[Hashable, asyncio.Future[Any]](_KEPT, _OLD_S)

    async def ask(self, question: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to the question. Raises what `ask` raises, to all who wait for it and to nobody later."""
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answers[question] = asyncio.ensure_future(ask())
            answer.add_done_callback(partial(self._forget_failed, question))
        return await asyncio.shield(answer)

    def _forget_failed(self, question: Hashable, answer: "asyncio.Future[Any]") -> None:
        if answer.cancelled() or answer.exception() is not None:
            self._answers.pop(question, None)


def whole_weeks(window: Interval) -> Interval:
    """The window and what is missing of its first and last week, so that windows near each other are the same one."""
    begun = (window.start - _MONDAY) // _WEEK
    ended = -((_MONDAY - window.end) // _WEEK)
    return Interval(_MONDAY + begun * _WEEK, _MONDAY + ended * _WEEK)
