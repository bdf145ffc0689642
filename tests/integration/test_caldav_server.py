"""CalDAV servers: how they are found, what is refused, and what their answers mean."""

import pytest

from tenantry.calendars.caldav.provider import CalDavCalendars
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tenantry.domain.ids import new_id
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tests.contract.harness import HeldCredentials
from tests.integration.caldav_member import NOON, Member, appointment, day
from tests.radicale_server import RadicaleServer, answering, basic


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
    asked = [path for _, path, *_ in member.server.requests]
    assert asked[:3] == ["/mail/", "/.well-known/caldav", f"/{member.user}/"]


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


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<multistatus xmlns="DAV:">&b;</multistatus>'
)
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
