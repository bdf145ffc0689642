"""What was used: turns, tokens and money."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from tenantry.client.transport import Transport

_PATH = "/api/v1/usage"


@dataclass(frozen=True, slots=True)
class Used:
    """What was used under one `key`; None is the tenant itself. `cost` is `cost_micros` in US dollars."""

    key: str | None
    name: str | None
    turns: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_micros: int
    cost: str


class UsagePage(msgspec.Struct, frozen=True, rename={"begins": "from", "ends": "to"}):
    """A part of what was used; `total` is that of the whole period, on the first page only."""

    begins: datetime
    ends: datetime
    time_zone: str
    total: Used | None
    items: tuple[Used, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What was used in all, and under each key."""

    total: Used
    items: tuple[Used, ...]


class Usage:
    """`/api/v1/usage`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(
        self,
        group_by: str,
        *,
        begins: datetime | None = None,
        ends: datetime | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> UsagePage:
        """One page of what was used by day, agent, member, model, turn or channel; this month without a period."""
        params = {"group_by": group_by, "from": begins, "to": ends, "cursor": cursor, "limit": limit}
        return await self._transport.call("GET", _PATH, UsagePage, params=params)

    async def report(
        self, group_by: str, *, begins: datetime | None = None, ends: datetime | None = None
    ) -> UsageReport:
        """All that was used, summed by day, agent, member, model, turn or channel; this month without a period."""
        page = await self.page(group_by, begins=begins, ends=ends)
        total, items = page.total, [*page.items]
        while page.next_cursor is not None:
            page = await self.page(group_by, begins=page.begins, ends=page.ends, cursor=page.next_cursor)
            items += page.items
        return UsageReport(total or Used(None, None, 0, 0, 0, 0, 0, "0"), tuple(items))
