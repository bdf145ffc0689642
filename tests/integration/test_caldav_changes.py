"""What changed in calendars on CalDAV servers, also on those that cannot tell."""

from tests.integration.caldav_member import Member, appointment
from tests.radicale_server import answering

FORBIDDEN = '<error xmlns="DAV:"><valid-sync-token/></error>'


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
    event = "BEGIN:VEVENT\nUID:{0}\nDTSTAMP:20260101T000000Z\nDTSTART:20270601T080000Z\nDURATION:PT1H\nEND:VEVENT\n"
    many = "".join(event.format(n) for n in range(120))
    whole = await member.server.make_calendar(member.user, "many")
    await member.server.ask(member.user, "DELETE", whole)
    body = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{many}END:VCALENDAR\n"
    await member.server.ask(member.user, "PUT", whole, body, Content_Type="text/calendar")
    assert (await provider.changes(member.calendar, None)).events == ()
    assert len((await provider.changes(whole, None)).events) == 120
    assert len([body for *_, body in member.server.requests if "calendar-multiget" in body]) == 2
