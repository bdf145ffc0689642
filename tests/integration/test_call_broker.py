"""The broker: what call processes get of it, and what it does when one dies."""

import asyncio
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tenantry.channels.livekit_voice.worker.broker import Broker, BrokerGone, claimed_call
from tenantry.client.call_session import Claim
from tenantry.client.errors import ApiError
from tests.integration.test_voice_engines import CLAIM


class Server:
    """What the broker does at the server, seen."""

    def __init__(self) -> None:
        self.claims: list[str] = []
        self.losses: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.down = 0

    async def claim(self, ticket: str) -> Claim:
        self.claims.append(ticket)
        return msgspec.structs.replace(CLAIM, claim=len(self.claims))

    async def lost(self, ticket: str, claim: int) -> None:
        if self.down:
            self.down -= 1
            raise ApiError(503, {"code": "database_unavailable", "retryable": True})
        self.losses.put_nowait((ticket, claim))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def broker(server: Server) -> Broker:
    return Broker(server)


@pytest.fixture
async def path(broker: Broker) -> AsyncIterator[Path]:
    async with broker.listening() as path:
        yield path


async def test_a_process_gets_the_call_of_its_ticket(broker: Broker, server: Server, path: Path) -> None:
    broker.expect("ticket")
    async with claimed_call(path, "ticket") as claim:
        assert claim == CLAIM
    assert server.claims == ["ticket"]


async def test_a_ticket_is_claimed_only_once_and_only_where_its_job_was_taken(
    broker: Broker, server: Server, path: Path
) -> None:
    broker.expect("ticket")
    broker.expect("given up")
    broker.forget("given up")
    async with claimed_call(path, "ticket"):
        pass
    for ticket in ("ticket", "given up", "somebody's"):
        with pytest.raises(ApiError) as refused:
            async with claimed_call(path, ticket):
                pass
        assert refused.value.code == "ticket_invalid"
    assert server.claims == ["ticket"]


async def test_a_call_left_in_order_is_not_lost(broker: Broker, server: Server, path: Path) -> None:
    for ticket in ("first", "second"):
        broker.expect(ticket)
    async with claimed_call(path, "first"):
        pass
    with pytest.raises(ZeroDivisionError):
        async with claimed_call(path, "second"):
            raise ZeroDivisionError
    # The second is told although the first was over before.
    assert await asyncio.wait_for(server.losses.get(), 5) == ("second", 2)
    assert server.losses.empty()


async def test_a_process_that_is_killed_is_told_of_at_once_even_by_a_server_that_was_away(
    broker: Broker, server: Server, path: Path
) -> None:
    broker.expect("ticket")
    server.down = 1
    code = (
        "import asyncio, sys, pathlib\n"
        "from tenantry.channels.livekit_voice.worker.broker import claimed_call\n"
        "async def main():\n"
        "    async with claimed_call(pathlib.Path(sys.argv[1]), 'ticket'):\n"
        "        print('claimed', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"claimed\n"
    process.kill()
    assert await asyncio.wait_for(server.losses.get(), 5) == ("ticket", 1)
    await process.wait()


async def test_a_worker_that_ends_makes_its_processes_leave_and_loses_their_calls(
    broker: Broker, server: Server
) -> None:
    broker.expect("ticket")
    left = asyncio.Event()

    async def speak(path: Path) -> None:
        async with claimed_call(path, "ticket"):
            try:
                await asyncio.Event().wait()
            finally:
                left.set()

    async with broker.listening() as path:
        speaking = asyncio.create_task(speak(path))
        while not server.claims:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        await broker.dismiss()
        with pytest.raises(BrokerGone):
            await asyncio.wait_for(speaking, 5)
    assert left.is_set()
    assert server.losses.get_nowait() == ("ticket", 1)


async def test_nobody_else_on_the_machine_can_ask_it(path: Path) -> None:
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_nonsense_is_not_answered(server: Server, path: Path) -> None:
    for nonsense in (b"hello\n", b"{}\n", b"x" * 300_000):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(nonsense)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    assert server.claims == []
