"""Rate limits over HTTP, and shared between processes by a real Redis that also goes away."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from structlog.testing import capture_logs

from tenantry.auth.rate_limits import RETRY_REDIS_S, RateLimiter
from tenantry.domain.errors import ConfigurationError, RateLimited
from tenantry.domain.limits import LimitValues, RateLimits
from tenantry.settings import LimitSettings, RedisSettings
from tenantry.storage.repositories import limits
from tenantry.storage.tenancy import Database
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call
from tests.integration.redis_server import RedisServer, redis_server

REPLY = "/api/agent/reply"


async def _grant(database: Database, tenant: TenantForTest, **values: int) -> None:
    async with database.operator(tenant.id) as tx:
        await limits.grant(tx, LimitValues(**values))


async def _say(call: Call, key: str, **body: Any) -> tuple[int, Any]:
    return await call(key, "POST", REPLY, json={"message": "hello", **body})


@pytest.mark.parametrize("named", [{"leadId": "ada"}, {"leadEmail": "ada@example.org"}, {"conversationId": "c"}])
async def test_a_contact_that_writes_too_fast_is_told_when_to_come_back(
    call: Call, tenant: TenantForTest, database: Database, named: dict[str, str]
) -> None:
    await _grant(database, tenant, contact_per_minute=2)
    began = time.monotonic()
    for _ in range(2):
        assert (await _say(call, tenant.key, **named))[0] == 200
    status, error = await _say(call, tenant.key, **named)
    assert (status, error["code"], error["retryable"]) == (429, "rate_limited", True)
    assert (error["limit"], error["per_minute"]) == ("contact", 2)
    assert 60 - (time.monotonic() - began) <= error["retry_after"] <= 60.001
    assert "ada" not in str(error)
    assert (await _say(call, tenant.key, leadId="grace"))[0] == 200
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT count(*) FROM messages WHERE role = 'contact'") == 3


async def test_the_header_says_whole_seconds_that_are_enough(
    call: Call, tenant: TenantForTest, database: Database, url: str
) -> None:
    await _grant(database, tenant, tenant_per_minute=1)
    assert (await _say(call, tenant.key))[0] == 200
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with (
        aiohttp.ClientSession(url, headers=headers) as session,
        session.post(REPLY, json={"message": "hello"}) as response,
    ):
        error = await response.json(content_type=None)
        assert response.status == 429
        assert int(response.headers["Retry-After"]) == math.ceil(error["retry_after"])


async def test_members_and_tenants_have_limits_of_their_own(
    call: Call, tenant: TenantForTest, database: Database, make_tenant: MakeTenant
) -> None:
    await _grant(database, tenant, member_per_minute=2, tenant_per_minute=5)
    for key, status, limit in (
        (tenant.keys["mark"], 200, None),
        (tenant.keys["mark"], 200, None),
        (tenant.keys["mark"], 429, "member"),
        (tenant.keys["jon"], 200, None),
        (tenant.key, 200, None),
        (tenant.key, 200, None),
        (tenant.key, 429, "tenant"),
        (tenant.keys["jon"], 429, "tenant"),
        ((await make_tenant()).key, 200, None),
    ):
        got, answer = await _say(call, key)
        assert (got, answer.get("limit")) == (status, limit)


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A real Redis."""
    async with redis_server(tmp_path) as server:
        yield server


class Shared:
    """Limiters on one Redis, as processes have them, with a clock for when they ask it again."""

    def __init__(self, url: str, rates: RateLimits, processes: int = 2) -> None:
        self.now = 1000.0
        settings = LimitSettings(rates), RedisSettings(url)
        self.limiters = [RateLimiter(*settings, clock=lambda: self.now) for _ in range(processes)]

    async def __aenter__(self) -> list[RateLimiter]:
        return self.limiters

    async def __aexit__(self, *_: object) -> None:
        for limiter in self.limiters:
            await limiter.close()


async def test_processes_count_together_in_redis(redis: RedisServer) -> None:
    tenant_id, member_id = uuid4(), uuid4()
    async with Shared(redis.url, RateLimits(3, 4)) as (one, other):
        began = time.time()
        for limiter in (one, other, one):
            await limiter.admit(tenant_id, member_id, "ada")
        with pytest.raises(RateLimited) as error:
            await other.admit(tenant_id, member_id, "ada")
        assert error.value.extra["limit"] == "contact"
        assert 60 - (time.time() - began) <= (error.value.retry_after or 0) <= 60
        # What the contact's limit refused was not counted for the member.
        await other.admit(tenant_id, member_id, "grace")
        with pytest.raises(RateLimited, match="member"):
            await one.admit(tenant_id, member_id, "joan")
        await one.admit(uuid4(), member_id, "ada")
    keys = await redis.ask("KEYS", "*")
    assert f"/{tenant_id}/contact/ada/" in keys


async def test_replies_go_on_while_redis_is_away_and_are_counted_there_again_when_it_is_back(
    redis: RedisServer,
) -> None:
    tenant_id = uuid4()
    shared = Shared(redis.url, RateLimits(contact_per_minute=2))
    async with shared as (one, other):
        await one.admit(tenant_id, None, "ada")
        await redis.kill()
        with capture_logs() as logs:
            for limiter in (one, other):
                for _ in range(2):
                    await limiter.admit(tenant_id, None, "ada")
                with pytest.raises(RateLimited):
                    await limiter.admit(tenant_id, None, "ada")
            # Asked again and still away: told once all the same.
            shared.now += RETRY_REDIS_S
            with pytest.raises(RateLimited):
                await one.admit(tenant_id, None, "ada")
        away = [entry for entry in logs if "redis is away" in entry["event"]]
        assert len(away) == 2
        assert all(redis.url not in str(entry) for entry in logs)
        await redis.start()
        shared.now += RETRY_REDIS_S
        for limiter in (one, other):
            await limiter.admit(tenant_id, None, "ada")
        with pytest.raises(RateLimited):
            await one.admit(tenant_id, None, "ada")


async def test_a_redis_that_hangs_holds_one_message_up_and_no_other(redis: RedisServer) -> None:
    shared = Shared(redis.url, RateLimits(contact_per_minute=100), processes=1)
    async with shared as (one,):
        await one.admit(uuid4(), None, "ada")
        redis.stop()
        await one.admit(uuid4(), None, "ada")
        shared.now += RETRY_REDIS_S
        asks_again = asyncio.create_task(one.admit(uuid4(), None, "ada"))
        await asyncio.sleep(0)
        for _ in range(100):
            await one.admit(uuid4(), None, "ada")
        assert not asks_again.done()
        await asks_again


async def test_an_address_that_is_none_of_redis_is_told() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        RateLimiter(LimitSettings(), RedisSettings("memcached://127.0.0.1"))
