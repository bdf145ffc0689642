"""`/oauth/callback`: where a browser comes back to from a provider's consent."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tenantry.api.common import Db, EngineResources
from tenantry.api.connections.page import page
from tenantry.api.problems import problem, problems
from tenantry.calendars.choosing import connected
from tenantry.credentials.consents import TakenConsent, cookie_name, tenant_of
from tenantry.domain.access import Principal, Scope
from tenantry.domain.connection import Connection
from tenantry.domain.errors import (
    CalendarRefused,
    CalendarUnavailable,
    ConnectionBroken,
    ConsentInvalid,
    DatabaseUnavailable,
    Forbidden,
    ProviderNotSetUp,
    TenantryError,
)
from tenantry.engine.resources import Resources
from tenantry.storage.repositories import api_keys, audit, tenants
from tenantry.storage.tenancy import Database, TenantTx

router = APIRouter(tags=["connections"])

_PROBLEMS = problems(
    ConsentInvalid,
    ConnectionBroken,
    CalendarRefused,
    CalendarUnavailable,
    DatabaseUnavailable,
    Forbidden,
    ProviderNotSetUp,
)
Parameter = Annotated[str, Query(max_length=4096)]


@router.get("/oauth/callback", responses={200: {"content": {"text/html": {}}}, **_PROBLEMS}, response_class=Response)
async def come_back(
    request: Request,
    db: Db,
    resources: EngineResources,
    state: Parameter = "",
    code: Parameter = "",
    error: Parameter = "",
) -> Response:
    """Finish connecting. No key is needed: a provider sends the browser here, which has none. What stands for it is the
    cookie that only the session has which asked for this consent."""
    try:
        connection = await _finish(db, resources, state, request.cookies.get(cookie_name(state), ""), code, error)
    except TenantryError as failed:
        if "text/html" not in request.headers.get("accept", ""):
            return problem(failed)
        answer = page("Not connected", failed.detail, failed.status)
    else:
        account = f" as {connection.account}" if connection.account else ""
        answer = page("Connected", f"{connection.provider}{account} is connected; you can close this window.", 200)
    answer.delete_cookie(cookie_name(state), path="/oauth/callback")
    return answer


async def _finish(db: Database, resources: Resources, state: str, session: str, code: str, error: str) -> Connection:
    tenant_id = tenant_of(state)
    if tenant_id is None or not session:
        raise ConsentInvalid
    async with db.tenant(tenant_id) as tx:
        taken = await resources.connecting.take(tx, state, session)
    if error or not code:
        raise ConsentInvalid("The consent was not given at the provider; start connecting again to give it.")
    async with db.tenant(tenant_id) as tx:
        await _check_asker(tx, taken)
    signed_in = await resources.connecting.sign_in(taken, code)
    async with db.tenant(tenant_id) as tx:
        who = await _check_asker(tx, taken)
        connection = await resources.connecting.keep(tx, signed_in)
        await connected(tx, connection)
        owner = taken.key.owner_member_id
        details = {"provider": connection.provider, "owner": str(owner) if owner else None}
        target = f"connection:{connection.id}"
        await audit.record(tx, actor=who.actor, action="connection.connected", target=target, details=details)
    return connection


async def _check_asker(tx: TenantTx, taken: TakenConsent) -> Principal:
    """Who asked may still do so. Raises Forbidden when the key, the membership or the role has gone meanwhile."""
    who = await api_keys.holder_of(tx, taken.asked_by)
    owner = taken.key.owner_member_id
    if who is None or Scope.CONNECTIONS_WRITE not in who.scopes or not who.may_change(owner):
        raise Forbidden("Whoever asked for this consent may not connect any more.")
    if owner is not None and await tenants.member_by_id(tx, owner) is None:
        raise Forbidden("The member whom this consent is for is none of this tenant any more.")
    return who
