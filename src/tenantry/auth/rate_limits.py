"""Rate limits on messages: for each contact, member and tenant, over any 60 seconds."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import structlog

from tenantry.auth.shared_windows import SharedWindows, WindowsAway
from tenantry.domain.errors import RateLimited
from tenantry.domain.limits import TenantLimits
from tenantry.settings import LimitSettings, RedisSettings

log = structlog.get_logger()

WINDOW_S = 60.0
RETRY_REDIS_S = 5.0
FEED_PER_MINUTE = 20
HOOK_PER_MINUTE = 120
CALLS_PER_MINUTE = 600
CALLER_PER_MINUTE = 60
Kind = Literal["contact", "member", "tenant", "feed", "hook", "calls", "caller"]
# The tenant comes first, so that no two tenants ever share a window.
Key = tuple[UUID, Kind, UUID | str]


@dataclass(frozen=True, slots=True)
class Asked:
    """One window that a message must fit into: at most `amount` messages under this key in any 60 seconds."""

    key: Key
    amount: int


class MemoryWindows:
    """The moments of the last minute's messages under each key, in this process.

    The `limits` library's own memory storage starts a task on every hit that walks all keys, each with a hop to a
    thread: with 2,000 contacts that is 90 µs to 280 µs for a message, against about 3 µs here.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # A key that nobody asked for during a whole window is in `_old` alone, and goes with it.
        self._young: dict[Key, deque[float]] = {}
        self._old: dict[Key, deque[float]] = {}
        self._turns_over_at = clock() + WINDOW_S

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def admit(self, asked: Sequence[Asked]) -> tuple[Asked, float] | None:
        """Count one message under every key or, when one of them is full, none: then that with the longest wait, and
        the seconds until it has room."""
        now = self._clock()
        if now >= self._turns_over_at:
            self._turn_over(now)
        begin = now - WINDOW_S
        windows: list[deque[float]] = []
        refused: tuple[Asked, float] | None = None
        for one in asked:
            window = self._window(one.key)
            while window and window[0] <= begin:
                window.popleft()
            if len(window) >= one.amount:
                wait = window[-one.amount] - begin
                if refused is None or wait > refused[1]:
                    refused = one, wait
            windows.append(window)
        if refused is None:
            for window in windows:
                window.append(now)
        return refused

    def _window(self, key: Key) -> deque[float]:
        window = self._young.get(key)
        if window is None:
            window = self._young[key] = self._old.pop(key, None) or deque[float]()
        return window

    def _turn_over(self, now: float) -> None:
        # After two windows of silence nothing of the young ones counts any more either.
        self._old = self._young if now < self._turns_over_at + WINDOW_S else {}
        self._young = {}
        self._turns_over_at = now + WINDOW_S


_NONE = TenantLimits()


def _in_redis(url: str) -> SharedWindows:
    # The client of Redis takes long to load, and few need it.
    from tenantry.auth.redis_windows import RedisWindows

    return RedisWindows(url)


class RateLimiter:
    """Admits messages or refuses them. With Redis, all processes count together; while Redis is away each counts for
    itself, so that replies go on."""

    def __init__(
        self, limits: LimitSettings, redis: RedisSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._defaults = limits.rates
        self._memory = MemoryWindows(clock)
        self._redis = _in_redis(redis.url) if redis.url else None
        self._clock = clock
        self._away_until = 0.0

    async def admit(
        self, tenant_id: UUID, member_id: UUID | None, contact: str | None, limits: TenantLimits | None = None
    ) -> None:
        """Count one message, or refuse it and count nothing. `contact` is a keyed hash or an id of ours, never what
        names a person; `limits` are those of the tenant, which come before the installation's.

        Raises RateLimited with the seconds until the message would pass, and which limit it was in `extra`.
        """
        await self._admit(self._asked(tenant_id, member_id, contact, limits))

    async def admit_feed(self, tenant_id: UUID, feed: str) -> None:
        """Count one request for a calendar's feed, named by the hash of its secret. Raises RateLimited."""
        await self._admit([Asked((tenant_id, "feed", feed), FEED_PER_MINUTE)])

    async def admit_hook(self, tenant_id: UUID, hook: str) -> None:
        """Count one call of a calendar's provider, named by the hash of its ticket. Raises RateLimited."""
        await self._admit([Asked((tenant_id, "hook", hook), HOOK_PER_MINUTE)])

    async def admit_call(self, tenant_id: UUID, caller: str | None) -> None:
        """Count one call that is opened; `caller` is a keyed hash of the site and the address that it is opened from.
        Raises RateLimited."""
        asked = [Asked((tenant_id, "calls", ""), CALLS_PER_MINUTE)]
        if caller is not None:
            asked.append(Asked((tenant_id, "caller", caller), CALLER_PER_MINUTE))
        await self._admit(asked)

    async def _admit(self, asked: list[Asked]) -> None:
        if not asked:
            return
        refused = self._memory.admit(asked) if self._redis is None else await self._shared(self._redis, asked)
        if refused is not None:
            raise _rate_limited(*refused)

    async def redis_reachable(self) -> bool | None:
        """Whether Redis answers; None where none is set up."""
        return None if self._redis is None else await self._redis.reachable()

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._redis is not None:
            await self._redis.close()

    def _asked(
        self, tenant_id: UUID, member_id: UUID | None, contact: str | None, limits: TenantLimits | None
    ) -> list[Asked]:
        granted, own, default = (limits or _NONE).rates, (limits or _NONE).own_rates, self._defaults
        asked: list[Asked] = []
        if contact is not None:
            amount = _amount(granted.contact_per_minute, own.contact_per_minute, default.contact_per_minute)
            if amount is not None:
                asked.append(Asked((tenant_id, "contact", contact), amount))
        if member_id is not None:
            amount = _amount(granted.member_per_minute, own.member_per_minute, default.member_per_minute)
            if amount is not None:
                asked.append(Asked((tenant_id, "member", member_id), amount))
        amount = _amount(granted.tenant_per_minute, own.tenant_per_minute, default.tenant_per_minute)
        if amount is not None:
            asked.append(Asked((tenant_id, "tenant", ""), amount))
        return asked

    async def _shared(self, redis: SharedWindows, asked: list[Asked]) -> tuple[Asked, float] | None:
        now = self._clock()
        away = self._away_until > 0
        if now < self._away_until:
            return self._memory.admit(asked)
        if away:
            # One message finds out whether Redis is back; the others do not wait for it.
            self._away_until = now + RETRY_REDIS_S
        try:
            index_and_wait = await redis.admit([(one.key, one.amount) for one in asked])
        except WindowsAway as error:
            if not self._away_until:
                log.warning("redis is away, each process limits by itself", error=str(error))
            self._away_until = self._clock() + RETRY_REDIS_S
            return self._memory.admit(asked)
        if away:
            log.info("redis is back")
            self._away_until = 0.0
        return None if index_and_wait is None else (asked[index_and_wait[0]], index_and_wait[1])


def _amount(granted: int | None, own: int | None, default: int | None) -> int | None:
    most = default if granted is None else granted
    return most if own is None or (most is not None and most < own) else own


def _rate_limited(asked: Asked, wait: float) -> RateLimited:
    kind = asked.key[1]
    seconds = math.ceil(wait * 1000) / 1000
    return RateLimited(
        f"More than {asked.amount} {_WHOSE[kind]}; send this one again in {math.ceil(wait)} s.",
        extra={"limit": kind, "per_minute": asked.amount, "retry_after": seconds},
        retry_after=wait,
    )


_WHOSE: dict[Kind, str] = {
    "contact": "messages a minute from this contact",
    "member": "messages a minute under this member's keys",
    "tenant": "messages a minute for this tenant",
    "feed": "requests a minute for this feed",
    "hook": "calls a minute about this calendar",
    "calls": "calls opened in a minute for this tenant",
    "caller": "calls opened in a minute from this address",
}
