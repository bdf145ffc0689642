"""Providers that tell of changes: who is believed, what is looked at then, and how a subscription lives and ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from tenantry.auth import rate_limits
from tenantry.auth.tenant_secrets import make_secret
from tenantry.calendars import worker
from tenantry.calendars.remote import NoProviders, RemoteSides
from tenantry.calendars.watching import watching_at
from tenantry.storage.repositories import calendar_watches
from tenantry.storage.tenancy import Database
from tests.conftest import copied_home, new_home
from tests.google_server.channels import Channel
from tests.graph_subscriptions import Subscription
from tests.integration.memory_provider import hours
from tests.integration.watched_calendars import (
    Installation,
    Owner,
    connected_owner,
    installed_at,
    secret_of,
    ticket_of,
    url_of,
)

PROVIDERS = ("microsoft", "google")


@pytest.fixture(scope="module")
async def installation(empty_installation: Path) -> AsyncIterator[Installation]:
    with new_home() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "_LOOK_S", 0.02)
        async with installed_at(copied_home(empty_installation, home)) as made:
            yield made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(params=PROVIDERS)
async def owner(installation: Installation, request: pytest.FixtureRequest) -> Owner:
    return await connected_owner(installation, request.param)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.02)


async def watched(owner: Owner, *, but: str = "") -> Subscription | Channel:
    """The one subscription of the owner, once it is kept here, other than the one `but`."""

    async def there() -> bool:
        return await owner.value("SELECT watch_id FROM calendar_watches") not in (None, but)

    await until(there)
    await until(lambda: _true(len(owner.watches()) == 1))
    await quiet(owner)
    [watch] = owner.watches()
    assert watch.id == await owner.value("SELECT watch_id FROM calendar_watches")
    return watch


async def quiet(owner: Owner) -> None:
    """Nothing is due: every call was made, and the looks that came of them."""
    calls = owner.installation.graph.subscriptions.calls, owner.installation.google.api.channels.calls

    async def over() -> bool:
        waits = await owner.value("SELECT next_sync_at > clock_timestamp() FROM remote_calendars")
        return waits and not any(calls)

    await until(over)


async def _true(value: bool) -> bool:
    return value


async def booked_and_watched(owner: Owner) -> tuple[UUID, str, Subscription | Channel]:
    booking_id, event_id = await owner.book()
    await owner.look()
    return booking_id, event_id, await watched(owner)


async def notify(http: aiohttp.ClientSession, owner: Owner, url: str, *secrets: str) -> tuple[int, str]:
    """Call as the provider does, with these secrets."""
    value = [{"subscriptionId": "1", "clientState": secret} for secret in secrets]
    arguments: dict[str, Any] = {"json": {"value": value}}
    if owner.provider == "google":
        arguments = {"headers": [("X-Goog-Channel-Token", secret) for secret in secrets]}
    async with http.post(url, **arguments) as answer:
        return answer.status, await answer.text()


async def looks_at(owner: Owner) -> datetime:
    return await owner.value("SELECT next_sync_at FROM remote_calendars")


async def test_what_is_moved_at_the_provider_is_moved_here_at_once(owner: Owner) -> None:
    booking_id, event_id, watch = await booked_and_watched(owner)
    assert datetime.now(UTC) + timedelta(minutes=50) < await looks_at(owner)
    start = (datetime.now(UTC) + timedelta(days=9)).replace(microsecond=0)
    await owner.harness.move(event_id, hours(start))

    async def moved() -> bool:
        return await owner.value("SELECT starts_at FROM bookings WHERE id = $1", booking_id) == start

    await until(moved)
    await quiet(owner)
    assert set(watch.answers) == {202}
    await owner.harness.delete(event_id)
    await until(lambda: _is(owner, booking_id, "cancelled"))


async def _is(owner: Owner, booking_id: UUID, status: str) -> bool:
    return await owner.value("SELECT status FROM bookings WHERE id = $1", booking_id) == status


async def test_only_who_knows_both_secrets_is_believed(owner: Owner, http: aiohttp.ClientSession) -> None:
    _, _, watch = await booked_and_watched(owner)
    url, secret, ticket = url_of(watch), secret_of(watch), ticket_of(watch)
    other = await connected_owner(owner.installation, owner.provider)
    _, _, others = await booked_and_watched(other)
    later = await looks_at(owner)
    root = url.removesuffix(ticket)
    wrong = [
        (url, (secret[:-1] + ("A" if secret[-1] != "A" else "B"),)),
        (url, ("",)),
        (url, (secret_of(others),)),
        (url, ()),
        (f"{root}{make_secret(owner.party.tenant_id)}", (secret,)),
        (f"{root}{ticket_of(others)[:20]}{ticket[20:]}", (secret,)),
        (f"{root}{ticket_of(others)}", (secret,)),
        (f"{root}{ticket}x", (secret,)),
        (f"{root}made-up", (secret,)),
    ]
    if owner.provider == "microsoft":
        wrong.append((url, (secret, "another")))
    answers = {await notify(http, owner, at, *secrets) for at, secrets in wrong}
    elsewhere = url.replace(owner.provider, "google" if owner.provider == "microsoft" else "microsoft")
    said = {"headers": {"X-Goog-Channel-Token": secret}, "json": {"value": [{"clientState": secret}]}}
    async with http.post(elsewhere, **said) as answer:
        answers.add((answer.status, await answer.text()))
    assert [status for status, _ in answers] == [404]
    assert await looks_at(owner) == later
    assert all(each not in text for _, text in answers for each in (ticket, secret))
    assert (await notify(http, owner, url, secret))[0] == 202
    kept = await owner.value("SELECT to_jsonb(w)::text FROM calendar_watches w")
    assert ticket not in kept
    assert secret not in kept


async def test_an_address_is_tried_before_it_is_called(installation: Installation, http: aiohttp.ClientSession) -> None:
    owner = await connected_owner(installation, "microsoft")
    _, _, watch = await booked_and_watched(owner)
    token = {"validationToken": "<b>a</b> & b+c"}
    async with http.post(url_of(watch), params=token) as answer:
        assert (answer.status, await answer.text()) == (200, token["validationToken"])
        assert answer.content_type == "text/plain"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    unknown = url_of(watch).replace(ticket_of(watch), make_secret(owner.party.tenant_id))
    async with http.post(unknown, params=token) as answer:
        assert answer.status == 404
    for body in (b"{", b"[]", b'{"value": [{}]}', b'{"value": [{"clientState": 1}]}', b"\xff"):
        async with http.post(url_of(watch), data=body) as answer:
            assert answer.status == 404
    async with http.post(url_of(watch), data=b" " * 600_000) as answer:
        assert answer.status == 413


async def test_who_calls_too_often_has_to_wait(
    owner: Owner, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, watch = await booked_and_watched(owner)
    monkeypatch.setattr(rate_limits, "HOOK_PER_MINUTE", 0)
    status, text = await notify(http, owner, url_of(watch), secret_of(watch))
    assert (status, "calls a minute about this calendar" in text) == (429, True)


async def test_a_subscription_is_renewed_long_before_it_ends(owner: Owner) -> None:
    _, _, watch = await booked_and_watched(owner)
    hour = timedelta(hours=1)
    renewal = await owner.value("SELECT expires_at - renew_at FROM calendar_watches")
    assert timedelta(hours=17) < renewal < timedelta(hours=19)
    await owner.value("UPDATE calendar_watches SET expires_at = now() + interval '2 hours'")
    await owner.renew()

    async def renewed() -> bool:
        return await owner.value("SELECT renew_at > now() + $1::interval FROM calendar_watches", hour)

    await until(renewed)
    now = await watched(owner)
    # Google cannot prolong a channel: there is another one before it ends, and the old one is stopped.
    assert (now.id == watch.id) is (owner.provider == "microsoft")
    assert await owner.value("SELECT expires_at > now() + interval '23 hours' FROM calendar_watches")


async def test_one_that_the_provider_lost_is_made_anew(installation: Installation, http: aiohttp.ClientSession) -> None:
    owner = await connected_owner(installation, "microsoft")
    _, _, watch = await booked_and_watched(owner)
    del installation.graph.subscriptions.held[watch.id]
    await owner.renew()
    assert (await watched(owner, but=watch.id)).id != watch.id
    assert (await notify(http, owner, url_of(watch), secret_of(watch)))[0] == 404


async def test_where_nothing_is_booked_any_more_nothing_is_watched(owner: Owner) -> None:
    booking_id, event_id, _ = await booked_and_watched(owner)
    await owner.harness.delete(event_id)
    await until(lambda: _is(owner, booking_id, "cancelled"))
    await owner.look()

    async def ended() -> bool:
        return not await owner.value("SELECT EXISTS (SELECT FROM calendar_watches)") and not owner.watches()

    await until(ended)


async def test_who_disconnects_is_not_watched_any_more(owner: Owner, http: aiohttp.ClientSession) -> None:
    _, _, watch = await booked_and_watched(owner)
    headers = {"Authorization": f"Bearer {owner.key}"}
    path = f"{owner.installation.url}/api/v1/connections/{owner.provider}"
    async with http.delete(path, headers=headers) as answer:
        assert answer.status == 200
    assert owner.watches() == []
    assert (await notify(http, owner, url_of(watch), secret_of(watch)))[0] == 404


async def test_what_a_killed_process_left_at_the_provider_is_not_believed(
    owner: Owner, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, answered = calendar_watches.keep, asyncio.Event()

    async def killed(*_: object) -> bool:
        answered.set()
        raise RuntimeError("killed")

    monkeypatch.setattr(calendar_watches, "keep", killed)
    await owner.book()
    await owner.look()
    await asyncio.wait_for(answered.wait(), 20)
    [orphan] = owner.watches()
    assert await owner.value("SELECT watch_id IS NULL AND renew_at > now() FROM calendar_watches")
    # For now it is what we asked for; the next one takes its place.
    monkeypatch.setattr(calendar_watches, "keep", keep)
    await owner.renew()
    await until(lambda: _true(len(owner.watches()) == 2))
    assert (await notify(http, owner, url_of(orphan), secret_of(orphan)))[0] == 404
    [new] = [each for each in owner.watches() if each is not orphan]
    assert (await notify(http, owner, url_of(new), secret_of(new)))[0] == 202


async def test_a_provider_that_does_not_call_us_leaves_the_connection_as_it_is(installation: Installation) -> None:
    owner = await connected_owner(installation, "google")
    installation.google.api.channels.authorized = False
    try:
        booking_id, event_id = await owner.book()
        await owner.look()
        await until(lambda: owner.value("SELECT synced_at IS NOT NULL FROM remote_calendars"))
        assert await owner.value("SELECT health FROM connections") == "ok"
        await owner.harness.delete(event_id)
        await owner.look()
        await until(lambda: _is(owner, booking_id, "cancelled"))
    finally:
        installation.google.api.channels.authorized = True
    assert owner.watches() == []


def test_providers_are_told_no_address_that_they_would_not_call(installation: Installation) -> None:
    db: Database = installation.runtime.db
    sides = RemoteSides(NoProviders())
    for public_url, watches in (
        (None, False),
        ("http://acme.example", False),
        ("http://10.0.0.1", False),
        ("https://acme.example", True),
        ("http://127.0.0.1:8080", True),
    ):
        assert (watching_at(public_url, db, sides) is not None) is watches, public_url
