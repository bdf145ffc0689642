"""What is Google's own: refusals and their reasons, pages, who is told, and what its owners do to events."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.calendars.google.wire import event_id
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Attendee, CalendarChoice
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken, TenantryError
from tests.contract.google import EVENTS, READONLY, GoogleHarness, opened
from tests.contract.harness import NewHarness
from tests.contract.times import DAY, HOUR, MORNING, appointment, around, slot, slots_of, whole_day
from tests.google_server.calendars import GoogleCalendar
from tests.google_server.server import Fault

_ANNA = Attendee("anna@example.com", "Anna")


@pytest.fixture(scope="module")
async def new_google() -> AsyncIterator[NewHarness]:
    """Makes accounts on a server."""
    async with opened() as new:
        yield new


@pytest.fixture
async def google(new_google: NewHarness) -> GoogleHarness:
    """A fresh account."""
    made = await new_google()
    assert isinstance(made, GoogleHarness)
    made.server.api.page_size = 250
    made.server.api.told.clear()
    return made


@given(st.uuids(), st.uuids())
def test_ids_are_legal_and_as_different_as_the_keys(one: UUID, other: UUID) -> None:
    assert re.fullmatch(r"[a-v0-9]{26}", event_id(one))
    assert (event_id(one) == event_id(other)) is (one == other)


async def test_the_account_is_its_address_and_some_calendars_can_only_be_read(google: GoogleHarness) -> None:
    for role in ("reader", "freeBusyReader", "writer"):
        google.calendars[role] = GoogleCalendar(role, role.title(), role=role)
    google.server.api.page_size = 2
    assert await google.provider.account() == google.email
    assert await google.provider.calendars() == [
        CalendarChoice(google.email, google.email, primary=True, writable=True),
        CalendarChoice(google.second, "Family / Größer", primary=False, writable=True),
        CalendarChoice("reader", "Reader", primary=False, writable=False),
        CalendarChoice("freeBusyReader", "Freebusyreader", primary=False, writable=False),
        CalendarChoice("writer", "Writer", primary=False, writable=True),
    ]


async def test_lists_are_read_to_their_last_page(google: GoogleHarness) -> None:
    google.server.api.page_size = 2
    planted = [await google.plant(slot(MORNING + hours * HOUR)) for hours in range(5)]
    events = await google.provider.events(google.calendar, around(slot()))
    assert [event.id for event in events] == planted
    first = await google.provider.changes(google.calendar, None)
    assert [event.id for event in first.events] == planted
    for one in planted[:3]:
        await google.delete(one)
    second = await google.provider.changes(google.calendar, first.token)
    assert (second.gone, second.whole) == (set(planted[:3]), False)


async def test_attendees_are_told_of_every_change_and_nobody_else_is(google: GoogleHarness) -> None:
    for attendee in (_ANNA, None):
        wanted = appointment(attendee=attendee)
        made = await google.provider.create(google.calendar, wanted)
        await google.provider.change(google.calendar, made.id, replace(wanted, sequence=1))
        await google.provider.cancel(google.calendar, made.id)
    assert google.server.api.told == [
        ("insert", "all"),
        ("patch", "all"),
        ("delete", "all"),
        ("insert", "none"),
        ("patch", "none"),
        ("delete", "all"),
    ]


async def test_a_change_keeps_what_an_attendee_answered(google: GoogleHarness) -> None:
    wanted = appointment(attendee=_ANNA)
    made = await google.provider.create(google.calendar, wanted)
    [invited] = google.calendars[google.calendar].events[made.id]["attendees"]
    invited["responseStatus"] = "declined"
    changed = await google.provider.change(google.calendar, made.id, replace(wanted, title="Moved", sequence=1))
    assert changed is not None
    assert changed.busy
    assert google.calendars[google.calendar].events[made.id]["attendees"] == [
        {"email": "anna@example.com", "displayName": "Anna", "responseStatus": "declined"}
    ]
    assert [event.busy for event in await google.provider.events(google.calendar, around(slot()))] == [True]


async def test_what_was_said_is_no_markup_in_a_description(google: GoogleHarness) -> None:
    said = '<a href="https://evil.example">Menu</a> & more'
    made = await google.provider.create(google.calendar, appointment(title=said, description=said))
    kept = google.calendars[google.calendar].events[made.id]
    assert kept["description"] == '&lt;a href="https://evil.example"&gt;Menu&lt;/a&gt; &amp; more'
    assert kept["summary"] == said


async def test_a_deleted_event_is_not_made_again(google: GoogleHarness) -> None:
    wanted = appointment()
    made = await google.provider.create(google.calendar, wanted)
    await google.delete(made.id)
    with pytest.raises(CalendarRefused, match="deleted"):
        await google.provider.create(google.calendar, wanted)
    assert await google.stored() == []


@pytest.mark.parametrize("taken", [False, True])
async def test_a_deleted_event_cannot_be_changed_whatever_google_answers(
    google: GoogleHarness, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    monkeypatch.setattr(google.server.api, "patches_deleted", taken)
    wanted = appointment()
    made = await google.provider.create(google.calendar, wanted)
    await google.delete(made.id)
    assert await google.provider.change(google.calendar, made.id, wanted) is None
    assert await google.stored() == []


async def test_what_was_deleted_long_ago_is_not_there_at_all(google: GoogleHarness) -> None:
    wanted = appointment()
    made = await google.provider.create(google.calendar, wanted)
    del google.calendars[google.calendar].events[made.id]
    assert await google.provider.find(google.calendar, wanted) is None
    assert await google.provider.change(google.calendar, made.id, wanted) is None
    await google.provider.cancel(google.calendar, made.id)


async def test_an_event_that_its_owner_made_all_day(google: GoogleHarness) -> None:
    wanted = appointment()
    made = await google.provider.create(google.calendar, wanted)
    calendar = google.calendars[google.calendar]
    day = MORNING.date()
    dates = {"start": {"date": day.isoformat()}, "end": {"date": (day + DAY).isoformat()}}
    calendar.put({**calendar.events[made.id], **dates})
    found = await google.provider.find(google.calendar, wanted)
    assert found is not None
    assert found.slot == whole_day(day)
    changed = await google.provider.change(google.calendar, made.id, replace(wanted, sequence=1))
    assert changed is not None
    assert changed.slot == wanted.slot


async def test_a_copy_that_its_owner_made_is_not_the_booking(google: GoogleHarness) -> None:
    wanted = appointment()
    made = await google.provider.create(google.calendar, wanted)
    calendar = google.calendars[google.calendar]
    copy = calendar.put({name: value for name, value in calendar.events[made.id].items() if name != "id"})
    seen = await google.provider.events(google.calendar, around(wanted.slot))
    assert {(event.id, event.key) for event in seen} == {(made.id, wanted.key), (copy["id"], None)}


@pytest.mark.parametrize("answer", ["accepted", "declined"])
async def test_only_what_the_owner_declined_is_free(google: GoogleHarness, answer: str) -> None:
    calendar = google.calendars[google.calendar]
    others = [{"email": f"guest{number}@example.com", "responseStatus": "declined"} for number in range(3)]
    planted = await google.plant(slot())
    own = {"email": google.email, "self": True, "responseStatus": answer}
    calendar.put({**calendar.events[planted], "attendees": [*others, own]})
    busy = answer == "accepted"
    [event] = await google.provider.events(google.calendar, slot())
    assert event.busy is busy
    assert await google.provider.busy([google.calendar], slot()) == ([slot()] if busy else [])


async def test_busy_over_more_days_and_calendars_than_one_query_takes(google: GoogleHarness) -> None:
    wanted = [slot(MORNING + days * DAY) for days in (0, 59, 61, 119, 200)]
    for each in wanted:
        await google.plant(each)
    others = [f"{number}@group.calendar.google.com" for number in range(59)]
    google.calendars.update({one: GoogleCalendar(one, one) for one in others})
    last = slot(MORNING + 100 * DAY)
    await google.plant(last, calendar=others[-1])
    window = Interval(MORNING - DAY, MORNING + 300 * DAY)
    busy = await google.provider.busy([google.calendar, *others], window)
    assert sorted(busy, key=lambda each: each.start) == sorted([*wanted, last], key=lambda each: each.start)


async def test_a_window_of_parts_of_a_second(google: GoogleHarness) -> None:
    await google.plant(slot())
    tick = timedelta(microseconds=1)
    ends_after = Interval(MORNING - HOUR, MORNING + tick)
    begins_before = Interval(MORNING + HOUR - tick, MORNING + 2 * HOUR)
    for window, expected in (
        (ends_after, [slot()]),
        (begins_before, [slot()]),
        (Interval(MORNING - HOUR, MORNING), []),
        (Interval(MORNING + HOUR + tick, MORNING + 2 * HOUR), []),
    ):
        assert slots_of(await google.provider.events(google.calendar, window)) == expected
        assert bool(await google.provider.busy([google.calendar], window)) is bool(expected)


@pytest.mark.parametrize("status", [400, 410])
async def test_a_token_that_google_refuses_begins_anew(google: GoogleHarness, status: int) -> None:
    planted = await google.plant(slot())
    token = (await google.provider.changes(google.calendar, None)).token
    google.server.faults.append(Fault(status))
    anew = await google.provider.changes(google.calendar, token)
    assert (anew.whole, [event.id for event in anew.events]) == (True, [planted])


async def test_changes_leave_out_what_is_over(google: GoogleHarness) -> None:
    await google.plant(slot(MORNING - 20 * DAY))
    assert (await google.provider.changes(google.calendar, None)).events == ()


@pytest.mark.parametrize(
    "reason", ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"]
)
async def test_a_limit_that_is_told_as_403_passes(google: GoogleHarness, reason: str) -> None:
    made = await google.provider.create(google.calendar, appointment())
    for call in (
        lambda: google.provider.create(google.calendar, appointment()),
        lambda: google.provider.change(google.calendar, made.id, appointment()),
        lambda: google.provider.cancel(google.calendar, made.id),
    ):
        google.server.faults.append(Fault(403, reason, retry_after=7))
        with pytest.raises(CalendarUnavailable, match=reason) as raised:
            await call()
        assert raised.value.retry_after == 7
    assert [event.id for event in await google.stored()] == [made.id]


async def test_without_a_scope_the_connection_is_broken(new_google: NewHarness) -> None:
    whole = await new_google()
    assert isinstance(whole, GoogleHarness)
    reading, writing = (GoogleHarness(whole.server, whole.outbound, (scope,)) for scope in (READONLY, EVENTS))
    for call in (
        lambda: reading.provider.create(reading.calendar, appointment()),
        lambda: reading.provider.change(reading.calendar, "someevent", appointment()),
        lambda: reading.provider.cancel(reading.calendar, "someevent"),
    ):
        with pytest.raises(ConnectionBroken):
            await call()
    assert reading.credentials.reasons == ["HTTP 403 insufficientPermissions"] * 3
    assert await reading.provider.events(reading.calendar, slot()) == []
    with pytest.raises(ConnectionBroken):
        await writing.provider.busy([writing.calendar], slot())


async def test_a_calendar_without_the_right_to_write_is_refused(google: GoogleHarness) -> None:
    made = await google.provider.create(google.calendar, appointment())
    google.calendars[google.calendar].role = "reader"
    with pytest.raises(CalendarRefused, match=r"403 \(requiredAccessLevel\)"):
        await google.provider.create(google.calendar, appointment())
    with pytest.raises(CalendarRefused, match="requiredAccessLevel"):
        await google.provider.change(google.calendar, made.id, appointment())
    with pytest.raises(CalendarRefused, match="requiredAccessLevel"):
        await google.provider.cancel(google.calendar, made.id)
    google.server.faults.append(Fault(403, "forbidden"))
    with pytest.raises(CalendarRefused, match="forbidden"):
        await google.provider.change(google.calendar, made.id, appointment())
    assert google.credentials.reasons == []


async def test_nothing_of_what_google_writes_but_its_word_is_told(google: GoogleHarness) -> None:
    google.server.faults.append(Fault(403, "token ya29.secret leaked"))
    with pytest.raises(CalendarRefused) as raised:
        await google.provider.calendars()
    assert "(unknown)" in raised.value.detail
    assert "ya29" not in raised.value.detail


async def test_an_answer_that_says_nothing_is_not_a_free_calendar(google: GoogleHarness) -> None:
    made = await google.provider.create(google.calendar, appointment())
    for call in (
        lambda: google.provider.account(),
        lambda: google.provider.events(google.calendar, slot()),
        lambda: google.provider.busy([google.calendar], slot()),
        lambda: google.provider.create(google.calendar, appointment()),
        lambda: google.provider.change(google.calendar, made.id, appointment()),
        lambda: google.provider.changes(google.calendar, None),
    ):
        google.server.faults.append(Fault(200))
        with pytest.raises(CalendarUnavailable, match="not what it documents"):
            await call()


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (None, CalendarUnavailable),
        ({"errors": [{"reason": "internalError"}]}, CalendarUnavailable),
        ({"errors": [{"reason": "rateLimitExceeded"}]}, CalendarUnavailable),
        ({"errors": [{"reason": "notFound"}]}, CalendarRefused),
        ({"busy": [{"start": "today", "end": "tomorrow"}]}, CalendarUnavailable),
    ],
)
async def test_busy_times_that_are_not_known_are_not_free(
    google: GoogleHarness, told: dict[str, Any] | None, error: type[TenantryError]
) -> None:
    calendars = {google.calendar: {"busy": []}, **({google.second: told} if told else {})}
    google.server.faults.append(Fault(200, body={"calendars": calendars}))
    with pytest.raises(error):
        await google.provider.busy([google.calendar, google.second], slot())


async def test_an_access_token_that_is_too_old_is_renewed(google: GoogleHarness) -> None:
    token = google.credentials.authorization.removeprefix("Bearer ")
    google.server.oauth.access[token] = (google.grant, MORNING.replace(year=2000, tzinfo=UTC).timestamp())
    assert await google.provider.account() == google.email
    assert google.credentials.version == 2
    google.grant.revoked = True
    with pytest.raises(ConnectionBroken):
        await google.provider.account()
