"""Microsoft 365 beyond what all calendars do alike, on a strict server of Microsoft Graph."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from yarl import URL

from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Attendee
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tests.contract import microsoft
from tests.contract.harness import NewHarness
from tests.contract.microsoft import MicrosoftHarness
from tests.contract.times import DAY, HOUR, MORNING, appointment, around, slot, slots_of
from tests.graph_login import CLIENT_ID, CLIENT_SECRET, SCOPES
from tests.graph_server import graph_server

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
async def new() -> AsyncIterator[NewHarness]:
    """Makes accounts on a server of the test's own, which has nothing to complain of at the end."""
    async with microsoft.opened() as opened:
        yield opened


@pytest.fixture
async def account(new: NewHarness) -> MicrosoftHarness:
    """A work account."""
    made = await new()
    assert isinstance(made, MicrosoftHarness)
    return made


@pytest.mark.parametrize("replays_answer", [True, False], ids=["201", "409"])
async def test_a_replay_is_the_event_however_graph_answers_it(account: MicrosoftHarness, replays_answer: bool) -> None:
    account.server.replays_answer = replays_answer
    wanted = appointment()
    made = await account.provider.create(account.calendar, wanted)
    assert await account.provider.create(account.calendar, wanted) == made
    assert [event.id for event in await account.stored()] == [made.id]


async def test_a_replay_of_what_its_owner_deleted_is_refused(account: MicrosoftHarness) -> None:
    wanted = appointment()
    made = await account.provider.create(account.calendar, wanted)
    await account.delete(made.id)
    with pytest.raises(CalendarRefused, match="deleted"):
        await account.provider.create(account.calendar, wanted)
    assert await account.stored() == []


async def test_a_conflict_of_another_kind_passes(account: MicrosoftHarness) -> None:
    account.server.fail(409, "ErrorIrresolvableConflict")
    with pytest.raises(CalendarUnavailable, match="HTTP 409 ErrorIrresolvableConflict"):
        await account.provider.create(account.calendar, appointment())
    assert await account.stored() == []


async def test_created_again_when_the_connection_broke_after_it_was_made(account: MicrosoftHarness) -> None:
    account.server.cut_every = 1
    wanted = appointment()
    with pytest.raises(CalendarUnavailable):
        await account.provider.create(account.calendar, wanted)
    account.server.cut_every = 0
    made = await account.provider.create(account.calendar, wanted)
    assert [(event.id, event.key) for event in await account.stored()] == [(made.id, wanted.key)]


async def test_found_by_its_key_after_it_was_moved(account: MicrosoftHarness) -> None:
    wanted = appointment()
    made = await account.provider.create(account.calendar, wanted)
    await account.move(made.id, slot(MORNING + 90 * DAY))
    found = await account.provider.find(account.calendar, wanted)
    assert found is not None
    assert (found.id, found.slot) == (made.id, slot(MORNING + 90 * DAY))


@pytest.mark.parametrize("organizer", [True, False])
async def test_a_meeting_is_cancelled_for_its_attendees_by_its_organizer(
    account: MicrosoftHarness, organizer: bool
) -> None:
    made = await account.provider.create(account.calendar, appointment(attendee=Attendee("kim@example.com")))
    account.mailbox.events[made.id].is_organizer = organizer
    await account.provider.cancel(account.calendar, made.id)
    assert [event.id for event in account.mailbox.cancelled] == ([made.id] if organizer else [])
    assert account.mailbox.events == {}


@pytest.mark.parametrize("times", [pytest.param(1, id="once"), pytest.param(2, id="twice")])
async def test_a_refused_token_is_renewed_once(account: MicrosoftHarness, times: int) -> None:
    account.server.fail(401, "InvalidAuthenticationToken", times=times)
    if times == 1:
        await account.provider.create(account.calendar, appointment())
        assert (account.credentials.version, len(await account.stored())) == (2, 1)
    else:
        with pytest.raises(ConnectionBroken):
            await account.provider.create(account.calendar, appointment())
        assert (account.credentials.version, await account.stored()) == (2, [])
        assert account.credentials.reasons == ["HTTP 401 with a fresh token"]


async def test_an_expired_token_is_renewed(account: MicrosoftHarness) -> None:
    account.server.login.expire(account.mailbox.address)
    assert await account.provider.account() == account.mailbox.address
    assert account.credentials.version == 2


async def test_a_claims_challenge_needs_consent_again(account: MicrosoftHarness) -> None:
    account.server.fail(403, "insufficient_claims")
    with pytest.raises(ConnectionBroken):
        await account.provider.events(account.calendar, slot())
    assert account.credentials.reasons == ["HTTP 403 insufficient_claims"]


async def test_a_calendar_that_is_only_shared_for_reading_is_refused(account: MicrosoftHarness) -> None:
    read_only = account.mailbox.add_calendar("Team", can_edit=False)
    assert [each.writable for each in await account.provider.calendars()] == [True, True, False]
    with pytest.raises(CalendarRefused, match="HTTP 403 ErrorAccessDenied"):
        await account.provider.create(read_only, appointment())
    assert account.credentials.reasons == []


async def test_a_token_without_the_scope_is_refused(account: MicrosoftHarness) -> None:
    token = account.server.login.issue(account.mailbox.address, "User.Read")
    account.credentials.authorization = f"Bearer {token}"
    with pytest.raises(CalendarRefused, match="ErrorAccessDenied"):
        await account.provider.create(account.calendar, appointment())


@pytest.mark.parametrize(
    ("status", "error"), [(400, CalendarRefused), (404, CalendarRefused), (409, CalendarUnavailable)]
)
async def test_an_error_is_told_by_its_code_and_not_by_its_message(
    account: MicrosoftHarness, status: int, error: type[CalendarRefused]
) -> None:
    account.server.fail(status, "ErrorInvalidRequest")
    with pytest.raises(error) as raised:
        await account.provider.find(account.calendar, appointment())
    assert f"HTTP {status} ErrorInvalidRequest" in raised.value.detail
    assert account.calendar not in raised.value.detail
    assert "About" not in raised.value.detail


async def test_a_personal_account_has_all_of_it(new: NewHarness, account: MicrosoftHarness) -> None:
    mailbox = account.server.add_mailbox("anna@outlook.example", personal=True)
    own = MicrosoftHarness(account.server, account.http, mailbox)
    await own.plant(slot(MORNING + 2 * HOUR))
    wanted = appointment()
    made = await own.provider.create(own.calendar, wanted)
    moved = await own.provider.change(own.calendar, made.id, appointment(slot(MORNING + 4 * HOUR), key=wanted.key))
    assert moved is not None
    busy = await own.provider.busy([own.calendar], around(slot()))
    assert busy == [slot(MORNING + 2 * HOUR), slot(MORNING + 4 * HOUR)]
    assert len((await own.provider.changes(own.calendar, None)).events) == 2
    await own.provider.cancel(own.calendar, made.id)
    assert await own.provider.find(own.calendar, wanted) is None
    assert await own.provider.account() == "anna@outlook.example"
    assert not any("getSchedule" in request for request in own.server.requests)


async def test_an_all_day_event_is_a_day_of_the_zone_that_it_was_made_in(account: MicrosoftHarness) -> None:
    day = MORNING.date()
    account.mailbox.plant(day=day, zone="Eastern Standard Time")
    midnight = datetime.combine(day, datetime.min.time(), NEW_YORK)
    expected = Interval(midnight.astimezone(UTC), (midnight + DAY).astimezone(UTC))
    assert await account.provider.busy([account.calendar], around(expected)) == [expected]
    assert await account.provider.busy([account.calendar], slot(expected.start - HOUR)) == []


async def test_every_page_is_read(account: MicrosoftHarness) -> None:
    account.server.page_size = 2
    wanted = [slot(MORNING + number * HOUR) for number in range(5)]
    for each in wanted:
        await account.plant(each)
    assert slots_of(await account.provider.events(account.calendar, around(slot()))) == wanted
    third = account.mailbox.add_calendar("Attic")
    assert third in {choice.remote_id for choice in await account.provider.calendars()}
    first = await account.provider.changes(account.calendar, None)
    assert slots_of(first.events) == wanted
    for event in first.events[:3]:
        await account.delete(event.id)
    assert (await account.provider.changes(account.calendar, first.token)).gone == {e.id for e in first.events[:3]}


async def test_no_link_to_another_server_is_followed(account: MicrosoftHarness) -> None:
    for number in range(3):
        await account.plant(slot(MORNING + number * HOUR))
    async with graph_server() as other:
        account.server.elsewhere, account.server.page_size = other.url, 2
        for call in (
            lambda: account.provider.calendars(),
            lambda: account.provider.events(account.calendar, around(slot())),
            lambda: account.provider.changes(account.calendar, None),
        ):
            account.mailbox.add_calendar("One more")
            with pytest.raises(CalendarUnavailable, match="another server"):
                await call()
        account.server.elsewhere, account.server.page_size = None, 100
        token = (await account.provider.changes(account.calendar, None)).token
        led_astray = token.replace(account.server.url, other.url)
        assert led_astray != token
        assert (await account.provider.changes(account.calendar, led_astray)).whole
        assert other.requests == []


@pytest.mark.parametrize("shows_series", [True, False], ids=["with its series", "without"])
async def test_changes_have_the_occurrences_of_a_series_as_they_are_seen(
    account: MicrosoftHarness, shows_series: bool
) -> None:
    account.server.shows_series = shows_series
    free = account.mailbox.plant(slot().start, slot().end, weekly=3, show_as="free")
    days = account.mailbox.plant(day=MORNING.date(), weekly=2, zone="Eastern Standard Time")
    changes = await account.provider.changes(account.calendar, None)
    window = Interval(MORNING - DAY, MORNING + 30 * DAY)
    seen = await account.provider.events(account.calendar, window)
    assert {(e.id, e.slot, e.busy) for e in changes.events} == {(e.id, e.slot, e.busy) for e in seen}
    assert len(seen) == 5
    assert {free.id, days.id}.isdisjoint(event.id for event in changes.events)


async def test_what_leaves_the_window_of_changes_is_gone(account: MicrosoftHarness) -> None:
    planted = await account.plant(slot())
    token = (await account.provider.changes(account.calendar, None)).token
    await account.move(planted, slot(MORNING + 1000 * DAY))
    assert (await account.provider.changes(account.calendar, token)).gone == {planted}


async def test_the_window_of_changes_is_opened_anew_before_it_ends(account: MicrosoftHarness) -> None:
    token = (await account.provider.changes(account.calendar, None)).token
    begun, link = token.split(" ")
    today = datetime.fromisoformat(begun).date()
    still, over = (f"{today - timedelta(days=days)} {link}" for days in (30, 31))
    assert not (await account.provider.changes(account.calendar, still)).whole
    anew = await account.provider.changes(account.calendar, over)
    assert anew.whole
    assert anew.token.startswith(begun)


@pytest.mark.parametrize("token", ["", "x", "2026-13-40 x", " ", "☃"])
async def test_what_is_no_token_begins_anew(account: MicrosoftHarness, token: str) -> None:
    assert (await account.provider.changes(account.calendar, token)).whole


async def test_a_mailbox_is_asked_four_things_at_once(account: MicrosoftHarness) -> None:
    account.server.held = asyncio.Event()
    window = around(slot())
    asking = asyncio.create_task(account.provider.busy([account.calendar] * 9, window))
    while account.server.under_way[account.mailbox.address] < 4:
        await asyncio.sleep(0.001)

    other = MicrosoftHarness(account.server, account.http, account.server.add_mailbox("ben@contoso.example"))
    asking_too = asyncio.create_task(other.provider.events(other.calendar, window))
    while account.server.under_way[other.mailbox.address] < 1:
        await asyncio.sleep(0.001)
    account.server.held.set()
    await asking
    await asking_too
    assert account.server.most_at_once == 4


async def test_an_answer_of_another_form_is_unavailable(account: MicrosoftHarness) -> None:
    account.mailbox.plant(slot().start, slot().end, show_as=5)
    with pytest.raises(CalendarUnavailable):
        await account.provider.events(account.calendar, around(slot()))


async def test_the_server_refuses_what_graph_does_not_take() -> None:
    """That the server is strict is what the tests above rest on."""
    async with graph_server() as server, aiohttp.ClientSession() as session:
        mailbox = server.mailboxes[server.login.signed_in]
        prefer = 'IdType="ImmutableId", outlook.timezone="UTC"'
        headers = {"Authorization": f"Bearer {server.login.issue(mailbox.address)}", "Prefer": prefer}
        calendars = f"{server.api_url}/me/calendars"
        calendar = f"{calendars}/{quote(mailbox.default, safe='')}"
        wrong: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
            ("GET", f"{calendar}/events", {}, headers),
            ("GET", f"{calendar}/calendarView", {}, headers),
            ("GET", calendars, {}, {**headers, "Prefer": 'outlook.timezone="UTC"'}),
            ("GET", f"{calendars}?$select=id,colour", {}, headers),
            ("POST", f"{server.api_url}/me/calendar/getSchedule", {"json": {}}, headers),
            ("POST", f"{calendar}/events", {"json": {"subject": "Viewing"}}, headers),
            ("POST", f"{calendar}/events", {"data": "{}"}, headers),
        ]
        for number, (method, url, content, sent) in enumerate(wrong, 1):
            async with session.request(method, URL(url, encoded=True), headers=sent, **content) as answer:
                assert (answer.status, len(server.violations)) == (400, number)
        async with session.get(calendars) as answer:
            assert answer.status == 401


async def test_the_sign_in_of_the_server_gives_tokens_for_a_code_with_its_verifier() -> None:
    async with graph_server() as server, aiohttp.ClientSession() as session:
        verifier = "v" * 43
        hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        back = {"redirect_uri": "http://127.0.0.1:1/oauth/callback"}
        folder = f"{server.url}/common/oauth2/v2.0"

        async def code() -> str:
            asked = {"client_id": CLIENT_ID, "response_type": "code", **back, "scope": SCOPES, "state": "s"}
            pkce = {"code_challenge": hashed, "code_challenge_method": "S256"}
            async with session.get(f"{folder}/authorize", params={**asked, **pkce}, allow_redirects=False) as answer:
                assert answer.status == 302
                led = URL(answer.headers["Location"])
                assert led.query["state"] == "s"
                return led.query["code"]

        async def token(**form: str) -> tuple[int, dict[str, Any]]:
            async with session.post(f"{folder}/token", data={**client, **form}) as answer:
                return answer.status, await answer.json()

        redeem = {"grant_type": "authorization_code", "code": await code(), **back}
        status, refused = await token(**redeem, code_verifier="w" * 43)
        assert (status, refused["error_codes"]) == (400, [501481])
        redeem["code"] = await code()
        status, granted = await token(**redeem, code_verifier=verifier)
        assert (status, granted["scope"]) == (200, "Calendars.ReadWrite User.Read")
        status, refused = await token(**redeem, code_verifier=verifier)
        assert (status, refused["error"], refused["error_codes"]) == (400, "invalid_grant", [54005])

        renew = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
        status, renewed = await token(**renew, scope=SCOPES)
        assert status == 200
        assert renewed["refresh_token"] != granted["refresh_token"]
        assert (await token(**renew))[0] == 200
        server.login.revoke(server.login.signed_in)
        status, refused = await token(**renew)
        assert (status, refused["error_codes"], server.login.refreshes) == (400, [50173], 2)
        assert server.violations == []
