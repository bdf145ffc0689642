"""Times in the contact's zone and the owner's, from what a model says and from what a channel knows."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenantry.storage.repositories import bookings
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, make_party
from tests.integration.conftest import Call

BERLIN = "Europe/Berlin"
ADDRESS = {"property_address": "12 Elm Street"}
BOTH = {
    "start": "2026-11-24T10:00-05:00",
    "end": "2026-11-24T11:00-05:00",
    "time_zone": "America/New_York",
    "contact_start": "2026-11-24T16:00+01:00",
    "contact_end": "2026-11-24T17:00+01:00",
    "contact_time_zone": BERLIN,
}


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent in New York, whose zone is not known."""
    return await make_party(database, tenant.id, tenant.members["mark"])


async def agreed_zone(party: Party, booking_id: str) -> str:
    async with party.db.tenant(party.tenant_id) as tx:
        booking = await bookings.get(tx, UUID(booking_id))
    assert booking is not None
    assert booking.starts_at == datetime(2026, 11, 24, 15, tzinfo=UTC)
    return booking.time_zone


@pytest.mark.parametrize("known_by", ["argument", "channel"])
async def test_a_wall_time_is_the_contacts_and_told_in_both_zones(party: Party, known_by: str) -> None:
    zone = {"time_zone": BERLIN} if known_by == "argument" else {}
    contact = replace(party, time_zone=None if zone else BERLIN)
    result = await contact.call("set_appointment", start="2026-11-24T16:00", **zone, **ADDRESS)
    assert {**result.output, **BOTH} == result.output
    assert await agreed_zone(party, result.output["booking_id"]) == BERLIN


async def test_an_argument_wins_over_the_channel_and_an_offset_over_both(party: Party) -> None:
    contact = replace(party, time_zone="Asia/Tokyo")
    for start in ("2026-11-24T16:00", "2026-11-24T10:00-05:00"):
        result = await contact.call("set_appointment", start=start, time_zone=BERLIN, **ADDRESS)
        assert {**result.output, **BOTH} == result.output
        assert (await contact.call("cancel_appointment")).output["contact_start"] == "2026-11-25T00:00+09:00"


@pytest.mark.parametrize("zone", [None, "America/New_York"])
async def test_in_one_zone_there_is_one_writing(party: Party, zone: str | None) -> None:
    contact = replace(party, time_zone=zone)
    result = await contact.call("set_appointment", start="2026-11-24T10:00", **ADDRESS)
    assert (result.output["start"], result.output["time_zone"]) == ("2026-11-24T10:00-05:00", "America/New_York")
    assert not [name for name in result.output if name.startswith("contact_")]
    assert await agreed_zone(party, result.output["booking_id"]) == "America/New_York"


async def test_offers_are_in_both_zones(party: Party) -> None:
    free = (await party.call("check_availability", start="2026-11-24", end="2026-11-24", time_zone=BERLIN)).output
    assert (free["free"][0], free["contact_free"][0]) == ("2026-11-24T09:00-05:00", "2026-11-24T15:00+01:00")
    assert len(free["free"]) == len(free["contact_free"]) == 6
    # A day is the contact's: in Tokyo the 24th begins at 10:00 in New York.
    in_tokyo = await party.call("check_availability", start="2026-11-24", end="2026-11-24", time_zone="Asia/Tokyo")
    assert in_tokyo.output["free"][0] == "2026-11-23T10:00-05:00"
    taken = await party.call("set_appointment", start="2026-11-24T03:00", time_zone=BERLIN, **ADDRESS)
    assert taken.output["reason"] == "outside_business_hours"
    for ours, theirs in zip(taken.output["alternatives"], taken.output["contact_alternatives"], strict=True):
        assert datetime.fromisoformat(ours) == datetime.fromisoformat(theirs)
        assert (ours[-6:], theirs[-6:]) == ("-05:00", "+01:00")


async def test_a_move_is_in_the_zone_in_which_it_was_agreed(party: Party) -> None:
    await party.call("set_appointment", start="2026-11-25T18:00", time_zone=BERLIN, **ADDRESS)
    moved = await party.call("reschedule_appointment", start="2026-11-24T16:00")
    assert {**moved.output, **BOTH} == moved.output
    in_new_york = await party.call("reschedule_appointment", start="2026-11-24T10:00", time_zone="America/New_York")
    assert in_new_york.output["start"] == BOTH["start"]
    assert await agreed_zone(party, moved.output["booking_id"]) == "America/New_York"


@pytest.mark.parametrize("name", ["check_availability", "set_appointment", "reschedule_appointment"])
@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "berlin", "../etc/passwd", "CEST"])
async def test_an_unknown_zone_is_answered(party: Party, name: str, zone: str) -> None:
    arguments = {"start": "2026-11-24T10:00", **ADDRESS} if name == "set_appointment" else {"start": "2026-11-24T10:00"}
    result = await party.call(name, time_zone=zone, **arguments)
    assert (result.status, result.output["reason"]) == ("invalid", "invalid_arguments")
    assert result.output["message"].startswith("time_zone is no IANA time zone")


async def test_metadata_say_where_the_contact_is(call: Call, tenant: TenantForTest) -> None:
    functions = [{"name": "check_availability"}, {"name": "set_appointment"}]
    definition = {"name": "Booker", "time_zone": "America/New_York", "functions": functions}
    _, agent = await call(tenant.key, "POST", "/api/v1/agents", json={"definition": definition, "publish": True})

    async def zone_of(**more: object) -> str | None:
        body = {"message": "What times are free?", "agentId": agent["id"], "leadId": "ada", "conversationId": "c"}
        status, told = await call(tenant.key, "POST", "/api/agent/reply", json={**body, **more})
        assert status == 200, told
        return told["toolCalls"][-1]["output"].get("contact_time_zone")

    assert await zone_of() is None
    assert await zone_of(metadata={"time_zone": BERLIN}) == BERLIN
    assert await zone_of(metadata={"tier": "gold"}) == BERLIN
    assert await zone_of(metadata={"time_zone": "Asia/Tokyo"}) == "Asia/Tokyo"
    for wrong in ("Mars/Olympus", 7, ["Europe/Berlin"]):
        body = {"message": "Hi", "agentId": agent["id"], "metadata": {"time_zone": wrong}}
        status, told = await call(tenant.key, "POST", "/api/agent/reply", json=body)
        assert (status, told["errors"][0]["field"]) == (422, "metadata.time_zone")
