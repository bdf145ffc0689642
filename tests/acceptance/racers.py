"""Contacts who book, move and cancel by tool calls, and look at once whether they were told the truth."""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from tenantry.domain.agent import WEEKDAYS, AgentDefinition, AppointmentRules, Function, OpeningHours
from tenantry.domain.errors import DatabaseUnavailable
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import agents
from tenantry.storage.tenancy import Row
from tenantry.tools.registry import call_tool
from tests.integration.booking_parties import Party, in_conversation

AGENT = AgentDefinition(
    name="Viewings",
    time_zone="UTC",
    appointments=AppointmentRules(length_minutes=60, horizon_days=60),
    business_hours=(OpeningHours(days=WEEKDAYS, opens="00:00", closes="24:00"),),
    functions=(
        Function("check_availability"),
        Function("set_appointment"),
        Function("reschedule_appointment"),
        Function("cancel_appointment"),
    ),
)
SLOTS = 36
_AT_ONCE = 12
_CONTACTS = 40
_MOVES, _CANCELLATIONS = 0.1, 0.1
# In the order of the agents. Radicale takes ten times as long as the others for what it is asked.
_WEIGHTS = (4, 4, 2)
# A hold is nobody's appointment, and ends by itself.
_LIVE = frozenset({"pending", "confirmed"})
# Between two of the hours that everybody wants.
_ELSEWHERE = timedelta(hours=1)


def slots() -> list[datetime]:
    """The hours that everybody wants: of days to come, with a free hour between each two."""
    first = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) + timedelta(days=3)
    return [first + timedelta(days=number // 6, hours=2 * (number % 6)) for number in range(SLOTS)]


@dataclass
class _Member:
    """An owner's agent, the contacts who talk with it, and what they booked and nobody is changing now."""

    contacts: list[Party]
    booked: list[tuple[Party, str, datetime]] = field(default_factory=list[tuple[Party, str, datetime]])


class _Race:
    def __init__(self, members: list[_Member], seed: int, told: TextIO) -> None:
        self._members = members
        self._told = told
        self._random = random.Random(seed)  # noqa: S311 - which attempts are made, nothing secret
        self._slots = slots()

    async def attempt(self) -> None:
        """One tool call, and what is to be told of it."""
        [member] = self._random.choices(self._members, _WEIGHTS)
        chance = self._random.random()
        start = self._random.choice(self._slots)
        changes = chance < _MOVES + _CANCELLATIONS and member.booked
        if not changes:
            party = self._random.choice(member.contacts)
            await self._told_of("set_appointment", member, party, start, {"start": start.isoformat()})
            return
        party, booking, at = member.booked.pop(self._random.randrange(len(member.booked)))
        if start == at:
            start += _ELSEWHERE
        if chance < _MOVES:
            wanted = {"start": start.isoformat(), "booking_id": booking}
            await self._told_of("reschedule_appointment", member, party, start, wanted)
        else:
            await self._told_of("cancel_appointment", member, party, start, {"booking_id": booking})

    async def _told_of(
        self, name: str, member: _Member, party: Party, start: datetime, arguments: dict[str, Any]
    ) -> None:
        context = party.context(now=datetime.now(UTC))
        began = time.monotonic()
        while True:
            try:
                result = await call_tool(context, ToolCallRequest("call-1", name, arguments))
                break
            except DatabaseUnavailable:
                await asyncio.sleep(0.1)
        row = await _row_of(party, context.effect_key, arguments.get("booking_id"))
        lie = _lie(name, result, row, start)
        line = {
            "member": str(party.agent.owner_member_id),
            "name": name,
            **result.output,
            "lie": lie,
            "seconds": time.monotonic() - began,
        }
        self._told.write(json.dumps(line) + "\n")
        if row is not None and row["status"] in _LIVE:
            member.booked.append((party, str(row["id"]), row["starts_at"]))


async def _row_of(party: Party, effect_key: str, booking_id: str | None) -> Row | None:
    """The booking that the call made or was about, as it is now."""
    async with party.db.tenant(party.tenant_id) as tx:
        return await tx.row(
            "SELECT id, status, starts_at, by_owner, requested_at FROM bookings "
            "WHERE tenant_id = $1 AND (id = $2 OR ($2 IS NULL AND effect_key = $3))",
            tx.tenant_id,
            UUID(booking_id) if booking_id else None,
            effect_key,
        )


def _lie(name: str, result: ToolResult, row: Row | None, start: datetime) -> str:
    """What was not true of the answer; nothing when it was all true. What its owner did meanwhile no answer knows."""
    status = row["status"] if row else "none"
    there = row is not None and row["starts_at"] == start
    if row is not None and row["by_owner"]:
        return ""
    true = {
        "booked": status == "confirmed" and there,
        "moved": status == "confirmed" and there,
        "requested": row is not None and row["requested_at"] is not None and status != "held",
        "cancelled": status == "cancelled",
        "not_found": status not in _LIVE,
        "unavailable": status not in _LIVE if name == "set_appointment" else not (status == "confirmed" and there),
    }.get(result.status, False)
    return "" if true else f"{name}: {dict(result.output)}, but it is {dict(row) if row else None}, wanted {start}"


async def race(
    runtime: Runtime, tenant_id: str, agent_ids: Sequence[str], seed: int, attempts: int, told: Path
) -> None:
    """Make the attempts, many at a time, and write a line of JSON for each."""
    sides = runtime.resources.calendars
    async with runtime.db.tenant(UUID(tenant_id)) as tx:
        found = [await agents.get(tx, UUID(each), sees_only=None) for each in agent_ids]
    members = [
        _Member([replace(await in_conversation(runtime.db, record.draft()), sides=sides) for _ in range(_CONTACTS)])
        for record in found
        if record is not None
    ]
    with told.open("w", buffering=1) as lines:
        made = _Race(members, seed, lines)
        numbers: Iterator[int] = itertools.count()

        async def one_after_the_other() -> None:
            while next(numbers) < attempts:
                await made.attempt()

        await asyncio.gather(*(one_after_the_other() for _ in range(_AT_ONCE)))
