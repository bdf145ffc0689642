"""Tokens are renewed before they end, once, by one of all who ask."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import structlog.testing

from tenantry.credentials.connections import ConnectionKey, OAuthSecret
from tenantry.credentials.token_refresh import RefreshTimes
from tenantry.domain.connection import Health
from tenantry.domain.errors import CalendarUnavailable, ConnectionBroken
from tenantry.server.runtime import Runtime
from tests.conftest import TenantForTest
from tests.integration.connecting import TIMES, Signed, in_process, sign_in
from tests.token_server import TokenServer, token_server

FIRST = "Bearer access-first"
ENDED = "expires_at = now()"
SOON = "expires_at = now() + interval '60 seconds'"


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with token_server() as made:
        yield made


@pytest.fixture
async def signed(runtime: Runtime, tenant: TenantForTest, server: TokenServer) -> AsyncIterator[Signed]:
    """Mark, connected to Microsoft."""
    key = ConnectionKey(tenant.id, tenant.members["mark"], "microsoft")
    made = in_process(runtime.db, runtime.resources.vault, key, server)
    await sign_in(made, server)
    yield made
    await made.close()


async def version_after(signed: Signed, version: int) -> None:
    """Wait until the connection has a newer version."""
    while True:
        async with signed.db.tenant(signed.key.tenant_id) as tx:
            if await tx.value("SELECT version > $2 FROM connections WHERE tenant_id = $1", tx.tenant_id, version):
                return
        await asyncio.sleep(0.01)


async def test_a_token_that_works_is_given_as_it_is(signed: Signed, server: TokenServer) -> None:
    access = await signed.credentials.access()
    assert (access.authorization, access.version) == (FIRST, 1)
    assert "access-first" not in repr(access)
    assert server.requests == 0


async def test_a_token_that_soon_ends_is_renewed_while_nobody_waits(signed: Signed, server: TokenServer) -> None:
    await signed.set(SOON)
    server.open.clear()
    # Nothing is answered yet, and everybody goes on.
    given = await asyncio.gather(*(signed.credentials.access() for _ in range(20)))
    assert {access.authorization for access in given} == {FIRST}
    await server.asked.wait()
    server.open.set()
    await version_after(signed, 1)
    access = await signed.credentials.access()
    assert access.version == 2
    assert access.authorization != FIRST
    assert server.requests == 1


async def test_many_who_ask_at_the_end_share_one_renewal(signed: Signed, server: TokenServer) -> None:
    await signed.set(ENDED)
    given = await asyncio.gather(*(signed.credentials.access() for _ in range(50)))
    assert len({access.authorization for access in given}) == 1
    assert server.requests == 1


async def test_who_gives_up_does_not_take_the_token_from_the_others(signed: Signed, server: TokenServer) -> None:
    await signed.set(ENDED)
    server.open.clear()
    first, other = (asyncio.create_task(signed.credentials.access()) for _ in range(2))
    await server.asked.wait()
    first.cancel()
    server.open.set()
    assert (await other).version == 2
    assert first.cancelled()


async def test_a_token_that_the_provider_refused_is_renewed_once(signed: Signed, server: TokenServer) -> None:
    credentials = signed.credentials
    refused = await credentials.access()
    renewed = await asyncio.gather(*(credentials.renew(refused) for _ in range(10)))
    assert {access.version for access in renewed} == {2}
    assert server.requests == 1


async def test_each_renewal_goes_on_from_the_newest_refresh_token(signed: Signed, server: TokenServer) -> None:
    for version in (2, 3):
        await signed.set(ENDED)
        assert (await signed.credentials.access()).version == version
    assert server.refreshes == 2
    # Google gives none, and the one before stays good.
    google = in_process(signed.db, signed.keeper._vault, replace(signed.key, provider="google"), server)
    await sign_in(google, server)
    for version in (2, 3):
        await google.set(ENDED)
        assert (await google.credentials.access()).version == version
    await google.close()


@pytest.mark.parametrize(
    ("body", "health", "reason"),
    [
        (
            {"error": "invalid_grant", "error_description": "AADSTS700082: inactive for ada@x.y"},
            "needs_sign_in",
            "700082",
        ),
        ({"error": "invalid_grant", "error_description": "AADSTS50173: changed password"}, "revoked", "50173"),
        ({"error": "interaction_required", "error_description": "AADSTS50076: MFA"}, "needs_sign_in", "factor"),
        ({"error": "invalid_grant"}, "needs_sign_in", "invalid_grant"),
    ],
)
async def test_a_consent_that_ended_is_told_with_its_reason(
    signed: Signed, server: TokenServer, body: dict[str, Any], health: str, reason: str
) -> None:
    await signed.set(ENDED)
    server.answers.append((400, body))
    with pytest.raises(ConnectionBroken, match="sign in again"):
        await signed.credentials.access()
    known = await signed.known()
    assert known.health == health
    assert reason in known.reason
    assert "ada@x.y" not in known.reason
    # It is not asked for again, until its owner connects again.
    with pytest.raises(ConnectionBroken):
        await signed.credentials.access()
    assert server.requests == 1
    await sign_in(signed, server)
    assert (await signed.known()).health == Health.OK
    assert (await signed.credentials.access()).authorization == FIRST


async def test_google_says_revoked(signed: Signed, server: TokenServer) -> None:
    google = in_process(signed.db, signed.keeper._vault, replace(signed.key, provider="google"), server)
    await sign_in(google, server)
    server.live.clear()
    await google.set(ENDED)
    with pytest.raises(ConnectionBroken):
        await google.credentials.access()
    assert (await google.known()).health == Health.REVOKED
    await google.close()


async def test_a_refusal_counts_only_when_nobody_was_quicker(signed: Signed, server: TokenServer) -> None:
    """The old refresh token is refused while another process has stored its successor."""
    await signed.set(ENDED)
    server.open.clear()
    server.answers.append((400, {"error": "invalid_grant"}))
    waiting = asyncio.create_task(signed.credentials.access())
    await server.asked.wait()
    await sign_in(signed, server)
    server.open.set()
    assert (await waiting).authorization == FIRST
    assert (await signed.known()).health == Health.OK


@pytest.mark.parametrize(
    "answer",
    [
        (503, {}),
        (429, {"error": "temporarily_unavailable"}),
        (401, {"error": "invalid_client", "error_description": "AADSTS7000215: ada@x.y"}),
        (200, {"access_token": "no type"}),
    ],
)
async def test_what_may_pass_is_never_told_as_a_broken_sign_in(
    signed: Signed, server: TokenServer, answer: tuple[int, dict[str, Any]]
) -> None:
    await signed.set(ENDED)
    server.answers.append(answer)
    with pytest.raises(CalendarUnavailable) as caught:
        await signed.credentials.access()
    assert caught.value.retryable
    assert "ada@x.y" not in caught.value.detail
    assert (await signed.known()).health == Health.EXPIRING
    # The lease was given back: the next one renews at once.
    assert (await signed.credentials.access()).version == 2
    assert (await signed.known()).health == Health.OK


async def test_a_failing_renewal_leaves_the_token_that_works_and_is_not_repeated_at_once(
    signed: Signed, server: TokenServer
) -> None:
    await signed.set(SOON)
    server.answers.append((503, {}))
    await signed.credentials.access()
    while (await signed.known()).health is not Health.EXPIRING:
        await asyncio.sleep(0.01)
    assert "HTTP 503" in (await signed.known()).reason
    for _ in range(5):
        assert (await signed.credentials.access()).authorization == FIRST
    assert server.requests == 1


async def test_a_provider_that_hangs_is_given_up_within_the_lease(signed: Signed, server: TokenServer) -> None:
    await signed.set(ENDED)
    server.open.clear()
    with pytest.raises(CalendarUnavailable, match="did not answer in time"):
        await signed.credentials.access()


async def test_others_wait_for_who_renews_and_do_not_repeat_what_failed(
    runtime: Runtime, signed: Signed, server: TokenServer
) -> None:
    others = [in_process(runtime.db, runtime.resources.vault, signed.key, server) for _ in range(3)]
    await signed.set(ENDED)
    server.open.clear()
    server.answers.append((503, {}))
    asking = [asyncio.create_task(each.credentials.access()) for each in (signed, *others)]
    await server.asked.wait()
    await asyncio.sleep(0.1)
    server.open.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(result, CalendarUnavailable) for result in results), results
    assert server.requests == 1
    for each in others:
        await each.close()


async def test_a_lease_that_nobody_gives_back_ends(signed: Signed, server: TokenServer) -> None:
    await signed.set(f"{ENDED}, lease_holder = gen_random_uuid(), lease_until = now() + interval '0.2 seconds'")
    assert (await signed.credentials.access()).version == 2
    assert server.requests == 1


async def test_who_waits_longer_than_any_renewal_is_told_to_try_again(
    runtime: Runtime, signed: Signed, server: TokenServer
) -> None:
    times = RefreshTimes(early_s=300, least_s=0, pause_s=30, lease_s=0.6)
    brief = in_process(runtime.db, runtime.resources.vault, signed.key, server, times)
    await signed.set(f"{ENDED}, lease_holder = gen_random_uuid(), lease_until = now() + interval '1 hour'")
    with pytest.raises(CalendarUnavailable) as caught:
        await brief.credentials.access()
    assert caught.value.retry_after == 1
    assert server.requests == 0
    assert (await signed.known()).health == Health.OK
    await brief.close()


async def test_a_late_answer_does_not_undo_a_newer_sign_in(signed: Signed, server: TokenServer) -> None:
    await signed.set(ENDED)
    server.open.clear()
    waiting = asyncio.create_task(signed.credentials.access())
    await server.asked.wait()
    await sign_in(signed, server)
    server.open.set()
    assert (await waiting).authorization == FIRST
    assert (await signed.credentials.access()).version == 2


async def test_nobody_elses_connection_is_found(runtime: Runtime, tenant: TenantForTest, signed: Signed) -> None:
    for owner in (None, tenant.members["jon"], tenant.members["olga"]):
        with pytest.raises(ConnectionBroken, match="no connection"):
            await signed.store.of(tenant.id, owner, "microsoft").access()
    with pytest.raises(ConnectionBroken, match="no connection"):
        await signed.store.of(tenant.id, tenant.members["mark"], "google").access()


async def test_what_a_provider_refuses_for_good_is_kept_for_the_owner_unless_there_is_a_newer_one(
    signed: Signed, server: TokenServer
) -> None:
    before = signed.credentials
    await before.access()
    await sign_in(signed, server)
    await before.broken("HTTP 403 insufficient_claims")
    assert (await signed.known()).health == Health.OK
    now = signed.credentials
    await now.access()
    await now.broken("HTTP 403 insufficient_claims")
    assert (await signed.known()).reason == "HTTP 403 insufficient_claims"
    with pytest.raises(ConnectionBroken, match="insufficient_claims"):
        await now.access()


async def test_what_cannot_be_opened_is_no_bad_sign_in(signed: Signed) -> None:
    other = signed.keeper.seal(
        replace(signed.key, owner_member_id=None), (await signed.known()).id, OAuthSecret("a", "b")
    )
    await signed.set("sealed = $2", other)
    with pytest.raises(CalendarUnavailable, match="operator"):
        await signed.credentials.access()
    assert (await signed.known()).health == Health.OK


async def test_a_consent_that_soon_ends_is_told(signed: Signed) -> None:
    await signed.set("refresh_expires_at = now() + interval '6 days'")
    known = await signed.known()
    assert known.health == Health.EXPIRING
    assert "sign in again" in known.reason


async def test_nothing_secret_is_logged(signed: Signed, server: TokenServer) -> None:
    with structlog.testing.capture_logs() as logs:
        await signed.set(ENDED)
        await signed.credentials.access()
        for answer in ((503, {}), (400, {"error": "invalid_grant"})):
            await signed.set(SOON + ", failing_since = NULL")
            server.answers.append(answer)
            await signed.credentials.access()
            while server.answers or signed.store._refresh._early:
                await asyncio.sleep(0.01)
    assert {entry["event"] for entry in logs} == {"token not renewed", "connection broken"}
    for secret in ("access-first", "access-", "refresh-", "the-secret-of-the-app"):
        assert secret not in str(logs)


def test_a_lease_is_longer_than_what_it_is_for(signed: Signed) -> None:
    with pytest.raises(ValueError, match="longer"):
        replace_times = replace(TIMES, lease_s=0.5)
        type(signed.store)(signed.db, signed.keeper, signed.store._refresh._oauth, replace_times)
