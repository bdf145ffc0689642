"""Racing attempts over three providers: who takes part, what goes wrong meanwhile, and what is found afterwards."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

from tenantry.credentials.connections import BasicSecret, ConnectionKey
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Role
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import agent_versions, tenants
from tenantry.storage.tenancy import Row
from tests.acceptance import commands
from tests.acceptance.race_calendars import ROOT, RacedCalendar, RacedCalendars, Toll
from tests.acceptance.racers import AGENT, slots
from tests.acceptance.racing_process import AT_WORK, Order
from tests.integration.whole_database import superuser

RACERS, WORKERS = 2, 2
_KILL_AFTER_S = (0.5, 5.0)
_LONGEST_S = 900.0
_CONVERGES_WITHIN_S = 90.0
_moment = random.Random()  # noqa: S311 - when a kill hits is to be different every time
_BOOKINGS = (
    "SELECT b.id, b.status, b.starts_at, b.ends_at, b.by_owner, "
    "lower(b.moved_from) AS moved_start FROM bookings b "
    "JOIN calendars c ON c.tenant_id = b.tenant_id AND c.id = b.calendar_id WHERE c.owner_member_id = $1"
)


@dataclass
class Owner:
    """A member, their calendar, and what they did in it. `planted` has for each event of theirs the bookings that were
    there or on their way there when it was made, over which it may stand."""

    member_id: UUID
    calendar: RacedCalendar
    planted: dict[str, set[UUID]] = field(default_factory=dict[str, set[UUID]])
    moved: int = 0
    deleted: int = 0
    free: int = 0

    async def live(self, runtime: Runtime, tenant_id: UUID) -> list[Row]:
        async with runtime.db.tenant(tenant_id) as tx:
            return await tx.rows(f"{_BOOKINGS} AND b.status IN ('held', 'pending', 'confirmed')", self.member_id)

    async def act(self, runtime: Runtime, tenant_id: UUID) -> None:
        """Do something in the calendar, as people do."""
        standing = await self.calendar.standing()
        booked = [event for event in standing if event.key is not None]
        own = [event for event in standing if event.key is None]
        what = _moment.random()
        if what < 0.4 or not booked:
            await self._plant(runtime, tenant_id, _moment.choice(slots()))
        elif what < 0.6 and len(own) > 3:
            await self.calendar.delete(own[0])
        elif what < 0.85:
            self.moved += 1
            await self.calendar.move(_moment.choice(booked), self._elsewhere())
        else:
            self.deleted += 1
            await self.calendar.delete(_moment.choice(booked))

    async def _plant(self, runtime: Runtime, tenant_id: UUID, start: datetime) -> None:
        event = await self.calendar.plant(start)
        there = {
            row["id"] for row in await self.live(runtime, tenant_id) if start in (row["starts_at"], row["moved_start"])
        }
        self.planted[event] = there

    def _elsewhere(self) -> datetime:
        """One of the hours that everybody wants, or one that nobody does."""
        self.free += 1
        return _moment.choice(slots()) if self.free % 2 else slots()[-1] + timedelta(days=2, hours=2 * self.free)


@dataclass
class Processes:
    """The processes of the race, by what starts them."""

    starter: asyncio.subprocess.Process
    folder: Path
    logs: list[Path] = field(default_factory=list[Path])

    async def start(self, role: str, **more: Any) -> int:
        """The new process."""
        log = self.folder / f"{role}-{len(self.logs)}.log"
        log.touch()
        self.logs.append(log)
        assert self.starter.stdin is not None
        assert self.starter.stdout is not None
        self.starter.stdin.write(Order(role, str(log), **more).line())  # type: ignore[arg-type]
        return int((await self.starter.stdout.readline()).split()[1])


@contextlib.asynccontextmanager
async def processes(folder: Path, env: dict[str, str]) -> AsyncIterator[Processes]:
    """What starts processes; all end with the block."""
    starter = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.acceptance.racing_process"),
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Processes(starter, folder)
    finally:
        starter.kill()
        await starter.wait()


@dataclass
class Race:
    """The race, and what is known of it so far."""

    runtime: Runtime
    calendars: RacedCalendars
    tenant_id: UUID
    owners: list[Owner]
    agents: list[str]
    procs: Processes
    home: Path
    env: dict[str, str]
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    kills: int = 0
    rotations: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    seconds: float = 0
    converged_s: float = 0
    secrets: list[bytes] = field(default_factory=list[bytes])

    async def run(self, attempts: int) -> None:
        """Let them race, while workers are killed, answers are lost, owners act and keys are rotated."""
        began = time.monotonic()
        for calendar in (self.calendars.microsoft, self.calendars.google, self.calendars.caldav):
            await calendar.lose_answers()
        files = [self.procs.folder / f"told-{number}.jsonl" for number in range(RACERS)]
        racing = [
            await self.procs.start(
                "race",
                tenant_id=str(self.tenant_id),
                agents=self.agents,
                seed=number,
                attempts=attempts // RACERS,
                told=str(file),
            )
            for number, file in enumerate(files)
        ]
        working = [await self.procs.start("work") for _ in range(WORKERS)]
        over = asyncio.Event()
        beside = [
            asyncio.create_task(work)
            for work in (self._kill(working, over), self._own(over), self._rotate(files, attempts, over))
        ]
        async with asyncio.timeout(_LONGEST_S):
            while any(_runs(pid) for pid in racing):
                await asyncio.sleep(0.2)
        over.set()
        await asyncio.gather(*beside)
        self.told = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        self.seconds = time.monotonic() - began
        await self._converge()
        self.converged_s = time.monotonic() - began - self.seconds
        for pid in working:
            os.kill(pid, signal.SIGKILL)

    async def _kill(self, working: list[int], over: asyncio.Event) -> None:
        """`kill -9` of one worker after the other, each in the middle of its work and with a successor at once."""
        logs = self.procs.logs[-len(working) :]
        for number in cycle(range(len(working))):
            while AT_WORK not in logs[number].read_text() and not over.is_set():
                await asyncio.sleep(0.05)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _moment.uniform(*_KILL_AFTER_S))
            if over.is_set():
                return
            os.kill(working[number], signal.SIGKILL)
            self.kills += 1
            working[number] = await self.procs.start("work")
            logs[number] = self.procs.logs[-1]

    async def _own(self, over: asyncio.Event) -> None:
        for owner in cycle(self.owners):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.3)
            if over.is_set():
                return
            await owner.act(self.runtime, self.tenant_id)

    async def _rotate(self, files: list[Path], attempts: int, over: asyncio.Event) -> None:
        """Twice, after a third and after two thirds of the attempts."""
        for part in (1, 2):
            while sum(_lines(file) for file in files) < attempts * part / 3 and not over.is_set():
                await asyncio.sleep(0.2)
            self.rotations.append(await commands.run(self.home, "key", "rotate", more=self.env))

    async def _converge(self) -> None:
        """Until nothing is left to be done and all is seen that owners did, or it takes too long."""
        ends = time.monotonic() + _CONVERGES_WITHIN_S
        while time.monotonic() < ends:
            if not await self.unsettled() and not [
                line for owner in self.owners for line in await self.differences(owner)
            ]:
                return
            await asyncio.sleep(0.5)

    async def unsettled(self) -> list[Row]:
        """The bookings that wait for a provider, and when that is tried again."""
        connection = await superuser(self.home)
        try:
            return await connection.fetch(
                "SELECT b.id, b.status, b.wanted, b.settled, b.remote_id, b.settling_until, q.status AS job, "
                "q.attempts, q.execute_after FROM bookings b LEFT JOIN pgqueuer q ON q.tenant_id = b.tenant_id "
                "AND q.payload = uuid_send(b.tenant_id) || uuid_send(b.id) "
                "WHERE b.settled < b.wanted OR b.status = 'pending'"
            )
        finally:
            await connection.close()

    async def differences(self, owner: Owner) -> list[str]:
        """In what the provider's calendar is not the bookings here."""
        local = {
            row["id"]: (row["starts_at"], row["ends_at"])
            for row in await owner.live(self.runtime, self.tenant_id)
            if row["status"] == "confirmed"
        }
        events = [event for event in await owner.calendar.standing() if event.key is not None]
        remote = {event.key: (event.start, event.end) for event in events}
        twice = [key for key, count in Counter(event.key for event in events).items() if count > 1]
        name = owner.calendar.name
        return [
            *(f"{name}: {key} stands twice" for key in twice),
            *(f"{name}: {key} has no booking" for key in remote.keys() - local.keys()),
            *(f"{name}: {key} has no event" for key in local.keys() - remote.keys()),
            *(
                f"{name}: {key} is at {remote[key]}, booked for {local[key]}"
                for key in local.keys() & remote.keys()
                if local[key] != remote[key]
            ),
        ]

    async def overlaps(self, owner: Owner) -> list[str]:
        """Live bookings that overlap each other, or an event of the owner, by no doing of the owner's."""
        live = [
            row
            for row in await owner.live(self.runtime, self.tenant_id)
            if not row["by_owner"] and row["status"] != "held"
        ]
        found = [
            f"{owner.calendar.name}: {one['id']} and {other['id']}"
            for index, one in enumerate(live)
            for other in live[:index]
            if one["starts_at"] < other["ends_at"] and other["starts_at"] < one["ends_at"]
        ]
        own = [event for event in await owner.calendar.standing() if event.key is None]
        found += [
            f"{owner.calendar.name}: {row['id']} over {event.id}"
            for event in own
            for row in live
            if event.meets(row["starts_at"], row["ends_at"]) and row["id"] not in owner.planted.get(event.id, set())
        ]
        return found

    async def toll(self) -> dict[str, Toll]:
        return {calendar.name: await calendar.toll() for calendar in self.calendars.all}

    async def summary(self) -> str:
        """One line for who runs it."""
        outcomes = Counter(f"{each['name'].partition('_')[0]} {each['status']}" for each in self.told)
        tolls = await self.toll()
        lost = {name: toll.lost for name, toll in tolls.items()}
        renewed = {name: toll.refreshes for name, toll in tolls.items()}
        moved, deleted = sum(owner.moved for owner in self.owners), sum(owner.deleted for owner in self.owners)
        planted = sum(len(owner.planted) for owner in self.owners)
        return (
            f"{len(self.told)} attempts in {self.seconds:.0f} s, all settled {self.converged_s:.0f} s later: "
            f"{dict(sorted(outcomes.items()))}; {self.kills} kills, answers lost {lost}, tokens renewed {renewed}; "
            f"owners planted {planted}, moved {moved}, deleted {deleted}"
        )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


async def make_owners(runtime: Runtime, calendars: RacedCalendars) -> tuple[UUID, list[Owner], list[str]]:
    """A tenant with a member for each calendar, who signed in to it and has an agent."""
    tenant_id = new_id()
    async with runtime.db.operator(tenant_id) as tx:
        await tenants.create(tx, "race", "Race", "UTC", tenant_id)
        members = [
            await tenants.add_member(tx, f"{calendar.name}@race.example", Role.EDITOR, calendar.name)
            for calendar in calendars.all
        ]
    agents: list[str] = []
    for member_id, calendar in zip(members, calendars.all, strict=True):
        await _connect(runtime, tenant_id, member_id, calendars, calendar)
        async with runtime.db.tenant(tenant_id) as tx:
            agents.append(str((await agent_versions.create_published(tx, AGENT, member_id, by="key:test")).id))
    return tenant_id, [Owner(*pair) for pair in zip(members, calendars.all, strict=True)], agents


async def _connect(
    runtime: Runtime, tenant_id: UUID, member_id: UUID, calendars: RacedCalendars, calendar: RacedCalendar
) -> None:
    connecting = runtime.resources.connecting
    if calendar is calendars.caldav:
        of = calendars.caldav
        signed_in = await connecting.try_password(
            ConnectionKey(tenant_id, member_id, "caldav"), BasicSecret(of.server.url, of.user, of.password)
        )
    else:
        of = calendars.microsoft if calendar is calendars.microsoft else calendars.google
        name = "microsoft" if calendar is calendars.microsoft else "google"
        back_to = "http://127.0.0.1/oauth/callback"
        async with runtime.db.tenant(tenant_id) as tx:
            asked = await connecting.ask(tx, member_id, name, redirect_uri=back_to, asked_by=new_id())
        back = await of.consent(asked.authorization_url)
        async with runtime.db.tenant(tenant_id) as tx:
            taken = await connecting.take(tx, back["state"], asked.session)
        signed_in = await connecting.sign_in(taken, back["code"])
    async with runtime.db.tenant(tenant_id) as tx:
        connection = await connecting.keep(tx, signed_in)
    await runtime.resources.choosing.adopt(tenant_id, connection.id)
