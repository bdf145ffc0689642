"""Answers that may be a moment old: asked for once, never kept when they failed, and for windows that are alike."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tenantry.calendars.recently import Recently, whole_weeks
from tenantry.domain.booking import Interval
from tenantry.domain.errors import CalendarUnavailable


async def test_many_who_ask_the_same_are_one_request() -> None:
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return asked

    recently = Recently()
    assert await asyncio.gather(*(recently.ask("a", ask) for _ in range(20))) == [1] * 20
    assert await recently.ask("a", ask) == 1
    assert await recently.ask("b", ask) == 2


async def test_what_failed_is_asked_again_and_who_goes_away_takes_nobody_along() -> None:
    answers = iter([CalendarUnavailable(), None])
    go_on = asyncio.Event()

    async def ask() -> str:
        await go_on.wait()
        if (error := next(answers)) is not None:
            raise error
        return "answer"

    recently = Recently()
    first, second = (asyncio.create_task(recently.ask("a", ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    go_on.set()
    with pytest.raises(CalendarUnavailable):
        await second
    assert await recently.ask("a", ask) == "answer"


def test_windows_of_the_same_weeks_are_the_same_window() -> None:
    start = datetime(2026, 11, 24, 15, tzinfo=UTC)  # a Tuesday
    weeks = {whole_weeks(Interval(start + timedelta(hours=n), start + timedelta(days=60, hours=n))) for n in range(24)}
    assert weeks == {Interval(datetime(2026, 11, 23, tzinfo=UTC), datetime(2027, 1, 25, tzinfo=UTC))}
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert whole_weeks(Interval(monday, monday + timedelta(days=7))) == Interval(monday, monday + timedelta(days=7))
