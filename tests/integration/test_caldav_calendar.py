"""CalDAV against a real Radicale server: what the contract of all calendars does not say."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from tenantry.calendars.caldav.provider import CalDavCalendars
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Attendee
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable
from tests.contract.harness import HeldCredentials
from tests.integration.caldav_member import HOUR, NOON, Member, appointment, berlin, day
from tests.radicale_server import answering, basic


async def test_a_booking_is_written_as_its_owner_reads_it(member: Member) -> None:
    contact = Attendee("anna@example.com", "Anna")
    wanted = appointment(title="Viewing\x00, 2 rooms; 5 %\r\nATTENDEE:mailto:evil@example.com", attendee=contact)
    made = await member.connected().create(member.calendar, wanted)
    assert made.id == f"{member.calendar}{wanted.key}.ics"
    event = await member.event(made.id)
    assert event["UID"] == f"{wanted.key}@tenantry"
    assert event["SUMMARY"] == "Viewing, 2 rooms; 5 %\nATTENDEE:mailto:evil@example.com"
    assert event["DTSTART"].params["TZID"] == "Europe/Berlin"
    assert [str(each) for each in event.attendees] == ["mailto:anna@example.com"]
    assert "\0" not in member.server.requests[0][3]
    # No server sends a second invitation.
    assert event.attendees[0].params["SCHEDULE-AGENT"] == "CLIENT"


async def test_a_change_keeps_what_the_owner_added(member: Member) -> None:
    provider, wanted = member.connected(), appointment(sequence=0)
    made = await provider.create(member.calendar, wanted)
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"
    await member.edit(made.id, "END:VEVENT", f"LOCATION:Office 3\r\n{alarm}END:VEVENT")
    await member.edit(made.id, "DESCRIPTION:Ring twice", "DESCRIPTION:Ring twice\\nBring the keys")
    moved = replace(wanted, slot=Interval(NOON + 2 * HOUR, NOON + 3 * HOUR), title="Second viewing", sequence=1)
    assert await provider.change(member.calendar, made.id, moved) is not None
    event = await member.event(made.id)
    assert (event["LOCATION"], event["DESCRIPTION"]) == ("Office 3", "Ring twice\nBring the keys")
    assert (event["SUMMARY"], event.sequence, len(event.walk("VALARM"))) == ("Second viewing", 1, 1)
    assert event.start.astimezone(UTC) == moved.slot.start


async def test_made_again_is_what_the_owner_made_of_it(member: Member) -> None:
    provider, wanted = member.connected(), appointment()
    made = await provider.create(member.calendar, wanted)
    await member.edit(made.id, "SUMMARY:", "LOCATION:Office 3\r\nSUMMARY:")
    await provider.create(member.calendar, wanted)
    assert (await member.event(made.id))["LOCATION"] == "Office 3"


async def test_other_programs_see_that_it_changed(member: Member) -> None:
    """By the sequence, also when the booking counts its changes otherwise."""
    provider, wanted = member.connected(), appointment(sequence=0)
    made = await provider.create(member.calendar, wanted)
    for title, expected in (("Second", 1), ("Second", 1), ("Third", 2)):
        await provider.change(member.calendar, made.id, replace(wanted, title=title))
        assert (await member.event(made.id)).sequence == expected


async def test_an_event_of_others_is_never_taken_for_the_booking(member: Member) -> None:
    """Some servers answer a search by UID with all that there is."""
    await member.put("DTSTART:20270601T080000Z", "DTEND:20270601T090000Z")

    async def all_there_is(request: Any, _: Any) -> Any:
        body = re.sub(r"<(\w+:prop-filter).*?</\1>", "", (await request.read()).decode())
        _, _, text = await member.server.ask(member.user, "REPORT", member.calendar, body)
        assert "20270601T080000Z" in text
        return web.Response(status=207, text=text)

    member.server.fail(all_there_is, "REPORT")
    assert await member.connected().find(member.calendar, appointment()) is None


async def test_a_change_that_the_owner_is_faster_than_is_made_on_theirs(member: Member) -> None:
    provider, wanted = member.connected(), appointment()
    made = await provider.create(member.calendar, wanted)

    async def faster(_: Any, pass_on: Any) -> Any:
        await member.edit(made.id, "SUMMARY:", "LOCATION:Office 3\r\nSUMMARY:")
        return await pass_on()

    member.server.fail(faster, "PUT")
    moved = replace(wanted, slot=Interval(NOON + 2 * HOUR, NOON + 3 * HOUR), sequence=1)
    changed = await provider.change(member.calendar, made.id, moved)
    assert changed is not None
    assert (changed.slot, (await member.event(made.id))["LOCATION"]) == (moved.slot, "Office 3")


async def test_a_change_that_never_comes_through_is_given_up(member: Member) -> None:
    provider, wanted = member.connected(), appointment()
    made = await provider.create(member.calendar, wanted)
    for _ in range(20):
        member.server.fail(answering(412), "PUT")
    with pytest.raises(CalendarUnavailable):
        await provider.change(member.calendar, made.id, replace(wanted, title="Other"))


async def test_a_booking_that_the_owner_deletes_during_the_change_is_gone(member: Member) -> None:
    provider, wanted = member.connected(), appointment()
    made = await provider.create(member.calendar, wanted)

    async def deletes(_: Any, pass_on: Any) -> Any:
        await member.server.ask(member.user, "DELETE", made.id)
        return await pass_on()

    member.server.fail(deletes, "PUT")
    assert await provider.change(member.calendar, made.id, replace(wanted, title="Other")) is None
    assert await member.server.objects(member.user, member.calendar) == {}


async def test_a_booking_under_another_name_is_found_by_its_uid(member: Member) -> None:
    provider, wanted = member.connected(), appointment()
    made = await provider.create(member.calendar, wanted)
    renamed = f"{member.calendar}renamed.ics"
    await member.server.ask(member.user, "MOVE", made.id, Destination=member.server.direct + renamed)
    found = await provider.find(member.calendar, wanted)
    assert found is not None
    assert (found.id, found.slot) == (renamed, wanted.slot)
    assert (await provider.create(member.calendar, wanted)).id == renamed
    assert list(await member.server.objects(member.user, member.calendar)) == [renamed]


async def test_recurring_with_exceptions(member: Member) -> None:
    """Daily at nine over the night on which clocks go back: one left out, one moved, one called off, one added."""
    changed = (
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:theirs",
        "DTSTAMP:20260101T000000Z",
        "RECURRENCE-ID;TZID=Europe/Berlin:20271030T090000",
        "DTSTART;TZID=Europe/Berlin:20271030T140000",
        "DTEND;TZID=Europe/Berlin:20271030T150000",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:theirs",
        "DTSTAMP:20260101T000000Z",
        "RECURRENCE-ID;TZID=Europe/Berlin:20271101T090000",
        "DTSTART;TZID=Europe/Berlin:20271101T090000",
        "DTEND;TZID=Europe/Berlin:20271101T100000",
        "STATUS:CANCELLED",
    )
    await member.put(
        "DTSTART;TZID=Europe/Berlin:20271028T090000",
        "DTEND;TZID=Europe/Berlin:20271028T100000",
        "RRULE:FREQ=DAILY;COUNT=6",
        "EXDATE;TZID=Europe/Berlin:20271029T090000",
        "RDATE;TZID=Europe/Berlin:20271031T200000",
        *changed,
    )
    window = Interval(berlin(2027, 10, 20), berlin(2027, 11, 10))
    provider = member.connected()
    starts = [(10, 28, 9), (10, 30, 14), (10, 31, 9), (10, 31, 20), (11, 2, 9)]
    busy = sorted(slot.start for slot in await provider.busy([member.calendar], window))
    assert busy == [berlin(2027, *start) for start in starts]
    events = await provider.events(member.calendar, window)
    assert [event.slot.start for event in events if not event.busy] == [berlin(2027, 11, 1, 9)]
    assert len({event.id for event in events}) == len(events) == 6
    with pytest.raises(CalendarRefused):
        await provider.cancel(member.calendar, events[0].id)


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        (("DTSTART;VALUE=DATE:20270328", "DTEND;VALUE=DATE:20270329"), ""),
        (("DTSTART;VALUE=DATE:20270328",), ""),
        (("DTSTART:20270328T000000", "DTEND:20270329T000000"), ""),
        (("DTSTART;VALUE=DATE:20260328", "RRULE:FREQ=YEARLY"), ""),
        (("DTSTART;TZID=W. Europe Standard Time:20270328T000000", "DURATION:P1D"), ""),
    ],
)
async def test_days_and_floating_times_are_of_the_calendars_zone(
    member: Member, lines: tuple[str, ...], head: str
) -> None:
    """On the day on which clocks go forward."""
    await member.put(*lines, head=head)
    window = Interval(berlin(2027, 3, 20), berlin(2027, 4, 5))
    busy = await member.connected().busy([member.calendar], window)
    assert busy == [Interval(berlin(2027, 3, 28), berlin(2027, 3, 29))]
    assert busy[0].end - busy[0].start == 23 * HOUR


async def test_days_in_a_calendar_without_zone_are_of_the_one_that_is_given(member: Member) -> None:
    member.calendar = await member.server.make_calendar(member.user, "zoneless", zone="")
    await member.put("DTSTART;VALUE=DATE:20270601")
    http = CalendarHttp(member.http, HeldCredentials(basic(member.user, member.user)))
    tokyo = ZoneInfo("Asia/Tokyo")
    window = Interval(berlin(2027, 5, 20), berlin(2027, 6, 20))
    [busy] = await CalDavCalendars(http, member.server.url, tokyo).busy([member.calendar], window)
    assert busy.start == datetime(2027, 6, 1, tzinfo=tokyo)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
async def test_every_hour_around_both_changes_of_clocks_comes_back_as_it_was(member: Member, zone: str) -> None:
    provider = member.connected()
    for night in (datetime(2027, 3, 28, 0, tzinfo=UTC), datetime(2027, 10, 31, 0, tzinfo=UTC)):
        hours = [night + n * HOUR for n in range(3)]
        for hour in hours:
            made = await provider.create(member.calendar, appointment(hour, time_zone=zone))
            assert made.slot == Interval(hour, hour + HOUR)
        assert sorted(slot.start for slot in await provider.busy([member.calendar], day(night + 2 * HOUR))) == hours


async def test_objects_that_cannot_be_understood_hide_nothing(member: Member, capsys: Any) -> None:
    await member.put("DTSTART:20270601T080000Z", "DTEND:20270601T090000Z", "SUMMARY:good")
    _, _, good = await member.server.ask(member.user, "GET", f"{member.calendar}theirs.ics")
    bad = good.replace("DTEND:20270601T090000Z", "DTEND:20270601T250000Z\r\nSUMMARY:secret meeting")
    assert bad != good
    answer = (
        '<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        + "".join(
            f"<response><href>{member.calendar}{n}.ics</href><propstat><prop><getetag>x</getetag>"
            f"<C:calendar-data>{text}</C:calendar-data></prop><status>HTTP/1.1 200 OK</status></propstat></response>"
            for n, text in enumerate((bad.replace("080000", "100000"), "nonsense", "", good))
        )
        + "</multistatus>"
    )
    member.server.fail(answering(207, answer), "REPORT")
    window = Interval(datetime(2027, 6, 1, tzinfo=UTC), datetime(2027, 6, 2, tzinfo=UTC))
    busy = await member.connected().busy([member.calendar], window)
    assert [slot.start.hour for slot in busy] == [10, 8]
    assert "secret" not in "".join(capsys.readouterr())


async def test_twenty_bookings_at_once(member: Member) -> None:
    provider = member.connected()
    wanted = [appointment(NOON + n * HOUR) for n in range(10)]
    made = await asyncio.gather(*(provider.create(member.calendar, each) for each in wanted * 2))
    assert len({event.id for event in made}) == 10 == len(await member.server.objects(member.user, member.calendar))
