"""`/api/v1/usage`."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from tenantry.api.common import Db, Limit
from tenantry.api.usage.schemas import UsagePage, read_cursor
from tenantry.auth.principals import CanReadUsage
from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.domain.limits import month_of
from tenantry.storage.repositories import usage
from tenantry.storage.repositories.usage import GroupBy, Period

router = APIRouter(prefix="/api/v1/usage", tags=["usage"])

From = Annotated[
    AwareDatetime | None, Query(alias="from", description="At or after this; else from the month's begin.")
]
To = Annotated[AwareDatetime | None, Query(alias="to", description="Before this; else until now.")]


@router.get("")
async def read_usage(
    who: CanReadUsage,
    db: Db,
    begins: From = None,
    ends: To = None,
    group_by: GroupBy = GroupBy.DAY,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
    limit: Limit = 50,
) -> UsagePage:
    """Turns, tokens and money, summed by day, agent, member, model, turn or channel. A member sees what their own
    agents used; the tenant's keys, owners and admins see all. Months and days are those of the tenant's zone."""
    after = None if cursor is None else read_cursor(cursor)
    zone, now = who.tenant.time_zone, datetime.now(UTC)
    period = Period(begins or month_of(now, ZoneInfo(zone))[0], ends or now, who.sees_only)
    if period.begins > period.ends:
        raise InvalidInput("`from` comes after `to`.", errors=[FieldError("from", "comes after `to`")])
    async with db.tenant(who.tenant_id) as tx:
        total = await usage.total(tx, period) if after is None else None
        found = await usage.sums(tx, period, group_by, time_zone=zone, after=after, limit=limit + 1)
    return UsagePage.of(period, group_by, zone, total, found, limit)
