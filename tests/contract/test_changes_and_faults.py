"""What every calendar at a provider does alike: what changed, and what goes wrong."""

import pytest

from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tests.contract.harness import CalendarHarness
from tests.contract.times import DAY, HOUR, MORNING, appointment, contents, slot


async def test_changes_begin_with_all_and_go_on_with_what_changed(harness: CalendarHarness) -> None:
    wanted = appointment()
    planted = await harness.plant(slot(MORNING + 2 * HOUR))
    made = await harness.provider.create(harness.calendar, wanted)
    first = await harness.provider.changes(harness.calendar, None)
    assert first.whole
    assert {(event.id, event.key) for event in first.events} == {(planted, None), (made.id, wanted.key)}

    nothing = await harness.provider.changes(harness.calendar, first.token)
    assert (nothing.events, nothing.gone, nothing.whole) == ((), frozenset(), False)

    away = slot(MORNING + DAY)
    await harness.move(made.id, away)
    moved = await harness.provider.changes(harness.calendar, nothing.token)
    assert [(event.id, event.slot, event.key) for event in moved.events] == [(made.id, away, wanted.key)]
    assert (moved.gone, moved.whole) == (frozenset(), False)
    assert moved.events[0].tag != made.tag

    await harness.delete(made.id)
    deleted = await harness.provider.changes(harness.calendar, moved.token)
    assert (deleted.events, deleted.gone, deleted.whole) == ((), {made.id}, False)

    again = await harness.provider.changes(harness.calendar, first.token)
    assert (again.events, again.gone, again.whole) == ((), {made.id}, False)


async def test_changes_have_what_we_did_ourselves(harness: CalendarHarness) -> None:
    token = (await harness.provider.changes(harness.calendar, None)).token
    wanted = appointment()
    made = await harness.provider.create(harness.calendar, wanted)
    seen = await harness.provider.changes(harness.calendar, token)
    assert [(event.id, event.slot, event.key, event.tag) for event in seen.events] == [
        (made.id, wanted.slot, wanted.key, made.tag)
    ]
    await harness.provider.cancel(harness.calendar, made.id)
    assert (await harness.provider.changes(harness.calendar, seen.token)).gone == {made.id}


async def test_changes_begin_anew_when_the_token_is_forgotten(harness: CalendarHarness) -> None:
    deleted = await harness.plant(slot())
    token = (await harness.provider.changes(harness.calendar, None)).token
    kept = await harness.plant(slot(MORNING + 2 * HOUR))
    await harness.delete(deleted)
    await harness.forget_tokens()
    anew = await harness.provider.changes(harness.calendar, token)
    assert (anew.whole, [event.id for event in anew.events]) == (True, [kept])
    after = await harness.provider.changes(harness.calendar, anew.token)
    assert (after.whole, after.events, after.gone) == (False, (), frozenset())


async def test_a_calendar_that_does_not_exist_is_refused(harness: CalendarHarness) -> None:
    with pytest.raises(CalendarRefused):
        await harness.provider.events(harness.absent, slot())
    with pytest.raises(CalendarRefused):
        await harness.provider.busy([harness.calendar, harness.absent], slot())
    with pytest.raises(CalendarRefused):
        await harness.provider.create(harness.absent, appointment())
    with pytest.raises(CalendarRefused):
        await harness.provider.changes(harness.absent, None)


async def test_throttled_is_unavailable_for_as_long_as_the_provider_says(harness: CalendarHarness) -> None:
    await harness.fail_next(429, retry_after=30)
    with pytest.raises(CalendarUnavailable) as raised:
        await harness.provider.create(harness.calendar, appointment())
    assert raised.value.retry_after == 30
    assert await harness.stored() == []


async def test_throttled_for_a_moment_is_waited_for(harness: CalendarHarness) -> None:
    wanted = appointment()
    await harness.fail_next(429, retry_after=0)
    made = await harness.provider.create(harness.calendar, wanted)
    assert await contents(harness) == [(made.id, wanted.slot, wanted.key)]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_provider_that_is_down_is_unavailable(harness: CalendarHarness, status: int) -> None:
    made = await harness.provider.create(harness.calendar, appointment())
    changed = appointment(key=made.key, sequence=1)
    for call in (
        lambda: harness.provider.calendars(),
        lambda: harness.provider.events(harness.calendar, slot()),
        lambda: harness.provider.busy([harness.calendar], slot()),
        lambda: harness.provider.find(harness.calendar, changed),
        lambda: harness.provider.change(harness.calendar, made.id, changed),
        lambda: harness.provider.cancel(harness.calendar, made.id),
        lambda: harness.provider.changes(harness.calendar, None),
    ):
        await harness.fail_next(status)
        with pytest.raises(CalendarUnavailable):
            await call()
    assert await contents(harness) == [(made.id, made.slot, made.key)]


async def test_refused_once_the_credential_is_renewed(harness: CalendarHarness) -> None:
    if harness.credentials.issue is None:
        await harness.fail_next(401)
        with pytest.raises(ConnectionBroken):
            await harness.provider.create(harness.calendar, appointment())
        return
    wanted = appointment()
    await harness.fail_next(401)
    made = await harness.provider.create(harness.calendar, wanted)
    assert harness.credentials.version == 2
    assert await contents(harness) == [(made.id, wanted.slot, wanted.key)]


async def test_refused_twice_the_connection_is_broken(harness: CalendarHarness) -> None:
    await harness.fail_next(401)
    await harness.fail_next(401)
    with pytest.raises(ConnectionBroken):
        await harness.provider.create(harness.calendar, appointment())
    assert len(harness.credentials.reasons) == 1
    assert await harness.stored() == []
