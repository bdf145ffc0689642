"""`/api/v1/calendar/feed` and `/calendar/feeds`: a calendar to subscribe to, by a secret URL."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response, status

from tenantry.api.calendars.schemas import FeedOut, NewFeedOut
from tenantry.api.common import Db, EngineResources, TheSettings, require_member
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditCalendar, CanReadCalendar
from tenantry.auth.tenant_secrets import claimed_tenant, hash_secret, make_secret
from tenantry.calendars.invitation import REFRESH, feed, host_of
from tenantry.domain.access import Principal
from tenantry.domain.booking import Booking
from tenantry.domain.errors import DatabaseUnavailable, Forbidden, NotFound, RateLimited
from tenantry.storage.repositories import audit, bookings, calendar_feeds
from tenantry.storage.tenancy import TenantTx

router = APIRouter(tags=["calendar"])

MEDIA_TYPE = "text/calendar"
_PAST = timedelta(days=30)
_MOST = 2000

Owner = Annotated[
    UUID | None,
    Query(description="Whose calendar, for keys of the whole tenant: a member's, else the tenant's own."),
]


@router.get("/api/v1/calendar/feed")
async def read_feed(who: CanReadCalendar, db: Db, owner_member_id: Owner = None) -> FeedOut:
    """Whether the calendar has a feed. Its URL is told once, when it is made."""
    async with db.tenant(who.tenant_id) as tx:
        owner = await _owner(tx, who, owner_member_id)
        return FeedOut(owner_member_id=owner, created_at=await calendar_feeds.made_at(tx, owner))


@router.post("/api/v1/calendar/feed", status_code=status.HTTP_201_CREATED)
async def make_feed(
    request: Request, who: CanEditCalendar, db: Db, settings: TheSettings, owner_member_id: Owner = None
) -> NewFeedOut:
    """A new URL at which the calendar's appointments are read without a key; the one before is dead from now on."""
    secret = make_secret(who.tenant_id)
    async with db.tenant(who.tenant_id) as tx:
        owner = await _owner(tx, who, owner_member_id)
        created_at = await calendar_feeds.put(tx, owner, hash_secret(secret))
        await audit.record(tx, actor=who.actor, action="calendar_feed.made", target=_target(who, owner))
    origin = settings.public_url or str(request.base_url).rstrip("/")
    return NewFeedOut(owner_member_id=owner, created_at=created_at, url=f"{origin}/calendar/feeds/{secret}.ics")


@router.delete("/api/v1/calendar/feed", status_code=status.HTTP_204_NO_CONTENT, responses=problems(NotFound))
async def remove_feed(who: CanEditCalendar, db: Db, owner_member_id: Owner = None) -> None:
    """End the calendar's feed: its URL is dead from now on."""
    async with db.tenant(who.tenant_id) as tx:
        owner = await _owner(tx, who, owner_member_id)
        if not await calendar_feeds.remove(tx, owner):
            raise NotFound("This calendar has no feed.")
        await audit.record(tx, actor=who.actor, action="calendar_feed.removed", target=_target(who, owner))


@router.get(
    "/calendar/feeds/{secret}.ics",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {}}, "description": "The appointments of the last 30 days and to come."},
        304: {"description": "Nothing changed since the answer with this ETag."},
        **problems(NotFound, RateLimited, DatabaseUnavailable),
    },
)
async def subscribe(
    secret: str,
    db: Db,
    resources: EngineResources,
    settings: TheSettings,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The appointments of the calendar whose feed this is; the secret in the path is all that is asked for."""
    tenant_id, digest = claimed_tenant(secret), hash_secret(secret)
    if tenant_id is None:
        raise _no_feed()
    async with db.tenant(tenant_id) as tx:
        calendar = await calendar_feeds.find(tx, digest)
    if calendar is None:
        raise _no_feed()
    await resources.limiter.admit_feed(tenant_id, digest.hex())
    since = datetime.now(UTC) - _PAST
    async with db.tenant(tenant_id) as tx:
        found = await bookings.of_calendar(tx, calendar.id, ends_after=since, most=_MOST)
    host = host_of(settings.public_url)
    headers = {
        "ETag": _etag(found, calendar.name, host),
        "Cache-Control": f"private, max-age={int(REFRESH.total_seconds())}",
    }
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(None, status.HTTP_304_NOT_MODIFIED, headers)
    # Thousands of appointments take long to write, during which others are to be answered.
    content = await asyncio.to_thread(feed, found, f"Appointments of {calendar.name}", host)
    return Response(content, headers=headers, media_type=MEDIA_TYPE)


def _no_feed() -> NotFound:
    return NotFound("There is no such feed; POST /api/v1/calendar/feed makes one.")


def _etag(found: list[Booking], name: str, host: str) -> str:
    """Of all that the feed is made of, so that it need not be made to be compared."""
    stamps = [f"{booking.id} {booking.updated_at.isoformat()}" for booking in found]
    return f'"{hashlib.sha256(repr((stamps, name, host)).encode()).hexdigest()[:32]}"'


async def _owner(tx: TenantTx, who: Principal, asked: UUID | None) -> UUID | None:
    owner = asked if who.whole_tenant else asked or who.member_id
    if not who.may_change(owner):
        raise Forbidden("This key may only reach the feed of its own member.")
    if owner is not None:
        await require_member(tx, owner, "owner_member_id")
    return owner


def _target(who: Principal, owner: UUID | None) -> str:
    return f"member:{owner}" if owner else f"tenant:{who.tenant_id}"
