"""An executor without threads does its work before it answers."""

import asyncio
import threading

import pytest

from tenantry.channels.livekit_voice.worker.at_once import AtOnce


async def test_work_is_done_by_who_asks_for_it() -> None:
    asked = asyncio.get_running_loop().run_in_executor(AtOnce(), threading.get_ident)
    assert await asked == threading.get_ident()


async def test_what_fails_is_told_to_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        await asyncio.get_running_loop().run_in_executor(AtOnce(), lambda: 1 / 0)
