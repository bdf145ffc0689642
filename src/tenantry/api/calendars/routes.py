"""`/api/v1/calendar`."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from tenantry.api.calendars.schemas import CalendarEventOut, CalendarEventPage
from tenantry.api.common import Db, Limit, TheSettings
from tenantry.auth.principals import CanReadCalendar
from tenantry.calendars.invitation import Organizer, host_of, invitation, snapshot
from tenantry.calendars.invitations import attendee_of, invitation_due
from tenantry.domain.access import Principal
from tenantry.domain.booking import Booking
from tenantry.domain.errors import FieldError, InvalidInput, NotFound
from tenantry.storage.repositories import bookings, calendars, invitations
from tenantry.storage.repositories.invitations import Invitee
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/calendar", tags=["calendar"])

From = Annotated[AwareDatetime | None, Query(alias="from", description="Starting at or after this; else from now on.")]
To = Annotated[AwareDatetime | None, Query(alias="to", description="Starting before this.")]


@router.get("/events")
async def list_events(
    who: CanReadCalendar,
    db: Db,
    starts_from: From = None,
    starts_before: To = None,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
    limit: Limit = 50,
) -> CalendarEventPage:
    """The confirmed and pending appointments in the calendars that the key can see, soonest first."""
    after = _read_cursor(cursor) if cursor else None
    async with db.tenant(who.tenant_id) as tx:
        found = await bookings.list_page(
            tx,
            sees_only=who.sees_only,
            starts_from=starts_from or datetime.now(UTC),
            starts_before=starts_before,
            after=after,
            limit=limit + 1,
        )
        owners = await calendars.owners(tx, {booking.calendar_id for booking in found})
    page = found[:limit]
    return CalendarEventPage(
        items=[CalendarEventOut.of(booking, owners[booking.calendar_id]) for booking in page],
        next_cursor=_cursor(page[-1]) if len(found) > limit else None,
    )


@router.get(
    "/events/{event_id}/invitation.ics",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {}}, "description": "The appointment, to be put into a calendar."}},
)
async def read_invitation(event_id: UUID, who: CanReadCalendar, db: Db, settings: TheSettings) -> Response:
    """The appointment as it is mailed to the contact (iTIP) or, where no mail can be sent, as a mere event."""
    async with db.tenant(who.tenant_id) as tx:
        invitee = await _visible(tx, event_id, who)
    booking, host = invitee.booking, host_of(settings.public_url)
    method = invitation_due(booking, None)
    if method is None:
        raise NotFound("This appointment is not firm, or not to be had any more.")
    attendee = attendee_of(booking, invitee.definition)
    if settings.mail is None or attendee is None:
        content = snapshot(booking, host)
    else:
        organizer = Organizer(settings.mail.sender_address, settings.mail.sender_name)
        content = invitation(booking, method, host, organizer, attendee)
    headers = {"Content-Disposition": 'attachment; filename="invite.ics"', "Cache-Control": "private, no-cache"}
    return Response(content, headers=headers, media_type="text/calendar")


async def _visible(tx: TenantTx, event_id: UUID, who: Principal) -> Invitee:
    invitee = await invitations.get(tx, event_id)
    if invitee is None or not who.may_see(invitee.owner_member_id):
        raise NotFound("There is no appointment with this id that this key can see.")
    return invitee


def _cursor(booking: Booking) -> str:
    return base64.urlsafe_b64encode(f"{booking.starts_at.isoformat()}|{booking.id}".encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        start, _, identifier = base64.urlsafe_b64decode(text.encode("ascii")).decode().partition("|")
        moment = datetime.fromisoformat(start)
        if moment.tzinfo is None:
            raise ValueError("a cursor's time has an offset")
        return moment, UUID(identifier)
    except (ValueError, binascii.Error, OverflowError) as error:
        raise InvalidInput(
            "`cursor` is none of ours; begin again without one.", errors=[FieldError("cursor", "is not valid")]
        ) from error
