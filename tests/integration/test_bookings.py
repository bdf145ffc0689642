"""The built-in calendar on a real PostgreSQL: one booking for a slot, one for an effect, whoever races or dies."""

import asyncio
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import asyncpg
import pytest

from tenantry.calendars.appointment_book import AppointmentBook
from tenantry.domain.booking import BookingStatus, Interval
from tenantry.storage.repositories import bookings
from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.booking_parties import HOUR, NO_SIDES, NOW, Party, effect, make_party, statuses

GONE = timedelta(0)  # a hold that has run out at once
START = NOW + timedelta(days=1)


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"])


@pytest.fixture
async def calendar(party: Party) -> AppointmentBook:
    """Mark's calendar."""
    return await party.calendar()


async def book(party: Party, calendar: AppointmentBook, start=START, **more):  # type: ignore[no-untyped-def]
    held = await calendar.hold(party.new_booking(calendar, start, **more))
    assert held is not None
    booked = await calendar.confirm(held)
    assert booked is not None
    return booked


async def test_two_hundred_holds_over_ten_slots_leave_ten(party: Party, calendar: AppointmentBook) -> None:
    attempts = asyncio.Queue[int]()
    for number in range(200):
        attempts.put_nowait(number % 10)
    got = Counter[int]()

    async def caller() -> None:
        while not attempts.empty():
            slot = attempts.get_nowait()
            held = await calendar.hold(party.new_booking(calendar, START + slot * HOUR))
            if held is not None and await calendar.confirm(held):
                got[slot] += 1

    await asyncio.gather(*(caller() for _ in range(20)))
    assert got == Counter(range(10))
    assert await statuses(party) == {"confirmed": 10}


async def test_holds_at_every_offset_never_overlap(party: Party, calendar: AppointmentBook) -> None:
    starts = [START + timedelta(minutes=7 * n % 480) for n in range(120)]
    gap = timedelta(minutes=10)
    held = await asyncio.gather(*(calendar.hold(party.new_booking(calendar, s, buffer=gap)) for s in starts))
    kept = sorted(booking.starts_at for booking in held if booking)
    assert len(kept) > 1
    assert all(later - earlier >= HOUR + gap for earlier, later in pairwise(kept))


async def test_the_constraint_holds_off_who_takes_no_lock(party: Party, calendar: AppointmentBook) -> None:
    booking = await book(party, calendar)
    with pytest.raises(asyncpg.ExclusionViolationError):
        async with party.db.tenant(party.tenant_id) as tx:
            await tx.execute(
                "INSERT INTO bookings (tenant_id, id, calendar_id, agent_id, contact_id, conversation_id, effect_key, "
                "status, starts_at, ends_at, blocked, time_zone, title) SELECT tenant_id, gen_random_uuid(), "
                "calendar_id, agent_id, contact_id, conversation_id, 'other', status, starts_at, ends_at, blocked, "
                "time_zone, title FROM bookings WHERE id = $1",
                booking.id,
            )


async def test_one_effect_at_the_same_time_is_one_booking(party: Party, calendar: AppointmentBook) -> None:
    new = party.new_booking(calendar, START)
    held = await asyncio.gather(*(calendar.hold(new) for _ in range(20)))
    assert len({booking.id for booking in held if booking}) == 1
    assert None not in held
    confirmed = await asyncio.gather(*(calendar.confirm(booking) for booking in held if booking))
    assert None not in confirmed
    assert await statuses(party) == {"confirmed": 1}


async def test_the_larger_of_two_buffers_is_kept_on_both_sides(party: Party, calendar: AppointmentBook) -> None:
    await book(party, calendar, START, buffer=timedelta(minutes=30))
    for minutes, free in ((-61, False), (-89, False), (-90, True), (61, False), (89, False), (90, True)):
        start = START + timedelta(minutes=minutes)
        busy = await calendar.busy(Interval(start, start), GONE)
        assert all(start + HOUR <= i.start or i.end <= start for i in busy) is free
        held = await calendar.hold(party.new_booking(calendar, start))
        assert (held is not None) is free
        if held:
            await calendar.cancel(await _confirmed(calendar, held), {}, effect())
    wide = party.new_booking(calendar, START + HOUR + timedelta(minutes=45), buffer=HOUR)
    assert await calendar.hold(wide) is None


async def _confirmed(calendar: AppointmentBook, held):  # type: ignore[no-untyped-def]
    booked = await calendar.confirm(held)
    assert booked is not None
    return booked


async def test_a_hold_that_ran_out_gives_way(party: Party, calendar: AppointmentBook) -> None:
    late = await calendar.hold(party.new_booking(calendar, START), hold_for=GONE)
    assert late is not None
    assert await calendar.busy(Interval(START, START), GONE) == []
    await book(party, calendar, START + timedelta(minutes=30))
    assert await calendar.confirm(late) is None
    assert await statuses(party) == {"expired": 1, "confirmed": 1}


async def test_a_hold_that_ran_out_is_still_confirmed_while_nobody_took_it(
    party: Party, calendar: AppointmentBook
) -> None:
    late = await calendar.hold(party.new_booking(calendar, START), hold_for=GONE)
    assert late is not None
    # Somebody looks at the neighbouring time, which marks the hold as expired.
    await book(party, calendar, START + 2 * HOUR)
    assert await statuses(party) == {"expired": 1, "confirmed": 1}
    booked = await calendar.confirm(late)
    assert booked is not None
    assert booked.status is BookingStatus.CONFIRMED
    assert await calendar.hold(party.new_booking(calendar, START)) is None


async def test_a_hold_blocks_until_it_runs_out(party: Party, calendar: AppointmentBook) -> None:
    assert await calendar.hold(party.new_booking(calendar, START))
    assert await calendar.hold(party.new_booking(calendar, START)) is None
    assert await calendar.busy(Interval(START, START), GONE) == [Interval(START, START + HOUR)]


async def test_of_many_moves_to_one_slot_one_arrives(party: Party, calendar: AppointmentBook) -> None:
    made = [await book(party, calendar, START + n * HOUR) for n in range(10)]
    target = Interval(START + 20 * HOUR, START + 21 * HOUR)

    async def move(booking):  # type: ignore[no-untyped-def]
        return await calendar.move(booking, target, effect(), buffer=GONE, time_zone="UTC", details={})

    moved = [booking for booking in await asyncio.gather(*map(move, made)) if booking]
    assert [booking.starts_at for booking in moved] == [target.start]
    assert await statuses(party) == {"confirmed": 10}
    async with party.db.tenant(party.tenant_id) as tx:
        starts = {row["id"]: row["starts_at"] for row in await tx.rows("SELECT id, starts_at FROM bookings")}
    assert starts == {b.id: target.start if b.id == moved[0].id else b.starts_at for b in made}


async def test_two_that_want_each_others_slot_both_stay(party: Party, calendar: AppointmentBook) -> None:
    one, two = [await book(party, calendar, START + n * HOUR) for n in range(2)]
    for _ in range(10):
        outcomes = await asyncio.gather(
            *(
                calendar.move(
                    mine, Interval(his.starts_at, his.ends_at), effect(), buffer=GONE, time_zone="UTC", details={}
                )
                for mine, his in ((one, two), (two, one))
            )
        )
        assert outcomes == [None, None]


async def test_a_move_may_overlap_where_it_was_and_frees_the_rest(party: Party, calendar: AppointmentBook) -> None:
    booking = await book(party, calendar, details={"a": 1})
    half = timedelta(minutes=30)
    moved = await calendar.move(
        booking,
        Interval(START + half, START + half + HOUR),
        effect(),
        buffer=GONE,
        time_zone="Europe/London",
        details={"b": 2},
    )
    assert moved is not None
    assert (moved.id, moved.starts_at, moved.time_zone) == (booking.id, START + half, "Europe/London")
    assert moved.details == {"a": 1, "b": 2}
    assert await calendar.hold(party.new_booking(calendar, START - half))


async def test_a_cancelled_booking_frees_its_slot_and_stays_cancelled(party: Party, calendar: AppointmentBook) -> None:
    booking = await book(party, calendar)
    cancelled = await calendar.cancel(booking, {}, effect())
    assert cancelled is not None
    assert cancelled.status is BookingStatus.CANCELLED
    assert await calendar.cancel(booking, {}, effect()) is None
    assert await calendar.confirm(booking) is None
    slot = Interval(START + 5 * HOUR, START + 6 * HOUR)
    assert await calendar.move(booking, slot, effect(), buffer=GONE, time_zone="UTC", details={}) is None
    assert await calendar.hold(party.new_booking(calendar, START))


async def test_a_change_is_found_by_its_effect(party: Party, calendar: AppointmentBook) -> None:
    booking = await book(party, calendar)
    change = effect()
    assert await calendar.changed_by(change) is None
    await calendar.cancel(booking, {}, change)
    found = await calendar.changed_by(change)
    assert found is not None
    assert found.id == booking.id
    assert await calendar.changed_by(effect()) is None


async def test_an_owner_has_one_calendar_however_many_ask(database: Database, tenant: TenantForTest) -> None:
    for owner in (tenant.members["jon"], None):
        found = await asyncio.gather(
            *(AppointmentBook.of_owner(database, NO_SIDES, tenant.id, owner) for _ in range(20))
        )
        assert len({calendar.id for calendar in found}) == 1
    mine = await AppointmentBook.of_owner(database, NO_SIDES, tenant.id, tenant.members["jon"])
    tenants = await AppointmentBook.of_owner(database, NO_SIDES, tenant.id, None)
    assert mine.id != tenants.id


async def test_listing_shows_a_member_their_own_and_the_tenants(database: Database, tenant: TenantForTest) -> None:
    made = {}
    for name, owner in (("mark", tenant.members["mark"]), ("jon", tenant.members["jon"]), ("tenant", None)):
        party = await make_party(database, tenant.id, owner)
        made[name] = (await book(party, await party.calendar())).id
    cancelled = await book(party, await party.calendar(), START + HOUR)
    await (await party.calendar()).cancel(cancelled, {}, effect())

    async def seen(sees_only):  # type: ignore[no-untyped-def]
        async with database.tenant(tenant.id) as tx:
            page = await bookings.list_page(
                tx, sees_only=sees_only, starts_from=NOW, starts_before=None, after=None, limit=10
            )
        return {booking.id for booking in page}

    assert await seen(None) == set(made.values())
    assert await seen(tenant.members["mark"]) == {made["mark"], made["tenant"]}
    assert await seen(tenant.members["jon"]) == {made["jon"], made["tenant"]}


async def test_listing_in_pages_gives_each_once(database: Database, tenant: TenantForTest) -> None:
    parties = [await make_party(database, tenant.id, owner) for owner in (tenant.members["mark"], None)]
    expected = []
    for party in parties:
        calendar = await party.calendar()
        expected += [await book(party, calendar, START + n * HOUR) for n in range(4)]
    window = (START, START + 3 * HOUR)
    ids, after = [], None
    while True:
        async with database.tenant(tenant.id) as tx:
            page = await bookings.list_page(
                tx, sees_only=None, starts_from=window[0], starts_before=window[1], after=after, limit=2
            )
        if not page:
            break
        ids += [booking.id for booking in page]
        after = (page[-1].starts_at, page[-1].id)
    inside = sorted((b for b in expected if b.starts_at < window[1]), key=lambda b: (b.starts_at, b.id))
    assert ids == [booking.id for booking in inside]


async def test_tenants_do_not_see_nor_hinder_each_other(database: Database, make_tenant: MakeTenant) -> None:
    one, two = [await make_party(database, (await make_tenant()).id) for _ in range(2)]
    ours, theirs = await one.calendar(), await two.calendar()
    key = "the-same-key:0"
    mine = await book(one, ours, effect_key=key)
    other = await book(two, theirs, effect_key=key)
    assert mine.id != other.id
    async with database.tenant(one.tenant_id) as tx:
        assert await bookings.get(tx, other.id) is None
        assert await bookings.busy(tx, theirs.id, Interval(START, START), buffer=GONE) == []
        assert await bookings.cancel(tx, other.id, details={}) is None
        found = await bookings.by_effect_key(tx, key)
    assert found is not None
    assert found.id == mine.id
