"""Sliding windows that all processes share, in Redis, by the `limits` library."""

import asyncio
import time
from collections.abc import Sequence
from functools import cache
from uuid import UUID

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tenantry.auth.shared_windows import WindowsAway
from tenantry.domain.errors import ConfigurationError

# A reply waits this long for Redis at most, and only once while it is away.
TIMEOUT_S = 0.5
_CONNECTIONS = 32
_SCHEMES = {"redis": "async+redis", "rediss": "async+rediss", "unix": "async+redis+unix"}


class RedisWindows:
    """The windows of one Redis."""

    def __init__(self, url: str) -> None:
        """`url` begins with redis://, rediss:// or unix://. Raises ConfigurationError for another one."""
        scheme, _, rest = url.partition("://")
        if scheme not in _SCHEMES:
            raise ConfigurationError("REDIS_URL must begin with redis://, rediss:// or unix://.")
        self._pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            max_connections=_CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._storage = RedisStorage(
            f"{_SCHEMES[scheme]}://{rest}",
            implementation="redispy",
            key_prefix="tenantry:limits",
            connection_pool=self._pool,  # pyright: ignore[reportArgumentType]
        )
        self._limiter = MovingWindowRateLimiter(self._storage)

    async def admit(self, asked: Sequence[tuple[tuple[UUID, str, UUID | str], int]]) -> tuple[int, float] | None:
        """Count one message in every window of these (key, amount) or, when one is full, in none: then the place of
        that with the longest wait, and the seconds until it has room. Raises WindowsAway."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                refused = await self._longest_wait(asked)
                if refused is not None:
                    return refused
                passed = await asyncio.gather(*(self._limiter.hit(_item(amount), *_ids(key)) for key, amount in asked))
                # Other processes count at the same time: a window that was open may be full by now.
                return None if all(passed) else await self._longest_wait(asked) or (passed.index(False), 0.0)
        except (RedisError, OSError, TimeoutError) as error:
            raise WindowsAway(type(error).__name__) from error

    async def _longest_wait(
        self, asked: Sequence[tuple[tuple[UUID, str, UUID | str], int]]
    ) -> tuple[int, float] | None:
        stats = await asyncio.gather(
            *(self._limiter.get_window_stats(_item(amount), *_ids(key)) for key, amount in asked)
        )
        now = time.time()
        waits = [(max(one.reset_time - now, 0.0), place) for place, one in enumerate(stats) if one.remaining < 1]
        if not waits:
            return None
        wait, place = max(waits)
        return place, wait

    async def reachable(self) -> bool:
        """Whether Redis answers in time."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._storage.check()
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


@cache
def _item(amount: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(amount)


def _ids(key: tuple[UUID, str, UUID | str]) -> tuple[str, str, str]:
    return str(key[0]), key[1], str(key[2])
