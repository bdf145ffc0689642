"""The broker: it claims calls for call processes, which do not have the workers' key."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from tenantry.client.call_session import Claim
from tenantry.client.errors import ApiError
from tenantry.domain.errors import TicketInvalid

_LINE = 256 * 1024
_LOST_TRIES, _LOST_PAUSE_S = 3, 0.5

log = structlog.get_logger(__name__)


class Claimant(Protocol):
    """Who claims calls at the server: a WorkerClient."""

    async def claim(self, ticket: str) -> Claim: ...
    async def lost(self, ticket: str, claim: int) -> None: ...


class Asked(msgspec.Struct, frozen=True):
    """What a call process sends first: its ticket."""

    ticket: str


class Refusal(msgspec.Struct, frozen=True):
    """Why the server did not give the call: the problem it answered with."""

    status: int
    problem: dict[str, object]


class Answer(msgspec.Struct, frozen=True):
    """The call that is now the process's own, or why it is not."""

    claim: Claim | None = None
    refusal: Refusal | None = None


# The last line of a process that left its call in order; without it the call has lost its agent.
GOODBYE = b"goodbye\n"


class Broker:
    """Answers call processes on a Unix socket in a folder that only this user can enter. A connection lives as long as
    its call: one that ends without a goodbye is a process that died, of which the server is told at once."""

    def __init__(self, claimant: Claimant) -> None:
        self._claimant = claimant
        self._expected: set[str] = set()
        self._conversations: set[asyncio.Task[None]] = set()

    def expect(self, ticket: str) -> None:
        """A call process will ask for this ticket's call."""
        self._expected.add(ticket)

    def forget(self, ticket: str) -> None:
        """No call process will."""
        self._expected.discard(ticket)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[Path]:
        """Where call processes find it. At the end, those that are there have to leave."""

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._converse(reader, writer))
            self._conversations.add(task)
            task.add_done_callback(self._conversations.discard)
            await asyncio.wait([task])

        with tempfile.TemporaryDirectory(prefix="tenantry-worker-") as folder:
            path = Path(folder) / "broker"
            server = await asyncio.start_unix_server(converse, path, limit=_LINE)
            try:
                yield path
            finally:
                server.close()
                await self.dismiss()

    async def dismiss(self) -> None:
        """Make all call processes leave their calls, of which the server is told as lost."""
        conversations = list(self._conversations)
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError, msgspec.DecodeError):
            try:
                ticket = msgspec.json.decode(await reader.readline(), type=Asked).ticket
                answer = await self._claimed(ticket)
                if answer.claim is None:
                    await _send(writer, answer)
                else:
                    await self._attend(ticket, answer.claim, reader, writer)
            finally:
                writer.close()

    async def _claimed(self, ticket: str) -> Answer:
        if ticket not in self._expected:
            return Answer(refusal=_refused(TicketInvalid.status, TicketInvalid.code))
        try:
            claim = await self._claimant.claim(ticket)
        except ApiError as error:
            return Answer(refusal=Refusal(error.status, dict(error.body)))
        self._expected.discard(ticket)
        return Answer(claim)

    async def _attend(
        self, ticket: str, claim: Claim, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        left_in_order = False
        try:
            await _send(writer, Answer(claim))
            left_in_order = await reader.readline() == GOODBYE
        finally:
            if not left_in_order:
                # A process that is still there leaves when it sees this.
                writer.close()
                await asyncio.shield(asyncio.ensure_future(self._tell_lost(ticket, claim)))

    async def _tell_lost(self, ticket: str, claim: Claim) -> None:
        log.warning("call_process_lost", call_id=str(claim.call_id), claim=claim.claim)
        for _ in range(_LOST_TRIES):
            try:
                return await self._claimant.lost(ticket, claim.claim)
            except ApiError as error:
                if not error.retryable:
                    return None
                await asyncio.sleep(_LOST_PAUSE_S)
        return None


class BrokerGone(Exception):
    """The worker's main process is gone, or wants its call processes to be."""


@asynccontextmanager
async def claimed_call(broker: Path, ticket: str) -> AsyncGenerator[Claim]:
    """In a call process: the ticket's call, its own until the block ends. A block that is left by an exception has
    lost the call; when the broker goes, it is cancelled, and that is BrokerGone outside. Raises ApiError where the
    server does not give the call."""
    reader, writer = await asyncio.open_unix_connection(broker, limit=_LINE)
    try:
        await _send(writer, Asked(ticket))
        answer = msgspec.json.decode(await reader.readline(), type=Answer)
        if answer.claim is None:
            refusal = answer.refusal or _refused(TicketInvalid.status, TicketInvalid.code)
            raise ApiError(refusal.status, refusal.problem)
        async with _as_long_as(reader):
            yield answer.claim
        writer.write(GOODBYE)
        await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def _as_long_as(reader: asyncio.StreamReader) -> AsyncGenerator[None]:
    block = asyncio.current_task()
    assert block is not None  # noqa: S101
    watching = asyncio.create_task(reader.read())
    watching.add_done_callback(lambda watched: None if watched.cancelled() else block.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if watching.done() and block.uncancel() == 0:
            raise BrokerGone from None
        raise
    finally:
        watching.cancel()


async def _send(writer: asyncio.StreamWriter, message: msgspec.Struct) -> None:
    writer.write(msgspec.json.encode(message) + b"\n")
    await writer.drain()


def _refused(status: int, code: str) -> Refusal:
    return Refusal(status, {"code": code, "detail": TicketInvalid.__doc__ or code})
