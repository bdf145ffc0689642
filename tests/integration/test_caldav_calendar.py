"""CalDAV against a real Radicale server: what the contract of all calendars does not say."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Event

from tenantry.calendars.caldav.provider import CalDavCalendars
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, Attendee
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tenantry.domain.ids import new_id
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tests.contract.harness import HeldCredentials
from tests.radicale_server import RadicaleServer, answering, basic, radicale_server

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=10)
FORBIDDEN = '<error xmlns="DAV:"><valid-sync-token/></error>'


@pytest.fixture(scope="module")
async def radicale() -> AsyncIterator[RadicaleServer]:
    async with radicale_server() as server:
        yield server


@pytest.fixture(scope="module")
async def outbound() -> AsyncIterator[OutboundHttp]:
    http = OutboundHttp(NetworkPolicy((ip_network("127.0.0.0/8"),)))
    yield http
    await http.close()


@dataclass
class Member:
    """A user of the server, their calendar and what they connected."""

    server: RadicaleServer
    http: OutboundHttp
    user: str
    calendar: str = ""

    def connected(self, url: str | None = None, password: str | None = None) -> CalDavCalendars:
        credentials = HeldCredentials(basic(self.user, password or self.user))
        return CalDavCalendars(CalendarHttp(self.http, credentials), url or self.server.url)

    async def put(self, *lines: str, name: str = "theirs", head: str = "") -> str:
        """The member stores an event, or several with the changed occurrences of it."""
        body = "\r\n".join(("BEGIN:VEVENT", "UID:theirs", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))
        text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//X//EN\r\n{head}{body}\r\nEND:VCALENDAR\r\n"
        return await self.server.put(self.user, f"{self.calendar}{name}.ics", text)

    async def event(self, path: str) -> Event:
        """An event as the server holds it."""
        _, _, text = await self.server.ask(self.user, "GET", path)
        return Calendar.from_ical(text).events[0]

    async def edit(self, path: str, before: str, after: str) -> None:
        """The member changes what an event says."""
        _, _, text = await self.server.ask(self.user, "GET", path)
        assert before in text
        await self.server.put(self.user, path, text.replace(before, after))


@pytest.fixture
async def member(radicale: RadicaleServer, outbound: OutboundHttp) -> Member:
    user = f"m-{new_id().hex}"
    radicale.add_user(user)
    radicale.faults.clear()
    radicale.requests.clear()
    await radicale.ask(user, "PROPFIND", f"/{user}/")
    return Member(radicale, outbound, user, await radicale.make_calendar(user, "work"))


def appointment(start: datetime = NOON, **others: Any) -> Appointment:
    made = Appointment(new_id(), Interval(start, start + HOUR), BERLIN.key, title="Viewing", description="Ring twice")
    return replace(made, **others)


def day(start: datetime) -> Interval:
    return Interval(start - 24 * HOUR, start + 24 * HOUR)


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[misc,arg-type]


async def test_a_member_connects_by_the_address_of_the_server(member: Member) -> None:
    await member.server.make_calendar(member.user, "tasks", holds="VTODO")
    for path in ("", "/", f"/{member.user}/", "/nowhere/"):
        provider = member.connected(member.server.url + path)
        assert await provider.account() == member.user
        [work] = await provider.calendars()
        assert (work.remote_id, work.name, work.primary, work.writable) == (member.calendar, "work", True, True)


async def test_well_known_is_followed_on_the_same_server(member: Member) -> None:
    """Radicale itself redirects it; the address that was given is no WebDAV."""
    member.server.fail(answering(405), "PROPFIND", path="/mail/")
    member.server.fail(answering(301, Location=f"/{member.user}/"), "PROPFIND", path="/.well-known/caldav")
    assert await member.connected(member.server.url + "/mail/").account() == member.user


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/", "http://127.0.0.1:1/", "//localhost/", "https://dav.example.com/"]
)
async def test_redirects_to_other_servers_are_refused(member: Member, target: str) -> None:
    for _ in range(3):
        member.server.fail(answering(302, Location=target), "PROPFIND")
    with pytest.raises(CalendarRefused, match="another server"):
        await member.connected().calendars()
    assert {method for method, *_ in member.server.requests} == {"PROPFIND"}


async def test_private_addresses_are_refused(member: Member) -> None:
    closed = OutboundHttp(NetworkPolicy())
    provider = CalDavCalendars(CalendarHttp(closed, HeldCredentials("Basic x")), member.server.url)
    with pytest.raises(CalendarRefused):
        await provider.calendars()
    await closed.close()
    assert member.server.requests == []


@pytest.mark.parametrize("url", ["ftp://dav.example.com/", "dav.example.com", "http://", "http://[", "file:///etc"])
async def test_what_is_no_address_is_refused(member: Member, url: str) -> None:
    with pytest.raises(CalendarRefused):
        await member.connected(url).calendars()


async def test_redirects_in_circles_end(member: Member) -> None:
    for _ in range(20):
        member.server.fail(answering(302, Location="/round/"), "PROPFIND")
    with pytest.raises(CalendarRefused):
        await member.connected().calendars()
    assert len(member.server.requests) < 15


async def test_a_wrong_password_needs_signing_in_again(member: Member) -> None:
    with pytest.raises(ConnectionBroken):
        await member.connected(password="wrong").calendars()


async def test_another_members_calendar_is_refused(member: Member, radicale: RadicaleServer) -> None:
    radicale.add_user("other")
    await radicale.ask("other", "PROPFIND", "/other/")
    other = await radicale.make_calendar("other", f"c-{new_id().hex}")
    provider = member.connected()
    for call in (
        lambda: provider.events(other, day(NOON)),
        lambda: provider.busy([other], day(NOON)),
        lambda: provider.create(other, appointment()),
        lambda: provider.find(other, appointment()),
        lambda: provider.change(other, f"{other}x.ics", appointment()),
        lambda: provider.cancel(other, f"{other}x.ics"),
        lambda: provider.changes(other, None),
    ):
        with pytest.raises(CalendarRefused):
            await call()
    assert await radicale.objects("other", other) == {}


@pytest.mark.parametrize("named", ["http://evil.example/c/", "//evil.example/c/", "http://127.0.0.1:1/c/"])
async def test_ids_on_other_servers_are_refused(member: Member, named: str) -> None:
    provider = member.connected()
    for call in (
        lambda: provider.events(named, day(NOON)),
        lambda: provider.change(member.calendar, named, appointment()),
        lambda: provider.cancel(member.calendar, named),
    ):
        with pytest.raises(CalendarRefused):
            await call()
    assert member.server.requests == []


async def test_addresses_in_answers_that_lead_elsewhere_are_refused(member: Member) -> None:
    foreign = (
        '<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop><current-user-principal>'
        "<href>https://evil.example/me/</href></current-user-principal></prop></propstat></response></multistatus>"
    )
    for _ in range(3):
        member.server.fail(answering(207, foreign), "PROPFIND")
    with pytest.raises(CalendarRefused, match=r"connect with https://evil\.example instead"):
        await member.connected().account()


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


async def test_a_calendar_without_zone_has_the_one_that_is_given(member: Member) -> None:
    calendar = await member.server.make_calendar(member.user, "zoneless", zone="")
    member.calendar = calendar
    await member.put("DTSTART;VALUE=DATE:20270328", head="X-WR-TIMEZONE:America/New_York\r\n")
    await member.put("DTSTART;VALUE=DATE:20270601", "SUMMARY:x", name="plain")
    window = Interval(berlin(2027, 3, 20), berlin(2027, 7, 5))
    http = CalendarHttp(member.http, HeldCredentials(basic(member.user, member.user)))
    busy = await CalDavCalendars(http, member.server.url, ZoneInfo("Asia/Tokyo")).busy([calendar], window)
    tokyo = datetime(2027, 6, 1, tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(UTC)
    assert tokyo in {slot.start for slot in busy}


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


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><multistatus xmlns="DAV:">&b;</multistatus>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><multistatus xmlns="DAV:">&a;</multistatus>'


@pytest.mark.parametrize("body", [BOMB, OUTSIDE])
async def test_documents_types_are_refused(member: Member, body: str) -> None:
    member.server.fail(answering(207, body), "REPORT")
    with pytest.raises(CalendarRefused):
        await member.connected().events(member.calendar, day(NOON))


@pytest.mark.parametrize(
    "body",
    ["", "<html/>", "<multistatus", '<?xml version="1.0" encoding="klingon"?><a/>', "\x00", "x" * (5 * 2**20)],
    ids=["empty", "html", "cut", "encoding", "null", "huge"],
)
async def test_answers_that_are_none_are_a_calendar_that_is_away(member: Member, body: str) -> None:
    member.server.fail(answering(207, body), "REPORT")
    with pytest.raises(CalendarUnavailable):
        await member.connected().events(member.calendar, day(NOON))


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, CalendarRefused), (404, CalendarRefused), (302, CalendarRefused), (507, CalendarUnavailable)],
)
async def test_what_answers_mean(member: Member, status: int, error: type[Exception]) -> None:
    provider, wanted = member.connected(), appointment()
    for method, call in (
        ("PUT", lambda: provider.create(member.calendar, wanted)),
        ("REPORT", lambda: provider.events(member.calendar, day(NOON))),
        ("PROPFIND", lambda: provider.changes(member.calendar, None)),
    ):
        member.server.fail(answering(status), method)
        with pytest.raises(error):
            await call()
    assert await member.server.objects(member.user, member.calendar) == {}


async def test_changes_from_a_server_that_forgot_the_token_are_all(member: Member) -> None:
    provider = member.connected()
    made = await provider.create(member.calendar, appointment())
    token = (await provider.changes(member.calendar, None)).token
    for status in (403, 409, 501):
        member.server.fail(answering(status, FORBIDDEN), "REPORT")
        anew = await provider.changes(member.calendar, token)
        assert (anew.whole, [event.id for event in anew.events]) == (True, [made.id])


async def test_changes_that_are_cut_off_are_asked_on_for(member: Member) -> None:
    provider = member.connected()
    token = (await provider.changes(member.calendar, None)).token
    made = await provider.create(member.calendar, appointment())
    cut = (
        f'<multistatus xmlns="DAV:"><response><href>{member.calendar}</href><status>HTTP/1.1 507 Insufficient Storage'
        f"</status></response><response><href>{member.calendar}gone.ics</href><status>HTTP/1.1 404 Not Found</status>"
        f"</response><sync-token>{token.removeprefix('sync:')}</sync-token></multistatus>"
    )
    member.server.fail(answering(207, cut), "REPORT")
    seen = await provider.changes(member.calendar, token)
    assert ([event.id for event in seen.events], seen.gone) == ([made.id], {f"{member.calendar}gone.ics"})


def without_sync(ctag: str) -> str:
    """How a calendar stands on a server that has tags of whole calendars at most."""
    return (
        '<multistatus xmlns="DAV:" xmlns:S="http://calendarserver.org/ns/"><response><href>/</href><propstat><prop>'
        f"<S:getctag>{ctag}</S:getctag></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
    )


async def test_changes_of_a_server_that_cannot_tell_them(member: Member) -> None:
    provider = member.connected()
    made = await provider.create(member.calendar, appointment())
    token = None
    for ctag, whole in (("1", True), ("1", False), ("2", True), ("", True), ("", True)):
        member.server.fail(answering(207, without_sync(ctag)), "PROPFIND")
        seen = await provider.changes(member.calendar, token)
        assert (seen.whole, [event.id for event in seen.events]) == (whole, [made.id] if whole else [])
        token = seen.token


async def test_what_is_over_is_left_out_at_first_and_many_events_come_in_parts(member: Member) -> None:
    await member.put("DTSTART:20200601T080000Z", "DTEND:20200601T090000Z", name="over")
    provider = member.connected()
    event = "BEGIN:VEVENT\nUID:{0}\nDTSTAMP:20260101T000000Z\nDTSTART:20270601T080000Z\nDTEND:20270601T090000Z\nEND:VEVENT\n"
    many = "".join(event.format(n) for n in range(120))
    whole = await member.server.make_calendar(member.user, "many")
    await member.server.ask(member.user, "DELETE", whole)
    body = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{many}END:VCALENDAR\n"
    await member.server.ask(member.user, "PUT", whole, body, Content_Type="text/calendar")
    assert (await provider.changes(member.calendar, None)).events == ()
    assert len((await provider.changes(whole, None)).events) == 120


async def test_nobodys_password_is_sent_elsewhere_or_told(member: Member) -> None:
    """Every request carries the member's own, and no error quotes it."""
    provider = member.connected()
    await provider.calendars()
    await provider.create(member.calendar, appointment())
    assert {headers["Authorization"] for _, _, headers, _ in member.server.requests} == {
        basic(member.user, member.user)
    }
    member.server.fail(answering(500), "REPORT")
    with pytest.raises(CalendarUnavailable) as raised:
        await provider.events(member.calendar, day(NOON))
    assert basic(member.user, member.user)[6:] not in str(raised.value)


async def test_twenty_bookings_at_once(member: Member) -> None:
    provider = member.connected()
    wanted = [appointment(NOON + n * HOUR) for n in range(10)]
    made = await asyncio.gather(*(provider.create(member.calendar, each) for each in wanted * 2))
    assert len({event.id for event in made}) == 10 == len(await member.server.objects(member.user, member.calendar))
