"""What the contract test needs of a provider: a calendar of it, and its owner's and the network's own doings."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from tenantry.calendars.base import Access, CalendarProvider
from tenantry.domain.booking import Interval
from tenantry.domain.errors import ConnectionBroken

# Of every calendar that a harness makes: the days of all-day events, and the wall time of weekly ones, are in it.
ZONE = ZoneInfo("Europe/Berlin")
# Of `CalendarHarness.impatient`.
IMPATIENT_S = 0.3


@dataclass(frozen=True, slots=True)
class Stored:
    """A live event as the server holds it; the title is as its owner reads it."""

    id: str
    slot: Interval
    key: UUID | None
    title: str
    attendees: frozenset[str] = frozenset()


class CalendarHarness(Protocol):
    """Two empty calendars of a fresh account at a provider, and what happens to them there.

    `impatient` is `provider` on the same account with a time-out of `IMPATIENT_S`. `calendar` and `second` are remote
    ids, and so is `absent`, of a calendar that does not exist. Faults hit requests in the order in which they were
    asked for.
    """

    provider: CalendarProvider
    impatient: CalendarProvider
    credentials: "HeldCredentials"
    calendar: str
    second: str
    absent: str

    async def plant(
        self,
        slot: Interval | None = None,
        *,
        title: str = "Private",
        all_day_on: date | None = None,
        weekly: int = 0,
        free: bool = False,
        calendar: str | None = None,
    ) -> str:
        """The owner makes an event, in `calendar` unless another is named, and this is its id. It has a slot (UTC) or
        a day; with `weekly`, it comes that many times at the same wall time of `ZONE`."""
        ...

    async def move(self, remote_id: str, slot: Interval) -> None:
        """The owner moves a single event of `calendar`."""
        ...

    async def delete(self, remote_id: str) -> None:
        """The owner deletes an event of `calendar`."""
        ...

    async def stored(self) -> list[Stored]:
        """The live single events of `calendar` that have a slot."""
        ...

    async def fail_next(self, status: int, retry_after: int | None = None) -> None:
        """One more request is answered with the status, and nothing comes of it."""
        ...

    async def hang_after_commit(self) -> None:
        """The next change is made, and never answered."""
        ...

    async def forget_tokens(self) -> None:
        """The server does not know the tokens of `changes` any more that it gave out so far."""
        ...


NewHarness = Callable[[], Awaitable[CalendarHarness]]
# `opened` of every module `tests.contract.<provider>`: a server for as long as the context lasts, and what makes fresh
# accounts on it. No fault of one harness reaches the next.
Opened = Callable[[], AbstractAsyncContextManager[NewHarness]]


@dataclass
class HeldCredentials:
    """A credential of a test: `issue` makes an access token, None of a password that cannot be renewed."""

    authorization: str
    issue: Callable[[], Awaitable[str]] | None = None
    version: int = 1
    reasons: list[str] = field(default_factory=list)

    async def access(self) -> Access:
        return Access(self.authorization, self.version)

    async def renew(self, refused: Access) -> Access:
        assert refused == Access(self.authorization, self.version)
        if self.issue is None:
            await self.broken("HTTP 401")
            raise ConnectionBroken
        self.authorization = f"Bearer {await self.issue()}"
        self.version += 1
        return await self.access()

    async def broken(self, reason: str, *, revoked: bool = False) -> None:
        self.reasons.append(reason)
