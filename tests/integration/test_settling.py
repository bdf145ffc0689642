"""Bookings that go to a calendar at a provider: through the outbox, once, and what comes of conflicts and failures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tenantry.calendars import appointment_book
from tenantry.calendars.choosing import Choosing
from tenantry.calendars.invitations import Invitations
from tenantry.calendars.settle import Settler
from tenantry.calendars.settling import SETTLE
from tenantry.calendars.sync import Syncer
from tenantry.calendars.worker import calendar_jobs, sweep_unsettled
from tenantry.domain.booking import Booking, BookingStatus, Interval
from tenantry.domain.calendar import RemoteEvent
from tenantry.domain.errors import CalendarUnavailable, ProviderNotSetUp
from tenantry.domain.ids import new_id
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.engine.prompt import Moment, system_prompt
from tenantry.lifecycle.erasure import erase
from tenantry.storage import jobs
from tenantry.storage.jobs import JobRunner
from tenantry.storage.repositories import bookings, conversations, erasure, remote_calendars
from tenantry.storage.tenancy import Database
from tenantry.tools.registry import call_tool
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, make_party
from tests.integration.memory_provider import SIDES, MemoryProvider, MemoryProviders, connect, hours

DAY = (datetime.now(UTC) + timedelta(days=7)).replace(hour=0, minute=0, second=0, microsecond=0)
DAY += timedelta(days=(1 - DAY.weekday()) % 7)  # a Tuesday to come
TEN, TWO = DAY + timedelta(hours=15), DAY + timedelta(hours=19)  # 10:00 and 14:00 in New York, or an hour later
ZONE = ZoneInfo("America/New_York")
ADDRESS = {"property_address": "12 Elm Street"}


@pytest.fixture(autouse=True)
async def runner(database: Database) -> AsyncIterator[None]:
    """Runs the jobs, as a server does."""
    settler = Settler(database, SIDES, lease=timedelta(seconds=2))
    invitations = Invitations(database, None, "test")
    handlers = calendar_jobs(settler, Choosing(database, MemoryProviders()), invitations)
    runner = JobRunner(
        database,
        handlers,
        heartbeat_s=2,
    )
    task = asyncio.create_task(runner.run_for_ever())
    yield
    await runner.stop()
    await task


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return replace(await make_party(database, tenant.id, tenant.members["mark"]), sides=SIDES)


@pytest.fixture
async def provider(party: Party) -> MemoryProvider:
    """Where mark's bookings go."""
    return await connect(party.db, party.tenant_id, party.agent.owner_member_id)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a calendar that is away."""
    monkeypatch.setattr(appointment_book, "PATIENCE_S", 0.1)


async def call(party: Party, name: str, turn_id: UUID | None = None, **arguments: Any) -> ToolResult:
    context = party.context(turn_id, now=datetime.now(UTC))
    return await call_tool(context, ToolCallRequest("call-1", name, arguments))


async def book(party: Party, start: datetime = TEN, turn_id: UUID | None = None) -> ToolResult:
    return await call(party, "set_appointment", turn_id, start=start.isoformat(), **ADDRESS)


async def kept(party: Party, result: ToolResult) -> Booking:
    async with party.db.tenant(party.tenant_id) as tx:
        found = await bookings.get(tx, UUID(result.output["booking_id"]))
    assert found is not None
    return found


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.05)


async def all_settled(party: Party) -> None:
    async def done() -> bool:
        async with party.db.tenant(party.tenant_id) as tx:
            return bool(await tx.value("SELECT NOT EXISTS (SELECT FROM bookings WHERE settled < wanted)"))

    await until(done)


async def settled(party: Party, result: ToolResult) -> Booking:
    """The booking once nothing is left to do for it."""
    await all_settled(party)
    return await kept(party, result)


async def notices(party: Party) -> list[tuple[str, datetime | None]]:
    async with party.db.tenant(party.tenant_id) as tx:
        rows = await tx.rows("SELECT kind, previous_start FROM booking_notices ORDER BY id")
    return [(row["kind"], row["previous_start"]) for row in rows]


async def look(party: Party) -> None:
    """Follow what the owner did."""
    async with party.db.tenant(party.tenant_id) as tx:
        await tx.execute("UPDATE remote_calendars SET next_sync_at = now()")
        calendar_id = await tx.value("SELECT id FROM remote_calendars WHERE takes_bookings")
    await Syncer(party.db, SIDES).sync(party.tenant_id, calendar_id)


async def test_a_booking_is_made_at_the_provider_and_told_when_it_is(party: Party, provider: MemoryProvider) -> None:
    result = await book(party)
    assert result.status == "booked"
    booking = await kept(party, result)
    assert booking.status is BookingStatus.CONFIRMED
    [event] = provider.of(booking.id)
    assert event.slot == hours(TEN)
    assert await notices(party) == []


async def test_the_same_effect_again_is_the_same_event(party: Party, provider: MemoryProvider) -> None:
    turn_id = new_id()
    first, second = await book(party, turn_id=turn_id), await book(party, turn_id=turn_id)
    assert first.output == second.output
    assert len(provider.held) == 1


async def test_what_is_in_the_owners_calendar_is_not_booked_over(party: Party, provider: MemoryProvider) -> None:
    provider.plant(hours(TEN))
    result = await book(party)
    assert (result.status, result.output["reason"]) == ("unavailable", "taken")
    assert result.output["alternatives"]
    assert len(provider.held) == 1
    free = await call(party, "check_availability", start=TEN.date().isoformat(), end=TEN.date().isoformat())
    assert TEN not in [datetime.fromisoformat(start) for start in free.output["free"]]


async def test_an_offer_may_be_a_moment_old_but_no_booking(party: Party, provider: MemoryProvider) -> None:
    day = TEN.date().isoformat()
    offered = [await call(party, "check_availability", start=day, end=day) for _ in range(5)]
    assert TEN.astimezone(ZONE).isoformat(timespec="minutes") in offered[-1].output["free"]
    assert provider.calls == ["events"]
    provider.plant(hours(TEN))
    result = await book(party)
    assert (result.status, result.output["reason"]) == ("unavailable", "taken")
    assert TEN not in [datetime.fromisoformat(start) for start in result.output["alternatives"]]


async def test_what_its_owner_shows_as_free_is_no_obstacle(party: Party, provider: MemoryProvider) -> None:
    provider.plant(hours(TEN), busy=False)
    assert (await book(party)).status == "booked"


async def test_a_conflict_that_comes_up_meanwhile_is_given_way_to(party: Party, provider: MemoryProvider) -> None:
    def intrude(what: str) -> None:
        if what == "create":
            provider.plant(hours(TEN))

    provider.before = intrude
    result = await book(party)
    assert (result.status, result.output["reason"]) == ("unavailable", "taken")
    assert [event.key for event in provider.held.values()] == [None]
    provider.before = lambda _: None
    assert (await book(party, TWO)).status == "booked"


async def test_a_time_out_after_the_event_was_made_leaves_one(party: Party, provider: MemoryProvider) -> None:
    lost = iter([True])

    def lose(_: str) -> None:
        if next(lost, False):
            raise CalendarUnavailable("the answer was lost", retry_after=0)

    provider.after = lose
    result = await book(party)
    assert result.status == "booked"
    assert len(provider.held) == 1
    assert provider.calls.count("create") == 2


async def test_while_the_calendar_is_away_a_request_is_kept_and_booked_later(
    party: Party, provider: MemoryProvider, impatient: None
) -> None:
    provider.away = True
    result = await book(party)
    assert (result.status, result.output["reason"]) == ("requested", "calendar_unavailable")
    assert (await kept(party, result)).status is BookingStatus.PENDING
    other = await party.another_contact()
    assert (await book(replace(other, sides=SIDES))).output["reason"] == "taken"
    provider.away = False
    assert (await settled(party, result)).status is BookingStatus.CONFIRMED
    assert len(provider.held) == 1
    assert await notices(party) == [("confirmed", None)]


async def test_a_provider_that_the_operator_took_away_is_one_that_is_away(
    party: Party, provider: MemoryProvider, impatient: None
) -> None:
    def not_set_up(_: str) -> None:
        raise ProviderNotSetUp

    provider.before = not_set_up
    assert (await book(party)).status == "requested"
    assert (await call(party, "check_availability")).output["reason"] == "calendar_unavailable"


async def test_a_request_that_cannot_be_had_is_declined(
    party: Party, provider: MemoryProvider, impatient: None
) -> None:
    provider.away = True
    result = await book(party)
    provider.plant(hours(TEN))
    provider.away = False
    assert (await settled(party, result)).status is BookingStatus.DECLINED
    assert await notices(party) == [("declined", None)]
    assert len(provider.held) == 1


async def test_a_request_can_be_cancelled_and_leaves_nothing(
    party: Party, provider: MemoryProvider, impatient: None
) -> None:
    provider.away = True
    result = await book(party)
    assert (await call(party, "cancel_appointment")).status == "cancelled"
    provider.away = False
    assert (await settled(party, result)).status is BookingStatus.CANCELLED
    assert provider.held == {}
    assert await notices(party) == []


async def test_a_move_moves_the_event_and_a_cancellation_removes_it(party: Party, provider: MemoryProvider) -> None:
    result = await book(party)
    moved = await call(party, "reschedule_appointment", start=TWO.isoformat())
    assert moved.status == "moved"
    [event] = provider.held.values()
    assert event.slot == hours(TWO)
    assert (await call(party, "cancel_appointment")).status == "cancelled"
    assert (await settled(party, result)).status is BookingStatus.CANCELLED
    assert provider.held == {}


async def test_a_move_to_where_the_owner_is_busy_leaves_it_where_it_was(party: Party, provider: MemoryProvider) -> None:
    turn_id, result = new_id(), await book(party)
    provider.plant(hours(TWO))
    for _ in range(2):
        moved = await call(party, "reschedule_appointment", turn_id, start=TWO.isoformat())
        assert (moved.status, moved.output["reason"]) == ("unavailable", "taken")
    booking = await settled(party, result)
    assert (booking.status, booking.starts_at) == (BookingStatus.CONFIRMED, TEN)
    [event] = provider.of(booking.id)
    assert event.slot == hours(TEN)


async def test_three_who_take_each_others_places_all_arrive(party: Party, provider: MemoryProvider) -> None:
    others = [replace(await party.another_contact(), sides=SIDES) for _ in range(2)]
    parties = [party, *others]
    starts = [TEN, TEN + timedelta(hours=1), TEN + timedelta(hours=2)]
    for each, start in zip(parties, starts, strict=True):
        assert (await book(each, start)).status == "booked"
    assert (await call(parties[2], "reschedule_appointment", start=(TEN + timedelta(hours=3)).isoformat())).done
    assert (await call(parties[1], "reschedule_appointment", start=starts[2].isoformat())).done
    assert (await call(parties[0], "reschedule_appointment", start=starts[1].isoformat())).done
    assert sorted(event.slot.start for event in provider.held.values()) == [*starts[1:], TEN + timedelta(hours=3)]


async def test_the_contact_hears_of_it_in_their_next_turn(party: Party, provider: MemoryProvider) -> None:
    result = await book(party)
    [event] = provider.of(UUID(result.output["booking_id"]))
    provider.move(event.id, hours(TWO))
    await look(party)
    async with party.db.tenant(party.tenant_id) as tx:
        talk = await conversations.with_agent(tx, party.conversation_id)
        assert [(notice.kind, notice.starts_at) for notice in talk.notices] == [("moved", TWO)]
    moment = Moment(TEN, {}, "test", notices=talk.notices)
    prompt = system_prompt("", party.agent.definition, moment)
    assert f"was moved to {TWO.astimezone(ZONE):%A %d %B %Y, %H:%M}" in prompt


async def test_what_the_owner_moves_or_deletes_is_followed(party: Party, provider: MemoryProvider) -> None:
    first = await book(party)
    second = await book(replace(await party.another_contact(), sides=SIDES), TWO)
    await look(party)
    assert await notices(party) == []
    [event], [other] = provider.of(UUID(first.output["booking_id"])), provider.of(UUID(second.output["booking_id"]))
    provider.move(event.id, hours(TWO))
    provider.delete(other.id)
    await look(party)
    assert (await kept(party, first)).starts_at == TWO
    assert (await kept(party, second)).status is BookingStatus.CANCELLED
    assert sorted(await notices(party)) == [("cancelled", None), ("moved", TEN)]
    await look(party)
    assert len(await notices(party)) == 2


async def test_what_the_owner_moves_onto_another_appointment_stays_there(
    party: Party, provider: MemoryProvider
) -> None:
    first = await book(party)
    await book(replace(await party.another_contact(), sides=SIDES), TWO)
    [event] = provider.of(UUID(first.output["booking_id"]))
    provider.move(event.id, hours(TWO))
    await look(party)
    assert (await kept(party, first)).starts_at == TWO


async def test_a_change_here_while_the_provider_is_asked_is_not_undone(party: Party, provider: MemoryProvider) -> None:
    result = await book(party)
    moved = asyncio.Event()

    def move_meanwhile(what: str) -> None:
        if what == "changes":
            moved.set()

    provider.before = move_meanwhile
    changes = provider.changes

    async def slow(calendar: str, token: str | None):  # type: ignore[no-untyped-def]
        old = await changes(calendar, token)
        assert (await call(party, "reschedule_appointment", start=TWO.isoformat())).status == "moved"
        return old

    provider.changes = slow  # type: ignore[method-assign]
    await look(party)
    assert (await kept(party, result)).starts_at == TWO
    assert await notices(party) == []


async def test_a_move_by_the_owner_while_the_event_is_being_made_is_followed(
    party: Party, provider: MemoryProvider
) -> None:
    other = replace(await party.another_contact(), sides=SIDES)
    assert (await book(other, TEN + timedelta(hours=1))).done
    events = provider.events
    looked = False

    async def after_a_look(calendar: str, window: Interval) -> list[RemoteEvent]:
        nonlocal looked
        made = [event for event in provider.held.values() if event.slot == hours(TEN)]
        if made and not looked:
            looked = True
            provider.move(made[0].id, hours(TWO))
            await look(party)
        return await events(calendar, window)

    provider.events = after_a_look  # type: ignore[method-assign]
    result = await book(party)
    assert (await kept(party, result)).starts_at == TEN
    assert looked
    await look(party)
    assert (await kept(party, result)).starts_at == TWO


async def test_an_event_that_its_owner_deleted_cannot_be_moved(party: Party, provider: MemoryProvider) -> None:
    result = await book(party)
    provider.held.clear()
    assert (await call(party, "reschedule_appointment", start=TWO.isoformat())).status == "not_found"
    assert (await kept(party, result)).status is BookingStatus.CANCELLED
    assert await notices(party) == [("cancelled", None)]


async def test_a_calendar_that_only_counts_as_busy_is_kept_clear_of(party: Party) -> None:
    provider = await connect(party.db, party.tenant_id, party.agent.owner_member_id, takes_bookings=False)
    provider.plant(hours(TEN))
    assert (await book(party)).output["reason"] == "taken"
    assert (await book(party, TWO)).status == "booked"
    assert len(provider.held) == 1
    provider.away = True
    assert (await book(party, TWO + timedelta(hours=1))).output["reason"] == "calendar_unavailable"


async def test_a_calendar_that_refuses_declines(party: Party, provider: MemoryProvider) -> None:
    provider.refuses = True
    result = await book(party)
    assert (result.status, result.output["reason"]) == ("unavailable", "taken")
    provider.refuses = False
    await all_settled(party)


async def test_after_a_disconnection_the_booking_is_ours_alone(
    party: Party, provider: MemoryProvider, impatient: None
) -> None:
    provider.away = True
    result = await book(party)
    async with party.db.tenant(party.tenant_id) as tx:
        await tx.execute("DELETE FROM connections")
    assert (await settled(party, result)).status is BookingStatus.CONFIRMED


async def test_a_deleted_contacts_events_are_removed(party: Party, provider: MemoryProvider) -> None:
    provider.plant(hours(TWO))
    booking_id = UUID((await book(party)).output["booking_id"])
    async with party.db.tenant(party.tenant_id) as tx:
        assert await erase(tx, party.contact_id, "key:test", await erasure.removals(tx))
    async with party.db.operator() as tx:
        assert await tx.execute("UPDATE pgqueuer SET execute_after = now() WHERE entrypoint = 'remove_event'") == 1

    async def removed() -> bool:
        return not provider.of(booking_id)

    await until(removed)
    assert len(provider.held) == 1


async def test_a_booking_whose_job_was_lost_gets_another(
    party: Party, provider: MemoryProvider, impatient: None
) -> None:
    provider.away = True
    result = await book(party)
    async with party.db.operator() as tx:
        await tx.execute("DELETE FROM pgqueuer WHERE tenant_id = $1", party.tenant_id)
    provider.away = False
    sweep = asyncio.create_task(sweep_unsettled(party.db))
    try:
        assert (await settled(party, result)).status is BookingStatus.CONFIRMED
    finally:
        sweep.cancel()


async def test_a_killed_attempt_is_taken_over_when_its_lease_is_over(party: Party, provider: MemoryProvider) -> None:
    async with party.db.tenant(party.tenant_id) as tx:
        calendar_id = await tx.value("SELECT id FROM remote_calendars")
        await remote_calendars.keep_in_sync(tx, calendar_id, timedelta(minutes=1))
    result = await book(party)
    async with party.db.tenant(party.tenant_id) as tx:
        # As a process leaves it that was killed after the event was made, before it kept that.
        await tx.execute(
            "UPDATE bookings SET status = 'pending', settled = 0, remote_id = NULL, settling_by = $1, "
            "settling_until = clock_timestamp() + interval '300 milliseconds'",
            new_id(),
        )
        await jobs.enqueue(tx, SETTLE, UUID(result.output["booking_id"]))
    assert (await settled(party, result)).status is BookingStatus.CONFIRMED
    assert len(provider.held) == 1


async def test_waiting_for_a_lease_is_no_failed_attempt(party: Party, provider: MemoryProvider) -> None:
    result = await book(party)
    async with party.db.tenant(party.tenant_id) as tx:
        await tx.execute(
            "UPDATE bookings SET settled = 0, settling_by = $1, settling_until = clock_timestamp() + interval '1 hour'",
            new_id(),
        )
        await jobs.enqueue(tx, SETTLE, UUID(result.output["booking_id"]))
    waiting: set[int] = set()

    async def waited() -> bool:
        async with party.db.operator() as tx:
            payload = party.tenant_id.bytes + UUID(result.output["booking_id"]).bytes
            rows = await tx.rows(
                "SELECT id, attempts FROM pgqueuer WHERE payload = $1 AND entrypoint = $2", payload, SETTLE
            )
        assert [row["attempts"] for row in rows if row["attempts"]] == []
        waiting.update(row["id"] for row in rows)
        return len(waiting) > 1

    await until(waited)
    async with party.db.tenant(party.tenant_id) as tx:
        await tx.execute("UPDATE bookings SET settling_until = clock_timestamp()")
    assert (await settled(party, result)).status is BookingStatus.CONFIRMED
