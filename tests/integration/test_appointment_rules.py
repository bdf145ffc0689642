"""Holidays and the daily maximum where appointments are made: whoever races, a day takes no more than it may."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tenantry.calendars.appointment_book import AppointmentBook
from tenantry.domain.agent import AppointmentRules, Holidays
from tenantry.domain.booking import DailyLimit, Interval
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.booking_parties import (
    DEFINITION,
    HOUR,
    NOW,
    Party,
    effect,
    in_conversation,
    make_party,
    statuses,
)

ADDRESS = {"property_address": "12 Elm Street"}
TUESDAY = "2026-11-24"
MIDNIGHT = datetime(2026, 11, 24, tzinfo=ZoneInfo("America/New_York"))
LIMIT = DailyLimit(Interval(MIDNIGHT, MIDNIGHT + timedelta(days=1)), 3)
GONE = timedelta(0)


def with_rules(**rules: Any):  # type: ignore[no-untyped-def]
    return replace(DEFINITION, appointments=AppointmentRules(**{"horizon_days": 60, "length_minutes": 60, **rules}))


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with an agent that gives three appointments of five minutes a day."""
    definition = with_rules(length_minutes=5, daily_maximum=3)
    return await make_party(database, tenant.id, tenant.members["mark"], definition)


async def book(party: Party, start: str):  # type: ignore[no-untyped-def]
    return await party.call("set_appointment", start=start, **ADDRESS)


async def on_tuesday(party: Party) -> int:
    async with party.db.tenant(party.tenant_id) as tx:
        return await tx.value(
            "SELECT count(*) FROM bookings WHERE status = 'confirmed' AND starts_at >= $1 AND starts_at < $2",
            LIMIT.day.start,
            LIMIT.day.end,
        )


async def test_a_holiday_is_closed_and_told(database: Database, tenant: TenantForTest) -> None:
    definition = with_rules(holidays=Holidays("US"), closed=("2026-11-27",))
    party = await make_party(database, tenant.id, None, definition)
    for thanksgiving_and_after in ("2026-11-26T10:00", "2026-11-27T10:00"):
        result = await book(party, thanksgiving_and_after)
        assert (result.status, result.output["reason"]) == ("unavailable", "holiday")
        assert not [s for s in result.output["alternatives"] if s[:10] in {"2026-11-26", "2026-11-27"}]
    assert (await party.call("check_availability", start="2026-11-26", end="2026-11-29")).output["free"] == []


async def test_fifty_at_once_get_what_a_day_may_hold(party: Party) -> None:
    contacts = await asyncio.gather(*(party.another_contact() for _ in range(50)))
    wanted = [f"{TUESDAY}T{9 + 5 * n // 60:02d}:{5 * n % 60:02d}" for n in range(50)]
    results = await asyncio.gather(*(book(c, start) for c, start in zip(contacts, wanted, strict=True)))
    assert Counter((r.status, r.output.get("reason")) for r in results) == {
        ("booked", None): 3,
        ("unavailable", "day_full"): 47,
    }
    assert await statuses(party) == {"confirmed": 3}
    for result in results:
        assert not [s for s in result.output.get("alternatives", ()) if s.startswith(TUESDAY)]
    free = (await party.call("check_availability", start=TUESDAY, end="2026-11-25")).output["free"]
    assert free[0] == "2026-11-25T09:00-05:00"


async def test_moves_race_for_a_day_too(party: Party) -> None:
    movers = await asyncio.gather(*(party.another_contact() for _ in range(12)))
    # Three on each of four other days.
    for number, mover in enumerate(movers):
        day = ("2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30")[number // 3]
        assert (await book(mover, f"{day}T10:{5 * number:02d}")).status == "booked"
    moves = (
        mover.call("reschedule_appointment", start=f"{TUESDAY}T10:{5 * number:02d}")
        for number, mover in enumerate(movers)
    )
    results = await asyncio.gather(*moves)
    assert Counter((r.status, r.output.get("reason")) for r in results) == {
        ("moved", None): 3,
        ("unavailable", "day_full"): 9,
    }
    assert await on_tuesday(party) == 3
    # Within its own full day, an appointment is in nobody's way.
    moved = next(mover for mover, result in zip(movers, results, strict=True) if result.status == "moved")
    assert (await moved.call("reschedule_appointment", start=f"{TUESDAY}T16:00")).status == "moved"


async def test_what_counts_towards_a_day(party: Party, database: Database) -> None:
    cancelled = await party.another_contact()
    assert (await book(cancelled, f"{TUESDAY}T09:00")).status == "booked"
    assert (await cancelled.call("cancel_appointment")).status == "cancelled"
    calendar = await party.calendar()
    start = MIDNIGHT + 10 * HOUR
    assert await calendar.hold(party.new_booking(calendar, start), GONE)
    other_agent = await in_conversation(database, (await make_party(database, party.tenant_id)).agent)
    assert await calendar.hold(other_agent.new_booking(calendar, start + 2 * HOUR))
    for hour in (13, 14):
        assert (await book(await party.another_contact(), f"{TUESDAY}T{hour}:00")).status == "booked"
    assert await calendar.hold(party.new_booking(calendar, start + 6 * HOUR, limit=LIMIT))
    assert (await book(party, f"{TUESDAY}T09:00")).output["reason"] == "day_full"
    assert (await book(party, "2026-11-25T09:00")).status == "booked"


async def _full_but_for_one_hold(party: Party, calendar: AppointmentBook, hold_for: timedelta):  # type: ignore[no-untyped-def]
    held = await calendar.hold(party.new_booking(calendar, MIDNIGHT + 9 * HOUR, limit=LIMIT), hold_for)
    assert held is not None
    for hour in (11, 13, 15):
        later = await calendar.hold(party.new_booking(calendar, MIDNIGHT + hour * HOUR, limit=LIMIT))
        if later is not None:
            assert await calendar.confirm(later, LIMIT)
    return held


async def test_a_hold_that_ran_out_is_not_confirmed_on_a_day_that_filled_up(party: Party) -> None:
    calendar = await party.calendar()
    held = await _full_but_for_one_hold(party, calendar, GONE)
    assert await calendar.confirm(held, LIMIT) is None
    assert await statuses(party) == {"confirmed": 3, "expired": 1}


async def test_a_hold_that_lasts_has_its_place(party: Party) -> None:
    calendar = await party.calendar()
    held = await _full_but_for_one_hold(party, calendar, timedelta(minutes=2))
    assert await calendar.confirm(held, LIMIT)
    assert await statuses(party) == {"confirmed": 3}


async def test_a_move_to_a_full_day_changes_nothing(party: Party) -> None:
    calendar = await party.calendar()
    await _full_but_for_one_hold(party, calendar, timedelta(minutes=2))
    elsewhere = await calendar.hold(party.new_booking(calendar, NOW + timedelta(days=5)))
    assert elsewhere is not None
    booked = await calendar.confirm(elsewhere)
    assert booked is not None
    slot = Interval(MIDNIGHT + 17 * HOUR, MIDNIGHT + 18 * HOUR)
    kept = {"buffer": GONE, "time_zone": "UTC", "details": {}}
    assert await calendar.move(booked, slot, effect(), limit=LIMIT, **kept) is None
    assert await calendar.move(booked, slot, effect(), limit=replace(LIMIT, maximum=4), **kept)
