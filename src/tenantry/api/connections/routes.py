"""`/api/v1/connections`: what agents of a member, or of the tenant, may use at calendar providers."""

from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tenantry.api.common import Cursor, Db, EngineResources, Limit, cut_page, require_member
from tenantry.api.connections.owner import Owner, owner_of
from tenantry.api.connections.schemas import (
    AuthorizationIn,
    AuthorizationOut,
    CalDavIn,
    ConnectionOut,
    ConnectionPage,
    DisconnectedOut,
)
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditConnections, CanReadConnections
from tenantry.calendars.choosing import connected
from tenantry.credentials.connections import BasicSecret, ConnectionKey
from tenantry.credentials.consents import LASTS, cookie_name
from tenantry.credentials.oauth import OAuthName
from tenantry.domain.access import Principal
from tenantry.domain.connection import ProviderName, validate_server
from tenantry.domain.errors import (
    CalendarRefused,
    CalendarUnavailable,
    ConnectionBroken,
    FieldError,
    InvalidInput,
    ProviderNotSetUp,
)
from tenantry.settings import Settings
from tenantry.storage.repositories import audit, connections
from tenantry.storage.tenancy import TenantTx

CALLBACK = "/oauth/callback"
router = APIRouter(prefix="/api/v1/connections", tags=["connections"])

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LEFT = {
    "microsoft": "It is removed here. Microsoft has no way to revoke it for you: take this app away under "
    "https://myapps.microsoft.com to end the consent there.",
    "google": "It is removed here, but Google did not say that the consent ended: take this app away under "
    "https://myaccount.google.com/connections.",
    "caldav": "It is removed here; if the password was for this alone, delete it at the server.",
}


@router.get("")
async def list_connections(who: CanReadConnections, db: Db, cursor: Cursor = None, limit: Limit = 50) -> ConnectionPage:
    """The connections that the key can see: a member's own and the tenant's; how they are, and why."""
    async with db.tenant(who.tenant_id) as tx:
        found = await connections.list_page(tx, sees_only=who.sees_only, before=cursor, limit=limit + 1)
    page, next_cursor = cut_page(found, limit, lambda connection: connection.id)
    return ConnectionPage(items=[ConnectionOut.of(each) for each in page], next_cursor=next_cursor)


@router.post("/{provider}/authorization", responses=problems(ProviderNotSetUp))
async def begin_authorization(
    provider: OAuthName,
    body: AuthorizationIn,
    request: Request,
    response: Response,
    who: CanEditConnections,
    db: Db,
    resources: EngineResources,
    owner_member_id: Owner = None,
) -> AuthorizationOut:
    """Begin to connect by OAuth: have the browser keep this answer's cookie and go to `authorization_url`."""
    settings: Settings = request.app.state.runtime.settings
    callback = _callback(request, settings)
    redirect_uri = _redirect_uri(body.redirect_uri, callback)
    owner = owner_of(who, owner_member_id)
    async with db.tenant(who.tenant_id) as tx:
        await _check_owner(tx, owner)
        asked = await resources.connecting.ask(tx, owner, provider, redirect_uri=redirect_uri, asked_by=who.key_id)
        await _record(tx, who, "connection.asked", f"consent:{asked.id}", owner, provider)
    response.set_cookie(
        cookie_name(asked.state),
        asked.session,
        max_age=int(LASTS.total_seconds()),
        path=CALLBACK,
        secure=(callback or "").startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    response.headers["Cache-Control"] = "no-store"
    return AuthorizationOut(authorization_url=asked.authorization_url, expires_at=asked.expires_at)


@router.put("/caldav", responses=problems(ConnectionBroken, CalendarRefused, CalendarUnavailable))
async def connect_caldav(
    body: CalDavIn, who: CanEditConnections, db: Db, resources: EngineResources, owner_member_id: Owner = None
) -> ConnectionOut:
    """Connect a CalDAV server, in the place of the owner's one; the user name and password are tried first."""
    secret = BasicSecret(body.url, body.username, body.password.get_secret_value())
    validate_server(secret.url, secret.username, secret.password)
    owner = owner_of(who, owner_member_id)
    async with db.tenant(who.tenant_id) as tx:
        await _check_owner(tx, owner)
    signed_in = await resources.connecting.try_password(ConnectionKey(who.tenant_id, owner, "caldav"), secret)
    async with db.tenant(who.tenant_id) as tx:
        await _check_owner(tx, owner)
        connection = await resources.connecting.keep(tx, signed_in)
        await connected(tx, connection)
        await _record(tx, who, "connection.connected", f"connection:{connection.id}", owner, "caldav")
    return ConnectionOut.of(connection)


@router.delete("/{provider}")
async def disconnect(
    provider: ProviderName, who: CanEditConnections, db: Db, resources: EngineResources, owner_member_id: Owner = None
) -> DisconnectedOut:
    """Remove a connection, and have the provider take the consent back where it can."""
    owner = owner_of(who, owner_member_id)
    if resources.watching is not None:
        async with db.tenant(who.tenant_id) as tx:
            connection = await connections.find(tx, owner, provider)
        if connection is not None:
            await resources.watching.end_all(who.tenant_id, connection.id)
    async with db.tenant(who.tenant_id) as tx:
        removed = await resources.connecting.remove(tx, ConnectionKey(who.tenant_id, owner, provider))
        await _record(tx, who, "connection.removed", f"connection:{removed.connection_id}", owner, provider)
    revoked = await resources.connecting.revoke(removed)
    return DisconnectedOut(revoked=revoked, detail="The consent has ended." if revoked else _LEFT[provider])


async def _check_owner(tx: TenantTx, owner: UUID | None) -> None:
    if owner is not None:
        await require_member(tx, owner, "owner_member_id")


def _callback(request: Request, settings: Settings) -> str | None:
    """Where this server is come back to: its public address, else the loopback one that it was asked at."""
    if settings.public_url is not None:
        return settings.public_url + CALLBACK
    if request.url.hostname in _LOOPBACK:
        return f"{request.url.scheme}://{request.url.netloc}{CALLBACK}"
    return None


def _redirect_uri(given: str | None, callback: str | None) -> str:
    """Raises InvalidInput for an address that is neither this server's own nor one on the loopback interface."""
    if given is None or given == callback:
        if callback is None:
            raise InvalidInput(
                "This server does not know its own address; give a loopback `redirect_uri`, or have the operator set "
                "TENANTRY_PUBLIC_URL."
            )
        return callback
    try:
        parts = urlsplit(given)
        on_loopback = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port is not None
    except ValueError:
        on_loopback, parts = False, urlsplit("")
    if not on_loopback or parts.username is not None or parts.query or parts.fragment or not given.isprintable():
        fault = FieldError("redirect_uri", "is not on the loopback interface, such as http://127.0.0.1:53120/")
        raise InvalidInput("The consent must come back to this server or to your own machine.", errors=[fault])
    return given


async def _record(
    tx: TenantTx, who: Principal, action: str, target: str, owner: UUID | None, provider: ProviderName
) -> None:
    details = {"provider": provider, "owner": str(owner) if owner else None}
    await audit.record(tx, actor=who.actor, action=action, target=target, details=details)
