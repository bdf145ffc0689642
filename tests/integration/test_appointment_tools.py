"""The appointment tools on a real PostgreSQL: what models get back, for whom, and once."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tenantry.domain.agent import BUILT_IN_FUNCTIONS
from tenantry.domain.booking import BookingStatus
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest
from tenantry.storage.repositories import bookings
from tenantry.storage.tenancy import Database
from tenantry.tools.registry import call_tool, tool_specs
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.booking_parties import (
    DEFINITION,
    NOW,
    REFERENCES,
    Party,
    in_conversation,
    make_party,
    statuses,
)

THREE = "2026-11-24T15:00"
THREE_NY = "2026-11-24T15:00-05:00"
FOUR_NY = "2026-11-24T16:00-05:00"
ADDRESS = {"property_address": "12 Elm Street"}
NO_BOOKING = {"status": "not_found", "reason": "no_booking"}


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"])


async def kept(party: Party, booking_id: str):  # type: ignore[no-untyped-def]
    async with party.db.tenant(party.tenant_id) as tx:
        booking = await bookings.get(tx, UUID(booking_id))
    assert booking is not None
    return booking


async def refusals(party: Party) -> list[tuple[str, str, Mapping[str, Any]]]:
    async with party.db.tenant(party.tenant_id) as tx:
        rows = await tx.rows("SELECT actor, target, details FROM audit_log WHERE action = 'tool.refused' ORDER BY id")
    return [(row["actor"], row["target"], msgspec.json.decode(row["details"])) for row in rows]


async def booked(party: Party, start: str = THREE) -> str:
    result = await party.call("set_appointment", start=start, **ADDRESS)
    assert result.status == "booked", result
    return result.output["booking_id"]


async def test_a_booking_lands_in_the_owners_calendar(party: Party) -> None:
    price = {"amount": 250000, "currency": "USD"}
    result = await party.call(
        "set_appointment", user_id=party.agent.user_id, start=THREE, asking_price=price, seen_by="sign", **ADDRESS
    )
    assert result.output == {
        "status": "booked",
        "booking_id": result.output["booking_id"],
        "start": THREE_NY,
        "end": FOUR_NY,
        "time_zone": "America/New_York",
        "reference": REFERENCES.of(party.tenant_id, UUID(result.output["booking_id"])),
    }
    booking = await kept(party, result.output["booking_id"])
    assert booking.status is BookingStatus.CONFIRMED
    assert booking.calendar_id == (await party.calendar()).id
    assert (booking.contact_id, booking.conversation_id) == (party.contact_id, party.conversation_id)
    assert (booking.title, booking.time_zone) == ("Property Seller Agent", "America/New_York")
    assert booking.details == {"property_address": "12 Elm Street", "asking_price": price, "seen_by": "sign"}


async def test_an_agent_of_the_tenant_books_in_the_tenants_calendar(database: Database, tenant: TenantForTest) -> None:
    party = await make_party(database, tenant.id, None)
    booking = await kept(party, await booked(party))
    async with database.tenant(tenant.id) as tx:
        owner = await tx.value("SELECT owner_member_id FROM calendars WHERE id = $1", booking.calendar_id)
    assert owner is None


async def test_the_owner_is_that_of_the_conversation_not_of_the_agent(party: Party, tenant: TenantForTest) -> None:
    jon = tenant.members["jon"]
    context = replace(party.context(), owner_member_id=jon)
    arguments = {"start": THREE, "user_id": str(jon), **ADDRESS}
    result = await call_tool(context, ToolCallRequest("1", "set_appointment", arguments))
    booking = await kept(party, result.output["booking_id"])
    async with party.db.tenant(party.tenant_id) as tx:
        owner = await tx.value("SELECT owner_member_id FROM calendars WHERE id = $1", booking.calendar_id)
    assert owner == jon


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("2026-11-23T06:59", "past"),
        ("2026-11-23T07:30", "outside_business_hours"),
        ("2026-11-24T16:30", "outside_business_hours"),
        ("2027-03-01T10:00", "too_far"),
        ("2026-11-24T14:30", "taken"),
        ("2026-11-24T20:30Z", "taken"),
    ],
)
async def test_what_is_not_possible_comes_with_times_that_are(party: Party, start: str, reason: str) -> None:
    await booked(party)
    result = await party.call("set_appointment", start=start, **ADDRESS)
    assert set(result.output) == {"status", "reason", "alternatives"}
    assert (result.status, result.output["reason"]) == ("unavailable", reason)
    alternatives = result.output["alternatives"]
    assert len(alternatives) == 3
    assert alternatives == sorted(alternatives)
    assert await statuses(party) == {"confirmed": 1}
    assert await booked(party, alternatives[0])


async def test_alternatives_to_a_taken_start_are_the_nearest(party: Party) -> None:
    await booked(party)
    result = await party.call("set_appointment", start=THREE, **ADDRESS)
    assert result.output["alternatives"] == [
        "2026-11-24T13:30-05:00",
        "2026-11-24T14:00-05:00",
        "2026-11-24T16:00-05:00",
    ]


async def test_a_time_that_the_clocks_skip(database: Database, tenant: TenantForTest) -> None:
    night = replace(DEFINITION.business_hours[0], days=("sun",), opens="00:00", closes="06:00")
    rules = replace(DEFINITION.appointments, horizon_days=200)
    definition = replace(DEFINITION, business_hours=(night,), appointments=rules)
    party = await make_party(database, tenant.id, None, definition)
    result = await party.call("set_appointment", start="2027-03-14T02:30", **ADDRESS)
    assert (result.status, result.output["reason"]) == ("unavailable", "invalid_time")
    assert result.output["alternatives"] == [
        "2027-03-14T01:30-05:00",
        "2027-03-14T03:00-04:00",
        "2027-03-14T03:30-04:00",
    ]


async def test_a_turn_run_again_books_nothing_twice(party: Party) -> None:
    turn_id = new_id()
    first = await party.call("set_appointment", turn_id, start=THREE, **ADDRESS)
    again = await party.call("set_appointment", turn_id, start=THREE, **ADDRESS)
    assert first.status == "booked"
    assert again == first
    # Even when it is too late to book: what was done stays done.
    late = party.context(turn_id, now=NOW + timedelta(days=10))
    assert await call_tool(late, ToolCallRequest("1", "set_appointment", {"start": THREE, **ADDRESS})) == first
    assert await statuses(party) == {"confirmed": 1}


@pytest.mark.parametrize("hold_for", [timedelta(minutes=2), timedelta(0)], ids=["hold lasts", "hold ran out"])
async def test_killed_between_hold_and_confirm(party: Party, hold_for: timedelta) -> None:
    context = party.context()
    calendar = await party.calendar()
    start = NOW + timedelta(days=1, hours=8)
    held = await calendar.hold(party.new_booking(calendar, start, effect_key=context.effect_key), hold_for)
    assert held is not None
    result = await call_tool(context, ToolCallRequest("1", "set_appointment", {"start": THREE, **ADDRESS}))
    assert (result.status, result.output["booking_id"]) == ("booked", str(held.id))
    assert await statuses(party) == {"confirmed": 1}


async def test_killed_after_hold_and_somebody_else_came(party: Party) -> None:
    context = party.context()
    calendar = await party.calendar()
    start = NOW + timedelta(days=1, hours=8)
    await calendar.hold(party.new_booking(calendar, start, effect_key=context.effect_key), timedelta(0))
    await booked(await party.another_contact())
    result = await call_tool(context, ToolCallRequest("1", "set_appointment", {"start": THREE, **ADDRESS}))
    assert (result.status, result.output["reason"]) == ("unavailable", "taken")
    assert len(result.output["alternatives"]) == 3
    assert await statuses(party) == {"confirmed": 1, "expired": 1}


async def test_many_contacts_want_one_slot(party: Party) -> None:
    contacts = await asyncio.gather(*(party.another_contact() for _ in range(30)))
    results = await asyncio.gather(*(c.call("set_appointment", start=THREE, **ADDRESS) for c in contacts))
    assert sorted(result.status for result in results) == ["booked"] + ["unavailable"] * 29
    assert {result.output.get("reason") for result in results} == {None, "taken"}
    for result in results:
        assert THREE_NY not in result.output.get("alternatives", [])
    assert await statuses(party) == {"confirmed": 1}


async def test_free_times(party: Party) -> None:
    await booked(party, "2026-11-23T10:00")
    now = await party.call("check_availability")
    assert now.output == {
        "status": "ok",
        "free": [f"2026-11-23T{time}-05:00" for time in ("09:00", "11:00", "11:30", "12:00", "12:30", "13:00")],
        "time_zone": "America/New_York",
    }
    one_day = await party.call("check_availability", start="2026-11-24", end="2026-11-24")
    assert [start[:13] for start in one_day.output["free"]] == [f"2026-11-24T{h}" for h in ("09", "09", 10, 10, 11, 11)]
    afternoon = await party.call("check_availability", start="2026-11-24T15:00", end="2026-11-24T16:00")
    assert afternoon.output["free"] == [THREE_NY, "2026-11-24T15:30-05:00"]
    assert (await party.call("check_availability", start="2026-11-28", end="2026-11-29")).output["free"] == []
    assert (await party.call("check_availability", start="2027-06-01")).output["free"] == []
    assert (await party.call("check_availability", start="2026-11-25", end="2026-11-24")).output["free"] == []


async def test_free_times_beyond_a_booked_up_month(database: Database, tenant: TenantForTest) -> None:
    party = await make_party(database, tenant.id)
    calendar = await party.calendar()
    for day in range(33):
        assert await calendar.hold(
            party.new_booking(calendar, NOW + timedelta(days=day, hours=1)), timedelta(minutes=10)
        )
    async with database.tenant(tenant.id) as tx:
        await tx.execute(
            "UPDATE bookings SET ends_at = starts_at + interval '24 hours', "
            "blocked = tstzrange(starts_at, starts_at + interval '24 hours') WHERE tenant_id = $1",
            tenant.id,
        )
    free = (await party.call("check_availability")).output["free"]
    assert len(free) == 6
    assert free[0] == "2026-12-28T09:00-05:00"


async def test_moving_keeps_the_booking(party: Party) -> None:
    booking_id = await booked(party)
    result = await party.call("reschedule_appointment", start="2026-11-24T15:30")
    assert result.output == {
        "status": "moved",
        "booking_id": booking_id,
        "start": "2026-11-24T15:30-05:00",
        "end": "2026-11-24T16:30-05:00",
        "time_zone": "America/New_York",
    }
    assert await statuses(party) == {"confirmed": 1}
    assert await booked(party, "2026-11-24T14:30")


async def test_moving_to_what_is_not_possible_changes_nothing(party: Party) -> None:
    booking_id = await booked(party)
    await booked(await party.another_contact(), "2026-11-25T10:00")
    before = await kept(party, booking_id)
    for start, reason in (("2026-11-25T10:30", "taken"), ("2026-11-29T10:00", "outside_business_hours")):
        result = await party.call("reschedule_appointment", start=start, booking_id=booking_id)
        assert (result.status, result.output["reason"]) == ("unavailable", reason)
        assert len(result.output["alternatives"]) == 3
    assert await kept(party, booking_id) == before


async def test_moving_again_in_the_same_turn_leaves_the_next_booking_alone(party: Party) -> None:
    first, second = await booked(party), await booked(party, "2026-11-25T10:00")
    turn_id = new_id()
    moved = await party.call("reschedule_appointment", turn_id, start="2026-11-26T10:00")
    again = await party.call("reschedule_appointment", turn_id, start="2026-11-26T12:00")
    assert again == moved
    assert moved.output["booking_id"] == first
    assert (await kept(party, second)).starts_at.isoformat() == "2026-11-25T15:00:00+00:00"


async def test_cancelling_again_in_the_same_turn_leaves_the_next_booking_alone(party: Party) -> None:
    first, second = await booked(party), await booked(party, "2026-11-25T10:00")
    turn_id = new_id()
    cancelled = await party.call("cancel_appointment", turn_id)
    assert cancelled.status == "cancelled"
    assert (cancelled.output["booking_id"], cancelled.output["start"]) == (first, THREE_NY)
    assert await party.call("cancel_appointment", turn_id) == cancelled
    assert await statuses(party) == {"confirmed": 1, "cancelled": 1}
    assert (await party.call("cancel_appointment")).output["booking_id"] == second
    assert (await party.call("cancel_appointment")).output == NO_BOOKING
    assert (await party.call("reschedule_appointment", start=THREE)).output == NO_BOOKING


async def test_what_is_over_is_not_found(party: Party) -> None:
    booking_id = await booked(party)
    context = party.context(now=NOW + timedelta(days=30))
    for arguments in ({}, {"booking_id": booking_id}):
        assert (await call_tool(context, ToolCallRequest("1", "cancel_appointment", arguments))).output == NO_BOOKING


async def test_a_booking_of_somebody_else_is_not_found(
    party: Party, database: Database, tenant: TenantForTest, make_tenant: MakeTenant
) -> None:
    other_tenant = await make_party(database, (await make_tenant()).id)
    jons_agent = await make_party(database, tenant.id, tenant.members["jon"])
    same_contact_other_owner = replace(party, agent=jons_agent.agent)
    strangers = [await party.another_contact(), jons_agent, other_tenant]
    foreign = [await booked(stranger) for stranger in strangers]
    foreign.append(await booked(same_contact_other_owner, "2026-11-24T10:00"))
    for booking_id in (*foreign, str(new_id()), "no id", "", foreign[0].upper() + " "):
        for name, more in (("cancel_appointment", {}), ("reschedule_appointment", {"start": "2026-11-25T10:00"})):
            result = await party.call(name, booking_id=booking_id, **more)
            assert result.output == NO_BOOKING
            assert (await party.call(name, **more)).output == NO_BOOKING
    assert await statuses(party) == {"confirmed": 3}
    assert await statuses(other_tenant) == {"confirmed": 1}


TOOLS = ["check_availability", "set_appointment", "reschedule_appointment", "cancel_appointment"]


@pytest.mark.parametrize("name", TOOLS)
async def test_another_owner_is_refused_and_audited(party: Party, tenant: TenantForTest, name: str) -> None:
    await booked(party)
    jon = str(tenant.members["jon"])
    result = await party.call(name, user_id=jon, start="2026-11-25T10:00", **ADDRESS)
    assert (result.status, result.output["reason"]) == ("refused", "owner_mismatch")
    assert result.output["message"]
    assert await refusals(party) == [
        (
            "key:test",
            f"agent:{party.agent.id}",
            {"tool": name, "conversation_id": str(party.conversation_id), "user_id": jon},
        )
    ]
    assert await statuses(party) == {"confirmed": 1}


@pytest.mark.parametrize(
    "given", ["x" * 1000, "nul\x00 and \ud800", "", None, 7, ["a"], {"id": 1}, "Ada Lovelace, ada@example.org"]
)
async def test_whatever_comes_as_user_id_is_refused_and_what_is_no_id_not_kept(party: Party, given: object) -> None:
    result = await party.call("set_appointment", user_id=given, start=THREE, **ADDRESS)
    assert result.status == "refused"
    assert [details["user_id"] for _, _, details in await refusals(party)] == ["(no id)"]
    assert await statuses(party) == {}


GOOD = {"start": THREE, **ADDRESS}


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("set_appointment", {}, "start"),
        ("set_appointment", {"start": THREE}, "property_address"),
        ("set_appointment", {**GOOD, "start": "tomorrow at three"}, "start"),
        ("set_appointment", {**GOOD, "start": 5}, "start"),
        ("set_appointment", {**GOOD, "start": None}, "start"),
        ("set_appointment", {**GOOD, "start": "2026-11-24"}, "start"),
        ("set_appointment", {**GOOD, "start": "2026-11-24T15:00" * 10}, "start"),
        ("set_appointment", {**GOOD, "owner_member_id": "x"}, "owner_member_id"),
        ("set_appointment", {**GOOD, "calendar_id": "x"}, "calendar_id"),
        ("set_appointment", {**GOOD, "tenant_id": "x"}, "tenant_id"),
        ("set_appointment", {**GOOD, "secret": "not of this function"}, "secret"),
        ("set_appointment", {**GOOD, "property_address": "x" * 501}, "property_address"),
        ("set_appointment", {**GOOD, "property_address": "nul \x00"}, "property_address"),
        ("set_appointment", {**GOOD, "property_address": "half \ud800"}, "property_address"),
        ("set_appointment", {**GOOD, "property_address": {"a": 1}}, "property_address"),
        ("set_appointment", {**GOOD, "seen_by": "radio"}, "seen_by"),
        ("set_appointment", {**GOOD, "asking_price": 5}, "asking_price"),
        ("set_appointment", {**GOOD, "asking_price": {"amount": 1}}, "currency"),
        ("set_appointment", {**GOOD, "asking_price": {"amount": float("nan"), "currency": None}}, "amount"),
        ("set_appointment", {**GOOD, "asking_price": {"amount": 10**400, "currency": None}}, "amount"),
        ("set_appointment", {**GOOD, "asking_price": {"amount": True, "currency": None}}, "amount"),
        ("set_appointment", {**GOOD, "asking_price": {"amount": 1, "currency": "dollars"}}, "currency"),
        ("check_availability", {"start": "soon"}, "start"),
        ("check_availability", {"end": "2026-02-30"}, "end"),
        ("check_availability", {"end": "9999-12-31"}, "end"),
        ("cancel_appointment", {"booking_id": 5}, "booking_id"),
        ("cancel_appointment", {"booking_id": "x" * 65}, "booking_id"),
        ("cancel_appointment", {"reason": "x"}, "reason"),
        ("reschedule_appointment", {}, "start"),
    ],
)
async def test_bad_arguments_are_answered(party: Party, name: str, arguments: dict[str, Any], says: str) -> None:
    if name == "reschedule_appointment":
        await booked(party)
    before = await statuses(party)
    result = await party.call(name, **arguments)
    assert set(result.output) == {"status", "reason", "message"}
    assert (result.status, result.output["reason"]) == ("invalid", "invalid_arguments")
    assert says in result.output["message"]
    assert await statuses(party) == before


async def test_a_bad_start_of_a_move_is_answered(party: Party) -> None:
    await booked(party)
    assert (await party.call("reschedule_appointment", start="later")).status == "invalid"


@pytest.mark.parametrize("name", ["get_valuation", "delete_everything", "", "SET_APPOINTMENT", "__class__"])
async def test_a_tool_that_is_not_there(party: Party, name: str) -> None:
    assert (await party.call(name, **GOOD)).output == {"status": "failed", "reason": "unavailable_tool"}


@pytest.mark.parametrize("state", ["disabled", "missing"])
async def test_a_function_that_the_agent_may_not_use(database: Database, tenant: TenantForTest, state: str) -> None:
    functions = [replace(f, enabled=state != "disabled") for f in DEFINITION.functions if state != "missing"]
    party = await make_party(database, tenant.id, None, replace(DEFINITION, functions=tuple(functions)))
    assert (await party.call("set_appointment", **GOOD)).output == {"status": "failed", "reason": "unavailable_tool"}
    assert tool_specs(party.agent) == ()
    assert await statuses(party) == {}


async def test_what_models_are_shown(party: Party) -> None:
    specs = {spec.name: spec for spec in tool_specs(party.agent)}
    assert list(specs) == TOOLS
    assert set(TOOLS) < BUILT_IN_FUNCTIONS
    for spec in specs.values():
        assert spec.description
        assert spec.parameters["type"] == "object"
        assert spec.parameters["additionalProperties"] is False
        assert spec.parameters["properties"]["user_id"]["default"] == str(party.agent.owner_member_id)
    own = {name: list(spec.parameters["properties"]) for name, spec in specs.items()}
    assert own == {
        "check_availability": ["user_id", "start", "end", "time_zone"],
        "set_appointment": ["property_address", "asking_price", "seen_by", "user_id", "start", "time_zone"],
        "reschedule_appointment": ["user_id", "start", "booking_id", "booking_reference", "time_zone"],
        "cancel_appointment": ["user_id", "booking_id", "booking_reference"],
    }
    assert specs["set_appointment"].parameters["required"] == ["start", "property_address"]
    assert specs["reschedule_appointment"].parameters["required"] == ["start"]
    assert specs["set_appointment"].parameters["properties"]["seen_by"]["enum"] == ["mail", "sign"]


async def test_two_agents_of_one_owner_share_the_calendar(party: Party, database: Database) -> None:
    second = await make_party(database, party.tenant_id, party.agent.owner_member_id)
    booking_id = await booked(party)
    assert (await second.call("set_appointment", **GOOD)).output["reason"] == "taken"
    # Without an id only the agent's own appointments are meant, with it any of the contact with this owner.
    same_contact = replace(await in_conversation(database, second.agent), contact_id=party.contact_id)
    assert (await same_contact.call("cancel_appointment")).output == NO_BOOKING
    assert (await same_contact.call("cancel_appointment", booking_id=booking_id)).status == "cancelled"
