"""`/api/v1/connections/{provider}/calendars`: which calendars of a connection are used, and what for."""

from collections.abc import Sequence

from fastapi import APIRouter

from tenantry.api.common import Db, EngineResources
from tenantry.api.connections.owner import Owner, owner_of
from tenantry.api.connections.schemas import CalendarListOut, CalendarOut, CalendarsIn
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditConnections, CanReadConnections
from tenantry.domain.access import Principal
from tenantry.domain.calendar import CalendarChoice, RemoteCalendar
from tenantry.domain.connection import Connection, ProviderName
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken, NotFound, ProviderNotSetUp
from tenantry.storage.repositories import audit, connections, remote_calendars
from tenantry.storage.repositories.remote_calendars import Chosen
from tenantry.storage.tenancy import Database

router = APIRouter(prefix="/api/v1/connections/{provider}/calendars", tags=["connections"])

_PROBLEMS = problems(CalendarRefused, CalendarUnavailable, ConnectionBroken, NotFound, ProviderNotSetUp)


@router.get("", responses=_PROBLEMS)
async def list_calendars(
    provider: ProviderName, who: CanReadConnections, db: Db, resources: EngineResources, owner_member_id: Owner = None
) -> CalendarListOut:
    """The calendars that the provider has for the connection, and which of them are used."""
    connection = await _connection(who, db, provider, owner_member_id)
    offered = await resources.choosing.offered(connection)
    async with db.tenant(who.tenant_id) as tx:
        used = await remote_calendars.of_connection(tx, connection.id)
    return _listed(offered, used)


@router.put("", responses=_PROBLEMS)
async def choose_calendars(
    provider: ProviderName,
    body: CalendarsIn,
    who: CanEditConnections,
    db: Db,
    resources: EngineResources,
    owner_member_id: Owner = None,
) -> CalendarListOut:
    """Use these calendars of the connection, and no others of it. The owner's bookings go to the one that
    `takes_bookings`, instead of any other of theirs, also of another connection."""
    connection = await _connection(who, db, provider, owner_member_id)
    wanted = [
        Chosen(CalendarChoice(each.remote_id, "", primary=False, writable=False), each.counts_busy, each.takes_bookings)
        for each in body.calendars
    ]
    used = await resources.choosing.choose(connection, wanted)
    async with db.tenant(who.tenant_id) as tx:
        details = {"provider": provider, "calendars": len(used)}
        target = f"connection:{connection.id}"
        await audit.record(tx, actor=who.actor, action="connection.calendars_chosen", target=target, details=details)
    return _listed(await resources.choosing.offered(connection), used)


async def _connection(who: Principal, db: Database, provider: ProviderName, asked: Owner) -> Connection:
    owner = owner_of(who, asked)
    async with db.tenant(who.tenant_id) as tx:
        found = await connections.find(tx, owner, provider)
    if found is None:
        raise NotFound
    return found


def _listed(offered: Sequence[CalendarChoice], used: Sequence[RemoteCalendar]) -> CalendarListOut:
    by_id = {each.remote_id: each for each in used}
    return CalendarListOut(calendars=[CalendarOut.of(choice, by_id.get(choice.remote_id)) for choice in offered])
