"""Rate limits in memory: what is counted, what is refused, and for how long, to the moment."""

from uuid import UUID, uuid4

import pytest

from tenantry.auth.rate_limits import WINDOW_S, Asked, MemoryWindows, RateLimiter
from tenantry.domain.errors import RateLimited
from tenantry.domain.limits import RateLimits, TenantLimits
from tenantry.settings import LimitSettings, RedisSettings


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(clock: Clock, **rates: int) -> RateLimiter:
    return RateLimiter(LimitSettings(RateLimits(**rates)), RedisSettings(), clock)


TENANT, MEMBER = uuid4(), uuid4()


async def refused(limiter: RateLimiter, *message: object, limits: TenantLimits | None = None) -> RateLimited:
    with pytest.raises(RateLimited) as error:
        await limiter.admit(*message, limits=limits)  # pyright: ignore[reportArgumentType]
    return error.value


@pytest.mark.parametrize(
    ("rates", "kind"),
    [
        ({"contact_per_minute": 3}, "contact"),
        ({"member_per_minute": 3}, "member"),
        ({"tenant_per_minute": 3}, "tenant"),
    ],
)
async def test_the_fourth_in_a_minute_waits_until_the_first_is_a_minute_old(rates: dict[str, int], kind: str) -> None:
    clock = Clock()
    limits = limiter(clock, **rates)
    for _ in range(3):
        await limits.admit(TENANT, MEMBER, "ada")
        clock.now += 7
    error = await refused(limits, TENANT, MEMBER, "ada")
    assert error.retry_after == 60 - 21
    assert error.extra == {"limit": kind, "per_minute": 3, "retry_after": 39.0}
    assert (error.status, error.code, error.retryable) == (429, "rate_limited", True)
    clock.now += error.retry_after - 0.001
    assert (await refused(limits, TENANT, MEMBER, "ada")).retry_after == pytest.approx(0.001)
    clock.now += 0.001
    await limits.admit(TENANT, MEMBER, "ada")
    assert (await refused(limits, TENANT, MEMBER, "ada")).retry_after == pytest.approx(7)


async def test_others_have_windows_of_their_own() -> None:
    limits = limiter(Clock(), contact_per_minute=1, member_per_minute=2)
    await limits.admit(TENANT, MEMBER, "ada")
    await limits.admit(TENANT, MEMBER, "grace")
    assert (await refused(limits, TENANT, MEMBER, "joan")).extra["limit"] == "member"
    await limits.admit(TENANT, uuid4(), "joan")
    await limits.admit(uuid4(), MEMBER, "ada")
    await limits.admit(TENANT, None, None)


async def test_what_is_refused_by_one_limit_takes_nothing_from_the_others() -> None:
    clock = Clock()
    limits = limiter(clock, contact_per_minute=1, member_per_minute=2, tenant_per_minute=3)
    await limits.admit(TENANT, MEMBER, "ada")
    for _ in range(10):
        assert (await refused(limits, TENANT, MEMBER, "ada")).extra["limit"] == "contact"
    await limits.admit(TENANT, MEMBER, "grace")
    await limits.admit(TENANT, None, "joan")


async def test_the_longest_wait_is_told() -> None:
    clock = Clock()
    limits = limiter(clock, contact_per_minute=1, tenant_per_minute=1)
    await limits.admit(TENANT, None, "ada")
    error = await refused(limits, TENANT, None, "ada")
    assert error.retry_after == WINDOW_S
    clock.now += WINDOW_S
    await limits.admit(TENANT, None, "ada")


@pytest.mark.parametrize(
    ("granted", "own", "allowed"), [(None, None, 4), (6, None, 6), (None, 2, 2), (6, 3, 3), (2, 3, 2), (None, 9, 4)]
)
async def test_the_tenants_limits_come_before_the_installations_and_only_lower_the_granted(
    granted: int | None, own: int | None, allowed: int
) -> None:
    limits = limiter(Clock(), contact_per_minute=4)
    of_tenant = TenantLimits(rates=RateLimits(granted), own_rates=RateLimits(own))
    for _ in range(allowed):
        await limits.admit(TENANT, None, "ada", of_tenant)
    assert (await refused(limits, TENANT, None, "ada", limits=of_tenant)).extra["per_minute"] == allowed


async def test_a_lowered_limit_counts_what_was_let_in_before() -> None:
    clock = Clock()
    limits = limiter(clock, contact_per_minute=5)
    for _ in range(5):
        await limits.admit(TENANT, None, "ada")
        clock.now += 1
    error = await refused(limits, TENANT, None, "ada", limits=TenantLimits(own_rates=RateLimits(2)))
    assert error.retry_after == 60 - 2


def test_keys_that_nobody_asks_for_are_forgotten() -> None:
    clock = Clock()
    windows = MemoryWindows(clock)
    for number in range(10_000):
        clock.now += 0.1
        assert windows.admit([Asked((UUID(int=number), "contact", "ada"), 1)]) is None
    assert len(windows) <= 2 * WINDOW_S / 0.1 + 2
    clock.now += 10 * WINDOW_S
    windows.admit([])
    assert len(windows) == 0


def test_a_window_outlives_the_turning_over() -> None:
    clock = Clock()
    windows = MemoryWindows(clock)
    asked = [Asked((TENANT, "contact", "ada"), 1)]
    clock.now += WINDOW_S - 1
    assert windows.admit(asked) is None
    for _ in range(59):
        clock.now += 1
        refusal = windows.admit(asked)
        assert refusal is not None
    clock.now += 1
    assert windows.admit(asked) is None
