"""Feeds by secret URL: what is read there, who makes them, when they are dead, and that nobody else learns the URL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import recurring_ical_events
import structlog.testing
from icalendar import Calendar
from typer.testing import CliRunner

from tenantry.auth import rate_limits
from tenantry.auth.tenant_secrets import make_secret
from tenantry.cli.agents.session import KEY
from tenantry.cli.main import app
from tenantry.client import TenantryClient
from tenantry.storage.repositories import bookings, tenants
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, make_party
from tests.integration.conftest import Call

FEED = "/api/v1/calendar/feed"
TODAY = datetime.now(UTC).replace(hour=15, minute=0, second=0, microsecond=0)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def feed_of(call: Call, key: str, **params: str) -> str:
    status, made = await call(key, "POST", FEED, params=params)
    assert status == 201
    return made["url"]


async def book(party: Party, days: float, **more: Any) -> UUID:
    book = await party.calendar()
    held = await book.hold(party.new_booking(book, TODAY + timedelta(days=days), **more))
    assert held is not None
    assert await book.confirm(held) is not None
    return held.id


async def read(http: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, Any, str]:
    async with http.get(url, headers=headers) as response:
        return response.status, response.headers, await response.text()


def uids(text: str) -> list[str]:
    calendar = Calendar.from_ical(text)
    assert isinstance(calendar, Calendar)
    return [str(event["UID"]).split("@")[0] for event in calendar.events]


async def test_a_feed_has_the_confirmed_appointments_of_one_calendar(
    database: Database, call: Call, tenant: TenantForTest, http: aiohttp.ClientSession
) -> None:
    mark = await make_party(database, tenant.id, tenant.members["mark"])
    jon = await make_party(database, tenant.id, tenant.members["jon"])
    url = await feed_of(call, tenant.keys["mark"])
    assert uids((await read(http, url))[2]) == []
    soon = await book(mark, 2, title="Viewing", time_zone="America/New_York", details={"property_address": "1 Main St"})
    recent, old = await book(mark, -29), await book(mark, -32)
    held = await (calendar := await mark.calendar()).hold(mark.new_booking(calendar, TODAY + timedelta(days=5)))
    cancelled = await book(mark, 6)
    async with database.tenant(tenant.id) as tx:
        assert await bookings.cancel(tx, cancelled, details={})
    await book(jon, 3)
    status, headers, text = await read(http, url)
    assert (status, headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert headers["Cache-Control"] == "private, max-age=900"
    assert held is not None
    assert uids(text) == [str(recent), str(soon)]
    assert str(old) not in text
    (event,) = recurring_ical_events.of(Calendar.from_ical(text)).at(TODAY + timedelta(days=2))  # pyright: ignore
    assert (event.start, event["SUMMARY"]) == (TODAY + timedelta(days=2), "Viewing")
    assert event["DTSTART"].params["TZID"] == "America/New_York"
    assert event["DESCRIPTION"] == "Property address: 1 Main St"


async def test_what_did_not_change_is_not_sent_again(
    database: Database, call: Call, tenant: TenantForTest, http: aiohttp.ClientSession
) -> None:
    party = await make_party(database, tenant.id)
    await book(party, 2)
    url = await feed_of(call, tenant.key)
    _, headers, _ = await read(http, url)
    etag = headers["ETag"]
    status, headers, text = await read(http, url, **{"If-None-Match": f'"other", W/{etag}'})
    assert (status, headers["ETag"], text) == (304, etag, "")
    await book(party, 3)
    status, headers, text = await read(http, url, **{"If-None-Match": etag})
    assert (status, len(uids(text))) == (200, 2)
    assert headers["ETag"] != etag


async def test_a_new_url_kills_the_one_before_and_every_wrong_one_gets_the_same_answer(
    call: Call, tenant: TenantForTest, http: aiohttp.ClientSession, make_tenant: Any
) -> None:
    key = tenant.keys["mark"]
    first = await feed_of(call, key)
    second = await feed_of(call, key)
    origin, _, secret = second.removesuffix(".ics").rpartition("/")
    other = await feed_of(call, (await make_tenant()).key)
    foreign = other.removesuffix(".ics").rpartition("/")[2]
    wrong = [
        first,
        f"{origin}/x.ics",
        f"{origin}/{secret[:-1]}.ics",
        f"{origin}/{secret}A.ics",
        f"{origin}/{secret}%00.ics",
        f"{origin}/{secret.swapcase()}.ics",
        f"{origin}/{make_secret(tenant.id)}.ics",
        f"{origin}/{make_secret(UUID(int=1))}.ics",
        # 21 bytes are 28 letters: this is the one tenant's id and most of another one's secret.
        f"{origin}/{secret[:28]}{foreign[28:]}.ics",
        f"{origin}/{tenant.keys['mark']}.ics",
    ]
    answers = {(status, text) for status, _, text in [await read(http, url) for url in wrong]}
    assert [status for status, _ in answers] == [404]
    assert (await read(http, second))[0] == 200
    assert (await call(key, "DELETE", FEED))[0] == 204
    answers.add((await read(http, second))[::2])
    assert len(answers) == 1
    assert (await call(key, "DELETE", FEED))[0] == 404


async def test_a_members_feed_ends_with_their_membership(
    database: Database, call: Call, tenant: TenantForTest, http: aiohttp.ClientSession
) -> None:
    url = await feed_of(call, tenant.keys["mark"])
    async with database.operator(tenant.id) as tx:
        await tenants.remove_member(tx, tenant.members["mark"])
    assert (await read(http, url))[0] == 404


async def test_who_may_make_whose_feed(call: Call, tenant: TenantForTest) -> None:
    mark = {"owner_member_id": str(tenant.members["mark"])}
    for who, params, status in (
        ("mark", {}, 201),
        ("mark", mark, 201),
        ("jon", mark, 403),
        ("vera", {}, 403),
        ("olga", mark, 201),
        ("olga", {}, 201),
        ("olga", {"owner_member_id": str(UUID(int=1))}, 422),
    ):
        assert (await call(tenant.keys[who], "POST", FEED, params=params))[0] == status, who
    for who, params, owner in (("mark", {}, mark["owner_member_id"]), ("olga", {}, None), ("olga", mark, mark)):
        status, told = await call(tenant.keys[who], "GET", FEED, params=params)
        assert (status, set(told)) == (200, {"owner_member_id", "created_at"})
        assert told["created_at"]
        assert told["owner_member_id"] == (owner["owner_member_id"] if isinstance(owner, dict) else owner)
    assert (await call(tenant.keys["jon"], "GET", FEED))[1]["created_at"] is None
    assert (await call(tenant.keys["jon"], "GET", FEED, params=mark))[0] == 403
    assert (await call(tenant.keys["jon"], "DELETE", FEED, params=mark))[0] == 403


async def test_a_feed_that_is_asked_too_often_has_to_wait(
    call: Call, tenant: TenantForTest, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "FEED_PER_MINUTE", 2)
    url, other = await feed_of(call, tenant.key), await feed_of(call, tenant.keys["mark"])
    assert [(await read(http, url))[0] for _ in range(3)] == [200, 200, 429]
    status, headers, text = await read(http, url)
    assert (status, headers["Retry-After"]) == (429, "60")
    assert "requests a minute for this feed" in text
    assert (await read(http, other))[0] == 200


async def test_the_secret_is_in_no_error_no_log_and_not_in_the_database(
    call: Call,
    tenant: TenantForTest,
    http: aiohttp.ClientSession,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = await feed_of(call, tenant.key)
    secret = url.removesuffix(".ics").rpartition("/")[2]

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    said = [(await read(http, f"{url}x"))[2]]
    async with http.post(url) as response:
        said.append(await response.text())
    monkeypatch.setattr(bookings, "of_calendar", broken)
    with structlog.testing.capture_logs() as logs:
        status, _, text = await read(http, url)
    assert (status, len(logs)) == (500, 1)
    assert secret not in repr((said, text, logs))
    async with database.tenant(tenant.id) as tx:
        kept = await tx.rows(
            "SELECT to_jsonb(c)::text AS row FROM calendars c UNION ALL SELECT to_jsonb(a)::text FROM audit_log a"
        )
    assert len(kept) == 2
    assert all(secret not in row["row"] for row in kept)


async def test_the_client_makes_reads_and_removes_feeds(
    url: str, tenant: TenantForTest, http: aiohttp.ClientSession
) -> None:
    async with TenantryClient.open(url, tenant.key) as client:
        made = await client.calendar.make_feed(owner_member_id=tenant.members["jon"])
        assert made.url.startswith(f"{url}/calendar/feeds/")
        assert (await read(http, made.url))[0] == 200
        assert (await client.calendar.feed(owner_member_id=tenant.members["jon"])).created_at == made.created_at
        assert (await client.calendar.feed()).created_at is None
        await client.calendar.remove_feed(owner_member_id=tenant.members["jon"])
    assert (await read(http, made.url))[0] == 404


async def test_the_command_makes_and_removes_feeds(
    url: str, tenant: TenantForTest, http: aiohttp.ClientSession
) -> None:
    async def run(*words: str) -> tuple[int, str]:
        given = ["calendar", "feed", *words, "--url", url]
        # A command has a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, given, env={KEY: tenant.key})
        return result.exit_code, result.output.strip()

    code, feed = await run("create", "--member", f"mark@{tenant.slug}.example")
    assert (code, (await read(http, feed))[0]) == (0, 200)
    assert (await run("remove", "--member", f"mark@{tenant.slug}.example"))[0] == 0
    assert (await read(http, feed))[0] == 404
    code, said = await run("create", "--member", "nobody@example.com")
    assert (code, "nobody@example.com" in said) == (1, True)


async def test_an_appointment_is_had_as_a_file_by_who_sees_it(
    database: Database, call: Call, url: str, tenant: TenantForTest, http: aiohttp.ClientSession
) -> None:
    mark = await make_party(database, tenant.id, tenant.members["mark"])
    event_id = await book(mark, 2, title="Viewing", details={"property_address": "1 Main St"})
    path = f"{url}/api/v1/calendar/events/{event_id}/invitation.ics"
    async with TenantryClient.open(url, tenant.keys["mark"]) as client:
        content = b"".join([piece async for piece in client.calendar.invitation(event_id)])
    assert uids(content.decode()) == [str(event_id)]
    for key, status in ((tenant.key, 200), (tenant.keys["olga"], 200), (tenant.keys["jon"], 404)):
        assert (await read(http, path, Authorization=f"Bearer {key}"))[0] == status
    assert (await read(http, path))[0] == 401
    async with database.tenant(tenant.id) as tx:
        assert await bookings.cancel(tx, event_id, details={})
    _, headers, text = await read(http, path, Authorization=f"Bearer {tenant.key}")
    assert "STATUS:CANCELLED" in text
    assert headers["Content-Disposition"] == 'attachment; filename="invite.ics"'
    calendar = await mark.calendar()
    held = await calendar.hold(mark.new_booking(calendar, TODAY + timedelta(days=5)))
    assert held is not None
    held_path = f"/api/v1/calendar/events/{held.id}/invitation.ics"
    assert (await call(tenant.key, "GET", held_path))[0] == 404
