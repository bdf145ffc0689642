"""From a request's Authorization header to who asks; permission is visible in a handler's signature."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from tenantry.auth.identity import authenticate
from tenantry.domain.access import Principal, Scope
from tenantry.domain.errors import Unauthenticated


def bearer_key(request: Request) -> str:
    """The key that a request was sent with. Raises Unauthenticated when there is none."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key:
        raise Unauthenticated
    return key


SCHEME = "HTTPBearer"


class _Authenticated(HTTPBearer):
    """A dependency that stands for itself in the API's description: who asks, with the scope that is needed.
    One for all steps, since every further dependency of a route costs each request time."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            scheme_name=SCHEME,
            description="An API key: `tnt_…`, of the tenant or of one member.",
            auto_error=False,
        )
        self._scope = scope

    async def __call__(self, request: Request) -> Principal:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Raises Unauthenticated, and Forbidden without the scope."""
        principal = await authenticate(request.app.state.runtime.db, bearer_key(request))
        principal.require(self._scope)
        return principal


def _with_scope(scope: Scope) -> _Authenticated:
    return _Authenticated(scope)


CanReply = Annotated[Principal, Depends(_with_scope(Scope.REPLY))]
CanReadAgents = Annotated[Principal, Depends(_with_scope(Scope.AGENTS_READ))]
CanEditAgents = Annotated[Principal, Depends(_with_scope(Scope.AGENTS_WRITE))]
CanReadConversations = Annotated[Principal, Depends(_with_scope(Scope.CONVERSATIONS_READ))]
CanReadCalendar = Annotated[Principal, Depends(_with_scope(Scope.CALENDAR_READ))]
CanEditCalendar = Annotated[Principal, Depends(_with_scope(Scope.CALENDAR_WRITE))]
CanReadProviders = Annotated[Principal, Depends(_with_scope(Scope.PROVIDERS_READ))]
CanEditProviders = Annotated[Principal, Depends(_with_scope(Scope.PROVIDERS_WRITE))]
CanReadSecrets = Annotated[Principal, Depends(_with_scope(Scope.SECRETS_READ))]
CanEditSecrets = Annotated[Principal, Depends(_with_scope(Scope.SECRETS_WRITE))]
CanReadConnections = Annotated[Principal, Depends(_with_scope(Scope.CONNECTIONS_READ))]
CanEditConnections = Annotated[Principal, Depends(_with_scope(Scope.CONNECTIONS_WRITE))]
CanReadUsage = Annotated[Principal, Depends(_with_scope(Scope.USAGE_READ))]
CanReadAudit = Annotated[Principal, Depends(_with_scope(Scope.AUDIT_READ))]
CanSetLimits = Annotated[Principal, Depends(_with_scope(Scope.LIMITS_WRITE))]
CanReadContacts = Annotated[Principal, Depends(_with_scope(Scope.CONTACTS_READ))]
CanEditContacts = Annotated[Principal, Depends(_with_scope(Scope.CONTACTS_WRITE))]
CanReadSites = Annotated[Principal, Depends(_with_scope(Scope.SITES_READ))]
CanEditSites = Annotated[Principal, Depends(_with_scope(Scope.SITES_WRITE))]
CanExport = Annotated[Principal, Depends(_with_scope(Scope.TENANT_EXPORT))]
