"""Calendars as members and contacts use them: `tenantry up`, the providers' servers, and nothing in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from tenantry.cli.agents.session import KEY
from tenantry.cli.demo.callers import Caller
from tenantry.cli.demo.seed import JON, MARK
from tenantry.client import TenantryClient
from tenantry.server.serving import bind
from tests.acceptance.calendar_world import (
    BERLIN,
    VIEWINGS,
    CalDavOwner,
    Talk,
    World,
    clocks_go_forward,
    in_words,
    opened,
    wall,
)
from tests.acceptance.commands import run
from tests.conftest import copied_home, new_home

CARLA = "carla@peterei.example"
MARKS_MAILBOX, JONS_ACCOUNT = "mark@contoso.example", "jon@gmail.example"
DAY = timedelta(days=1)
SOON = datetime.now(BERLIN).date() + 10 * DAY


@pytest.fixture(scope="module")
async def world(empty_installation: Path) -> AsyncIterator[World]:
    """One server for the file; every test has an owner of its own."""
    with new_home() as home:
        async with opened(copied_home(empty_installation, home)) as made:
            yield made


def _nothing() -> None:
    """The transcript is not shown."""


async def test_two_members_on_two_providers_are_each_booked_in_their_own(world: World) -> None:
    world.graph.login.signed_in = MARKS_MAILBOX
    world.graph.add_mailbox(MARKS_MAILBOX)
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    microsofts, googles = await asyncio.gather(
        world.connect("microsoft", world.server.key(MARK)),
        # Google takes only addresses that were registered, with their ports.
        world.connect("google", world.server.key(JON), "--port", str(port), account=JONS_ACCOUNT),
    )
    assert "microsoft is connected" in microsofts
    assert "google is connected" in googles
    assert f"redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}%2F&" in googles
    members = {member.email: member.id for member in await world.client.members.list()}
    connected = {each.provider: each async for each in world.client.connections.list()}
    for provider, email, account in (("microsoft", MARK, MARKS_MAILBOX), ("google", JON, JONS_ACCOUNT)):
        found = connected[provider]
        assert (found.owner_member_id, found.account, found.health) == (members[email], account, "ok")
        await world.in_use(provider, members[email])

    ada = Caller(
        name="Ada",
        agent_id=await _agent_of(world.client, members[MARK]),
        lead_id="ada",
        opening="Hi, I would like to sell my house",
        answers={"property_address": "It's 123 Main Street, Springfield", "email": "ada at example dot com"},
        wanted_time="Next Tuesday at three pm, please",
    )
    grace = Caller(
        name="Grace",
        agent_id=await _agent_of(world.client, members[JON]),
        lead_id="grace",
        opening="Good morning! I am thinking of selling 9 Oak Avenue, Shelbyville",
        answers={"email": "grace@example.org", "phone": "My number is 212 555 0147"},
        wanted_time="Can someone come next Tuesday at 3pm?",
    )
    await asyncio.gather(*(caller.call(world.client, _nothing) for caller in (ada, grace)))
    assert ada.booking is not None, ada.transcript
    assert grace.booking is not None, grace.transcript

    held = {
        address: [(event.transaction_id, event.start) for event in mailbox.events.values()]
        for address, mailbox in world.graph.mailboxes.items()
        if mailbox.events
    }
    start = datetime.fromisoformat(ada.booking["start"]).astimezone(UTC)
    assert held == {MARKS_MAILBOX: [(ada.booking["booking_id"], start)]}
    ((account, calendar),) = (
        (account, calendar)
        for account, calendars in world.google.accounts.items()
        for calendar in calendars.values()
        if calendar.events
    )
    ((event, (begins, _)),) = ((event, calendar.span(event)) for event in calendar.events.values())
    assert (account, calendar.primary) == (JONS_ACCOUNT, True)
    assert event["extendedProperties"]["private"]["tenantryBooking"] == grace.booking["booking_id"]
    assert begins == datetime.fromisoformat(grace.booking["start"]).astimezone(UTC)


async def _agent_of(client: TenantryClient, member_id: UUID) -> UUID:
    (agent,) = [each async for each in client.agents.list(owner_member_id=member_id)]
    return agent.id


async def test_a_caldav_calendar_is_booked_moved_and_cancelled_in_and_followed(world: World) -> None:
    owner = CalDavOwner(world.radicale, "carla")
    await owner.move_in()
    code, printed = await run(world.home, "member", "add", CARLA, "--tenant", "peterei", "--role", "editor")
    assert code == 0, printed
    code, key = await run(world.home, "key", "create", "--tenant", "peterei", "--member", CARLA)
    assert code == 0, key
    connect = ("connection", "connect", "caldav", "--server", world.radicale.direct, "--username", "carla")
    where = ("--url", world.server.url)
    code, printed = await run(world.home, *connect, *where, more={KEY: key.strip()}, typed="carla\n")
    assert (code, printed) == (0, "caldav is connected as carla\n")
    members = {member.email: member.id for member in await world.client.members.list()}
    await world.in_use("caldav", members[CARLA])
    await owner.busy_weekly(wall(SOON - 70 * DAY, 10))
    agent = await world.client.agents.create(VIEWINGS, owner_member_id=members[CARLA], publish=True)

    # Every week at ten she sings.
    talk = Talk(world.client, agent.id, "ada")
    answer = await talk.want(in_words(wall(SOON + 14 * DAY, 10, 30)))
    (call,) = answer.tool_calls
    assert (call.output["status"], call.output["reason"]) == ("unavailable", "taken"), talk.said
    assert "already taken" in answer.reply
    offered = [datetime.fromisoformat(each) for each in call.output["alternatives"]]
    assert offered
    assert not [each for each in offered if wall(SOON + 14 * DAY, 9) < each < wall(SOON + 14 * DAY, 11)]

    answer = await talk.say(in_words(wall(SOON, 15)))
    assert "is booked" in answer.reply, talk.said
    path, event = await owner.the_booked()
    assert event.start == wall(SOON, 15)
    assert event["DTSTART"].params["TZID"] == BERLIN.key
    (booking,) = await world.bookings(talk.id)
    assert str(booking.id) in path

    answer = await talk.say(f"Please move it to {in_words(wall(SOON + DAY, 16))}")
    assert "is now" in answer.reply, talk.said
    moved_path, event = await owner.the_booked()
    assert (moved_path, event.start) == (path, wall(SOON + DAY, 16))

    # She drags it to the evening.
    await owner.move(path, wall(SOON + DAY, 18))

    async def followed() -> bool:
        return [each.start for each in await world.bookings(talk.id)] == [wall(SOON + DAY, 18)]

    await world.until(followed)
    answer = await talk.say("Hello again")
    assert "your appointment was moved, it is now on" in answer.reply, talk.said
    assert "18:00" in answer.reply, talk.said
    assert "was moved" not in (await talk.say("Thank you")).reply

    await talk.say("Please cancel my appointment")
    answer = await talk.say("Yes")
    assert "is cancelled" in answer.reply, talk.said
    assert await world.bookings(talk.id) == []

    async def removed() -> bool:
        return not await owner.booked()

    await world.until(removed)


@pytest.fixture(scope="module")
async def tenants_own(world: World) -> tuple[CalDavOwner, UUID]:
    """The calendar of the tenant itself, connected over the API, and an agent that books in it."""
    owner = CalDavOwner(world.radicale, "office")
    await owner.move_in()
    made = await world.client.connections.connect_caldav(world.radicale.direct, "office", "office")
    assert (made.owner_member_id, made.health) == (None, "ok")
    await world.in_use("caldav", None)
    agent = await world.client.agents.create(VIEWINGS, publish=True)
    return owner, agent.id


async def test_on_the_day_the_clocks_change_and_when_the_owner_deletes_it(
    world: World, tenants_own: tuple[CalDavOwner, UUID]
) -> None:
    owner, agent_id = tenants_own
    sunday, talk = clocks_go_forward(), Talk(world.client, agent_id, "bea")
    answer = await talk.want(f"{sunday:%d %B %Y} at 02:30")
    assert "the clocks change" in answer.reply, talk.said
    answer = await talk.say(in_words(wall(sunday, 3)))
    assert "is booked" in answer.reply, talk.said
    path, event = await owner.the_booked()
    assert event.start.astimezone(UTC) == datetime.combine(sunday, datetime.min.time(), UTC).replace(hour=1)
    assert event.end.astimezone(UTC) - event.start.astimezone(UTC) == timedelta(hours=1)

    await owner.delete(path)

    async def followed() -> bool:
        return not await world.bookings(talk.id)

    await world.until(followed)
    answer = await talk.say("Hello again")
    assert "was cancelled on our side" in answer.reply, talk.said


async def test_while_the_calendar_is_away_it_is_only_requested_and_then_booked(
    world: World, tenants_own: tuple[CalDavOwner, UUID]
) -> None:
    owner, agent_id = tenants_own
    talk = Talk(world.client, agent_id, "cem")
    await talk.say("Hello, I would like to see the flat")
    await world.radicale.stop()
    await talk.say("cem at example dot org")
    await talk.say("Yes, that is right")
    answer, (code, printed) = await asyncio.gather(talk.say(in_words(wall(SOON, 11))), run(world.home, "doctor"))
    assert "not booked yet" in answer.reply, talk.said
    assert "is booked" not in answer.reply
    assert [each.status for each in await world.bookings(talk.id)] == ["pending"]
    assert (code, "1 wait for a calendar" in printed) == (0, True), printed

    await world.radicale.start()

    async def booked() -> bool:
        return [each.status for each in await world.bookings(talk.id)] == ["confirmed"]

    await world.until(booked)
    _, event = await owner.the_booked()
    assert event.start == wall(SOON, 11)
    answer = await talk.say("Hello again")
    assert "the appointment that you asked for" in answer.reply, talk.said
    assert "is booked now" in answer.reply, talk.said


async def test_a_forwarded_consent_link_connects_nobody(world: World) -> None:
    async with TenantryClient.open(world.server.url, world.server.key(MARK)) as mark:
        asked = await mark.connections.authorize("google")
    html = {"Accept": "text/html"}
    victim = aiohttp.ClientSession(cookies={"account": "victim@gmail.example"}, headers=html)
    async with victim, victim.get(asked.authorization_url) as page:
        assert (page.status, page.content_type) == (400, "text/html")
        text = await page.text()
    assert str(page.url).startswith(f"{world.server.url}/oauth/callback?")
    assert "<h1>Not connected</h1>" in text
    assert "was not asked for by this browser session" in text
    assert "victim@gmail.example" not in [each.account async for each in world.client.connections.list()]
