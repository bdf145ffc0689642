"""Whose appointment it is: the contact's own, or that of whoever has the code that was told when it was booked."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tenantry.calendars import reference_check
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.storage.tenancy import Database
from tenantry.tools.registry import call_tool
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.booking_parties import NOW, Party, in_conversation, make_party, statuses

ADDRESS = {"property_address": "12 Elm Street"}
THREE = "2026-11-24T15:00"
NO_BOOKING = {"status": "not_found", "reason": "no_booking"}
WRONG = "0000-0000-00"


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"])


async def booked(party: Party, start: str = THREE) -> dict[str, Any]:
    result = await party.call("set_appointment", start=start, **ADDRESS)
    assert result.status == "booked", result
    return dict(result.output)


async def cancel(party: Party, reference: str, **more: Any) -> ToolResult:
    return await party.call("cancel_appointment", booking_reference=reference, **more)


async def refused_attempts(party: Party) -> list[dict[str, Any]]:
    async with party.db.tenant(party.tenant_id) as tx:
        rows = await tx.rows(
            "SELECT target, details FROM audit_log WHERE action = 'booking.reference_refused' ORDER BY id"
        )
    return [{"target": row["target"], **msgspec.json.decode(row["details"])} for row in rows]


async def test_who_has_the_code_may_cancel_and_move(party: Party) -> None:
    first, second = await booked(party), await booked(party, "2026-11-25T10:00")
    stranger = await party.another_contact()
    assert (await stranger.call("cancel_appointment", booking_id=first["booking_id"])).output == NO_BOOKING
    cancelled = await cancel(stranger, f" {first['reference'].lower().replace('-', ' ')} ")
    assert (cancelled.status, cancelled.output["booking_id"]) == ("cancelled", first["booking_id"])
    assert "reference" not in cancelled.output
    moved = await stranger.call(
        "reschedule_appointment", start="2026-11-25T12:00", booking_reference=second["reference"]
    )
    assert (moved.status, moved.output["booking_id"]) == ("moved", second["booking_id"])
    # It stays the contact's who booked it.
    assert (await stranger.call("cancel_appointment")).output == NO_BOOKING
    assert (await party.call("cancel_appointment")).output["booking_id"] == second["booking_id"]
    assert await refused_attempts(party) == []


async def test_a_booking_that_is_made_again_has_the_same_code(party: Party) -> None:
    context = party.context()
    request = ToolCallRequest("1", "set_appointment", {"start": THREE, **ADDRESS})
    first = await call_tool(context, request)
    assert first.output["reference"] == (await call_tool(context, request)).output["reference"]


async def test_the_code_is_nowhere_in_the_bookings(party: Party) -> None:
    reference = (await booked(party))["reference"]
    async with party.db.tenant(party.tenant_id) as tx:
        row = await tx.row("SELECT b::text AS whole, octet_length(reference_hash) AS length FROM bookings b")
    assert row is not None
    assert row["length"] == 32
    assert reference not in row["whole"]
    assert reference.replace("-", "") not in row["whole"]


async def test_a_code_opens_its_own_owners_calendar_alone(
    party: Party, database: Database, tenant: TenantForTest, make_tenant: MakeTenant
) -> None:
    jon = await make_party(database, tenant.id, tenant.members["jon"])
    far = await make_party(database, (await make_tenant()).id)
    same_owner = await make_party(database, tenant.id, tenant.members["mark"])
    reference = (await booked(party))["reference"]
    for other in (jon, far):
        assert (await cancel(other, reference)).output == NO_BOOKING
        assert len(await refused_attempts(other)) == 1
    assert await statuses(party) == {"confirmed": 1}
    assert (await cancel(same_owner, reference)).status == "cancelled"


async def test_no_answer_tells_whether_a_booking_exists(
    party: Party, database: Database, tenant: TenantForTest
) -> None:
    jon = await make_party(database, tenant.id, tenant.members["jon"])
    gone = await booked(party)
    await party.call("cancel_appointment", booking_id=gone["booking_id"])
    of_jon = await booked(jon)
    over = (await booked(party))["reference"]
    stranger = await party.another_contact()
    later = stranger.context(now=NOW + timedelta(days=9))
    asked = ToolCallRequest("1", "cancel_appointment", {"booking_reference": over})
    answers = [
        (await cancel(stranger, WRONG)).output,
        (await cancel(stranger, gone["reference"])).output,
        (await cancel(stranger, of_jon["reference"])).output,
        (await call_tool(later, asked)).output,
    ]
    assert answers == [NO_BOOKING] * 4
    # Nor does what is counted.
    assert [entry["target"] for entry in await refused_attempts(party)] == [f"contact:{stranger.contact_id}"] * 4
    entry = (await refused_attempts(party))[0]
    assert set(entry) == {"target", "conversation_id", "effect_key"}
    assert entry["conversation_id"] == str(stranger.conversation_id)


async def test_a_booking_id_beside_a_wrong_code_changes_nothing(party: Party) -> None:
    own = await booked(party)
    assert (await cancel(party, WRONG, booking_id=own["booking_id"])).output == NO_BOOKING
    assert await statuses(party) == {"confirmed": 1}


async def test_after_five_wrong_codes_not_even_the_right_one_counts(party: Party, database: Database) -> None:
    reference = (await booked(party))["reference"]
    stranger = await party.another_contact()
    for _ in range(reference_check.MOST_WRONG):
        assert (await cancel(stranger, WRONG)).output == NO_BOOKING
    for given in (reference, WRONG):
        result = await cancel(stranger, given)
        assert (result.status, result.output["reason"]) == ("refused", "too_many_attempts")
    other_conversation = replace(await in_conversation(database, stranger.agent), contact_id=stranger.contact_id)
    assert (await cancel(other_conversation, reference)).status == "refused"
    assert len(await refused_attempts(party)) == reference_check.MOST_WRONG
    assert await statuses(party) == {"confirmed": 1}
    # Their own appointments are theirs all the same, and others are not held up.
    await booked(stranger, "2026-11-25T10:00")
    assert (await stranger.call("cancel_appointment")).status == "cancelled"
    assert (await cancel(await party.another_contact(), reference)).status == "cancelled"


async def test_an_hour_later_a_code_is_looked_at_again(party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = (await booked(party))["reference"]
    stranger = await party.another_contact()
    for _ in range(reference_check.MOST_WRONG):
        await cancel(stranger, WRONG)
    assert (await cancel(stranger, reference)).status == "refused"
    monkeypatch.setattr(reference_check, "WITHIN", timedelta(0))
    assert (await cancel(stranger, reference)).status == "cancelled"


async def test_many_at_once_are_counted_too(party: Party) -> None:
    stranger = await party.another_contact()
    results = await asyncio.gather(*(cancel(stranger, f"0000-0000-{n:02d}") for n in range(20)))
    assert sorted(result.status for result in results) == ["not_found"] * 5 + ["refused"] * 15


async def test_an_attempt_that_is_made_again_counts_once(party: Party) -> None:
    stranger, turn_id = await party.another_contact(), new_id()
    for _ in range(2 * reference_check.MOST_WRONG):
        answer = await stranger.call("cancel_appointment", turn_id, booking_reference=WRONG)
        assert answer.output == NO_BOOKING


@pytest.mark.parametrize("given", ["", "my code", "K7QF-29MD-4", "%", "' OR '1'='1", "K7QF-29MD-4U"])
async def test_what_is_no_code_is_told_and_not_counted(party: Party, given: str) -> None:
    await booked(party)
    result = await cancel(party, given)
    assert (result.status, result.output["reason"]) == ("invalid", "invalid_arguments")
    assert "read it out again" in result.output["message"]
    assert await refused_attempts(party) == []
    assert await statuses(party) == {"confirmed": 1}
