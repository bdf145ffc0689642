"""A thousand attempts on twenty slots by forty clients at once, over HTTP."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.conftest import Call

CLIENTS = 40
ATTEMPTS = 1_000
SLOTS = 20


def slots() -> list[datetime]:
    """Twenty half hours on two weekdays of the week after next, as wall times in UTC."""
    today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
    tuesday = today + timedelta(days=(1 - today.weekday()) % 7 + 7)
    days = (tuesday, tuesday + timedelta(days=1))
    return [day + timedelta(minutes=30 * number) for day in days for number in range(SLOTS // 2)]


async def test_a_thousand_attempts_on_twenty_slots(call: Call, tenant: TenantForTest, database: Database) -> None:
    definition = {"name": "Booker", "time_zone": "UTC", "functions": [{"name": "set_appointment"}]}
    _, agent = await call(
        tenant.keys["mark"], "POST", "/api/v1/agents", json={"definition": definition, "publish": True}
    )
    wanted = slots()
    answers: list[tuple[datetime, dict[str, Any]]] = []

    async def client(number: int) -> None:
        for attempt in range(ATTEMPTS // CLIENTS):
            start = wanted[(number + attempt * 7) % SLOTS]
            body = {
                "message": f"Please book {start:%Y-%m-%d} at {start:%H:%M}",
                "agentId": agent["id"],
                "leadId": f"lead-{number}-{attempt}",
            }
            status, answer = await call(tenant.keys["mark"], "POST", "/api/agent/reply", json=body)
            assert status == 200, answer
            answers.append((start, answer))

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))

    async with database.tenant(tenant.id) as tx:
        live = await tx.rows(
            "SELECT starts_at, status FROM bookings WHERE status IN ('held', 'confirmed') ORDER BY starts_at"
        )
        overlaps = await tx.value(
            "SELECT count(*) FROM bookings a JOIN bookings b ON a.calendar_id = b.calendar_id AND a.id < b.id "
            "AND a.blocked && b.blocked WHERE a.status = 'confirmed' AND b.status = 'confirmed'"
        )
    assert [row["starts_at"].replace(tzinfo=None) for row in live] == sorted(wanted)
    assert {row["status"] for row in live} == {"confirmed"}
    assert overlaps == 0
    assert len(answers) == ATTEMPTS
    outcomes = Counter(answer["toolCalls"][-1]["output"]["status"] for _, answer in answers)
    assert outcomes == {"booked": SLOTS, "unavailable": ATTEMPTS - SLOTS}
    for start, answer in answers:
        output = answer["toolCalls"][-1]["output"]
        if output["status"] == "unavailable":
            assert output["reason"] == "taken"
            assert output["alternatives"]
            assert answer["quickReplies"]
            assert start.isoformat() not in [alternative[:19] for alternative in output["alternatives"]]
