"""A server that is killed at random moments while callers talk, and what is found afterwards."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import aiohttp

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.credentials.master_key import load_master_key
from tenantry.domain.access import Scope
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Role
from tenantry.settings import DatabaseSettings
from tenantry.storage.address import ServerAddress
from tenantry.storage.embedded import running_address
from tenantry.storage.opening import open_database
from tenantry.storage.repositories import agent_versions, api_keys, tenants
from tenantry.storage.tenancy import Database, Row
from tests.acceptance.commands import environment
from tests.acceptance.kill_load import BOOKING_AGENT, KINDS, Caller, Heard, Line, Said, appointments, orders
from tests.acceptance.order_service import OrderingModel, OrderService, outside_world
from tests.wire_server import KEY

ROOT = Path(__file__).parents[2]
FINISHED_WITHIN_S = 30.0
LONGEST_START_S = 120.0
_moment = random.Random()  # noqa: S311 - when a kill hits is to be different every time


@dataclass
class Starter:
    """Starts one server after the other on the same port."""

    process: asyncio.subprocess.Process
    url: str
    pid: int = 0
    starts_s: list[float] = field(default_factory=list[float])

    async def fork(self) -> None:
        """A new server, which is not ready yet."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.pid = int((await self._line("pid")).split()[1])

    async def ready(self) -> None:
        """Until the server answers."""
        begun = time.monotonic()
        await self._line("Tenantry answers on")
        self.starts_s.append(time.monotonic() - begun)

    async def kill(self) -> None:
        """`kill -9`, until there is no such process."""
        os.kill(self.pid, signal.SIGKILL)
        await self._line("ended")

    async def _line(self, beginning: str) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(LONGEST_START_S):
            while line := (await self.process.stdout.readline()).decode():
                if line.startswith(beginning):
                    return line
                assert not line.startswith("ended"), f"the server ended by itself before {beginning!r}"
        raise AssertionError(f"the starter ended before {beginning!r}")


@contextlib.asynccontextmanager
async def starter(home: Path, **env: str) -> AsyncIterator[Starter]:
    """A starter of servers on this home; its last server ends with it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.acceptance.forked_up", str(port)),
        cwd=ROOT,
        env=environment(home) | {"TENANTRY_LOG_LEVEL": "error", **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Starter(process, f"http://127.0.0.1:{port}")
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def model_at(url: str) -> dict[str, str]:
    """The environment of a server whose model is there."""
    return {"AGENT_MODEL": "maker/model-1", "AGENT_BASE_URL": url, "OPENAI_API_KEY": KEY}


@dataclass
class Found:
    """All that was said, and all that the database and the service hold of it afterwards."""

    said: list[Said]
    service: OrderService
    model: OrderingModel
    unfinished: int
    turns: list[Row]
    events: list[Row]
    bookings: list[Row]
    overlaps: int
    left_behind: list[Row]
    remembered: list[str]
    last_finished_s: float
    kills: int
    starts_s: list[float]

    def streamed(self) -> list[tuple[Said, Heard]]:
        """What was heard as a stream."""
        return [(said, said.heard) for said in self.said if said.heard is not None]

    def summary(self) -> str:
        """One line for who runs it."""
        outcomes = [call["output"]["status"] for said in self.said for call in (said.answer or {})["toolCalls"]]
        again = sum(row["attempts"] > 1 for row in self.turns)
        attempts = Counter(row["attempts"] for row in self.turns)
        cut = sum(heard.cut > 0 for _, heard in self.streamed())
        exhausted = sum("attempts_exhausted" in (said.answer or {})["degraded"] for said in self.said)
        return (
            f"{self.kills} kills: {len(self.said)} messages, {again} turns begun more than once "
            f"(attempts: turns {dict(sorted(attempts.items()))}), {exhausted} given up, "
            f"{len(self.streamed())} streams of which {cut} were cut in the middle of their words, "
            f"{self.service.executed.total()} orders carried out of {self.service.received} received, "
            f"{outcomes.count('unknown')} told as unknown, "
            f"{len(self.bookings)} booked; last turn done {self.last_finished_s:.1f} s after the restart; ready in "
            f"{sorted(self.starts_s)[len(self.starts_s) // 2]:.2f} s (median), {max(self.starts_s):.2f} s (longest)"
        )


@dataclass
class Parties:
    """A tenant, the key of a member, and the ids of the member's agents."""

    tenant_id: UUID
    key: str
    agents: list[str]


async def make_parties(home: Path, definitions: Sequence[AgentDefinition]) -> Parties:
    """A tenant with a member who owns the agents."""
    async with open_database(home, DatabaseSettings(), load_master_key(home, None).password) as opened:
        tenant_id = new_id()
        key = make_key(tenant_id)
        async with opened.db.operator(tenant_id) as tx:
            await tenants.create(tx, "kills", "kills", "UTC", tenant_id)
            member_id = await tenants.add_member(tx, "mark@kills.example", Role.EDITOR, "mark")
            await api_keys.create(tx, key_hash=hash_key(key), name="test", member_id=member_id, scopes=frozenset(Scope))
        async with opened.db.tenant(tenant_id) as tx:
            made = [
                await agent_versions.create_published(tx, definition, member_id, by="key:test")
                for definition in definitions
            ]
    return Parties(tenant_id, key, [str(agent.id) for agent in made])


def _callers(parties: Parties, *, patient: tuple[bool, ...]) -> list[Caller]:
    numbers, slots = itertools.count(), itertools.count()
    *ordering, booking = parties.agents
    made: list[Caller] = []
    for group, patience in enumerate(patient):
        for index, (agent_id, kind) in enumerate(zip(ordering, KINDS, strict=True)):
            name = f"{group}-{index}"
            made.append(Caller(name, orders(agent_id, name, numbers, stream=kind.streams), patience))
        name = f"{group}-booker"
        made.append(Caller(name, appointments(booking, name, slots), patience))
    # Two at once in one conversation, so that messages wait in its queue when the server dies.
    made += [Caller(f"pair-{n}", orders(ordering[0], "pair", numbers, stream=False), patient[0]) for n in range(2)]
    return made


async def kill_and_look(home: Path, kills: int, *, external: bool) -> Found:
    """Kill the server so many times while callers talk; start it once more, and let it finish what was left."""
    async with contextlib.AsyncExitStack() as stack:
        service, model = await stack.enter_async_context(outside_world())
        parties = await make_parties(home, [*(kind.agent(service) for kind in KINDS), BOOKING_AGENT])
        env = {**model_at(model.url), "TENANTRY_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}
        if external:
            env["DATABASE_URL"] = (await stack.enter_async_context(kept_database(home))).url()
        server = await stack.enter_async_context(starter(home, **env))
        # On a database of its own the server takes turns up at once; on another it has to wait for their leases, and
        # who waited with it would have nothing more to say.
        callers = _callers(parties, patient=(False, False) if external else (True, False))
        line = Line(server.url, {"Authorization": f"Bearer {parties.key}"})
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        talking = [asyncio.create_task(caller.talk(line, session)) for caller in callers]
        await _kill_often(server, line, callers, service, kills)
        begun = time.monotonic()
        await server.fork()
        await server.ready()
        password = load_master_key(home, None).password
        opened = await stack.enter_async_context(open_database(home, DatabaseSettings(), password))
        unfinished = await _wait_for_all(opened.db, parties.tenant_id, begun)
        took = time.monotonic() - begun
        line.open.set()
        await asyncio.gather(*talking)
        await asyncio.gather(*(caller.ask_again(line, session) for caller in callers))
        async with opened.db.tenant(parties.tenant_id) as tx:
            return Found(
                said=[said for caller in callers for said in caller.said],
                service=service,
                model=model,
                unfinished=unfinished,
                turns=await tx.rows(_TURNS, parties.tenant_id),
                events=await tx.rows(_EVENTS, parties.tenant_id),
                bookings=await tx.rows(_BOOKINGS, parties.tenant_id),
                overlaps=await tx.value(_OVERLAPS, parties.tenant_id),
                left_behind=await tx.rows(_LEFT_BEHIND, parties.tenant_id),
                remembered=[row["line"] for row in await tx.rows(_REMEMBERED, parties.tenant_id)],
                last_finished_s=took,
                kills=kills,
                starts_s=server.starts_s,
            )


@contextlib.asynccontextmanager
async def kept_database(home: Path) -> AsyncIterator[ServerAddress]:
    """A PostgreSQL that outlives every server."""
    master = load_master_key(home, None)
    async with open_database(home, DatabaseSettings(), master.password):
        address = running_address(home, master.password("postgres"))
        assert address is not None
        yield address


async def _kill_often(
    server: Starter, line: Line, callers: Sequence[Caller], service: OrderService, kills: int
) -> None:
    for number in range(kills):
        await server.fork()
        if number % 4 == 3:
            # While it starts and takes up what was left.
            await asyncio.sleep(_moment.random() * 0.6)
        else:
            await server.ready()
            received = service.received
            line.open.set()
            # However busy the machine is: the first server serves everybody, and a later one is hit in the middle.
            async with asyncio.timeout(LONGEST_START_S):
                while service.received == received or (number == 0 and not all(map(_is_served, callers))):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(_moment.random() * 0.8)
        line.over = number == kills - 1
        line.open.clear()
        await server.kill()


def _is_served(caller: Caller) -> bool:
    """With two answers, of which a booker's second tells of a booking."""
    return sum(said.answer is not None for said in caller.said) >= 2


async def _wait_for_all(db: Database, tenant_id: UUID, begun: float) -> int:
    """How many turns are unfinished when none is, or when the time is over."""
    while True:
        async with db.tenant(tenant_id) as tx:
            left = await tx.value("SELECT count(*) FROM turns WHERE tenant_id = $1 AND status <> 'done'", tenant_id)
        if not left or time.monotonic() - begun > FINISHED_WITHIN_S:
            return left
        await asyncio.sleep(0.05)


_TURNS = """
    SELECT t.id::text, t.idempotency_key, t.status, t.attempts, t.number, c.external_id AS conversation,
           tt.trace -> 'models' AS models, t.model,
           (SELECT array_agg(u.model ORDER BY u.model) FROM usage u
            WHERE u.tenant_id = t.tenant_id AND u.turn_id = t.id) AS used,
           (SELECT array_agg(m.content ORDER BY m.number) FROM messages m
            WHERE m.tenant_id = t.tenant_id AND m.turn_id = t.id) AS messages,
           (SELECT array_agg(m.number ORDER BY m.number) FROM messages m
            WHERE m.tenant_id = t.tenant_id AND m.turn_id = t.id) AS numbers
    FROM turns t JOIN conversations c ON c.tenant_id = t.tenant_id AND c.id = t.conversation_id
    LEFT JOIN turn_traces tt ON tt.tenant_id = t.tenant_id AND tt.turn_id = t.id
    WHERE t.tenant_id = $1 ORDER BY t.conversation_id, t.number
"""
_EVENTS = """
    SELECT c.id::text AS conversation, c.last_event, array_agg(e.seq ORDER BY e.seq) AS seqs
    FROM conversations c JOIN events e ON e.tenant_id = c.tenant_id AND e.conversation_id = c.id
    WHERE c.tenant_id = $1 GROUP BY c.tenant_id, c.id, c.last_event
"""
_BOOKINGS = """
    SELECT c.external_id AS conversation, b.id::text FROM bookings b
    JOIN conversations c ON c.tenant_id = b.tenant_id AND c.id = b.conversation_id
    WHERE b.tenant_id = $1 AND b.status IN ('held', 'confirmed')
"""
_LEFT_BEHIND = """
    SELECT 'lease' AS what, id::text FROM turns WHERE tenant_id = $1 AND lease_id IS NOT NULL
    UNION ALL SELECT 'call', turn_id::text FROM tool_calls WHERE tenant_id = $1 AND status <> 'done'
    UNION ALL SELECT 'hold', id::text FROM bookings WHERE tenant_id = $1 AND status = 'held'
"""
_REMEMBERED = """
    SELECT line FROM memory_blocks, string_to_table(value, E'\\n') AS line WHERE tenant_id = $1
"""
_OVERLAPS = """
    SELECT count(*) FROM bookings a JOIN bookings b ON a.tenant_id = b.tenant_id AND a.calendar_id = b.calendar_id
    AND a.id < b.id AND a.blocked && b.blocked
    WHERE a.tenant_id = $1 AND a.status = 'confirmed' AND b.status = 'confirmed'
"""
