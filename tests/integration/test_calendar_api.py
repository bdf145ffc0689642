"""`/api/v1/calendar/events`: what was booked over HTTP, where it is seen, paging."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import TenantForTest
from tests.integration.conftest import Call

EVENTS = "/api/v1/calendar/events"


async def _agent(call: Call, key: str, zone: str = "UTC") -> str:
    definition = {"name": "Booker", "time_zone": zone, "functions": [{"name": "set_appointment"}]}
    _, agent = await call(key, "POST", "/api/v1/agents", json={"definition": definition, "publish": True})
    return agent["id"]


async def _book(call: Call, key: str, agent_id: str, start: datetime) -> dict[str, Any]:
    body = {"message": f"book {start:%Y-%m-%d} at {start:%H:%M}", "agentId": agent_id, "leadId": f"{start}"}
    _, answer = await call(key, "POST", "/api/agent/reply", json=body)
    assert answer["toolCalls"][-1]["output"]["status"] == "booked", answer
    return answer["toolCalls"][-1]["output"]


def _weekday(hour: int) -> datetime:
    today = datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    return today + timedelta(days=(2 - today.weekday()) % 7 + 7)


async def test_a_booking_is_seen_by_its_owner_and_the_tenant(call: Call, tenant: TenantForTest) -> None:
    agent_id = await _agent(call, tenant.keys["mark"], "America/New_York")
    booked = await _book(call, tenant.keys["mark"], agent_id, _weekday(10))
    for who, sees in (("mark", True), ("jon", False), ("olga", True)):
        _, page = await call(tenant.keys[who], "GET", EVENTS)
        assert [event["id"] for event in page["items"]] == ([booked["booking_id"]] if sees else [])
    _, page = await call(tenant.key, "GET", EVENTS)
    event = page["items"][0]
    assert event["owner_member_id"] == str(tenant.members["mark"])
    assert datetime.fromisoformat(event["start"]) == datetime.fromisoformat(booked["start"])
    assert datetime.fromisoformat(event["start"]).strftime("%H:%M") == "10:00"
    assert datetime.fromisoformat(event["end"]) - datetime.fromisoformat(event["start"]) == timedelta(minutes=30)


async def test_events_come_in_order_page_by_page_and_between_moments(call: Call, tenant: TenantForTest) -> None:
    agent_id = await _agent(call, tenant.key)
    starts = [_weekday(hour) for hour in (15, 9, 12, 10, 14)]
    for start in starts:
        await _book(call, tenant.key, agent_id, start)
    seen: list[str] = []
    params: dict[str, str] = {"limit": "2"}
    while True:
        _, page = await call(tenant.key, "GET", EVENTS, params=params)
        seen.extend(event["start"] for event in page["items"])
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert [datetime.fromisoformat(start) for start in seen] == sorted(starts)
    window = {"from": _weekday(10).isoformat(), "to": _weekday(14).isoformat()}
    _, page = await call(tenant.key, "GET", EVENTS, params=window)
    assert [datetime.fromisoformat(event["start"]) for event in page["items"]] == [_weekday(10), _weekday(12)]


@pytest.mark.parametrize("params", [{"cursor": "???"}, {"cursor": "eHg="}, {"from": "yesterday"}, {"limit": "0"}])
async def test_bad_parameters_are_told(call: Call, tenant: TenantForTest, params: dict[str, str]) -> None:
    status, error = await call(tenant.key, "GET", EVENTS, params=params)
    assert (status, error["code"]) == (422, "invalid_input")
    assert error["errors"][0]["field"] == next(iter(params))
