"""From a request's Authorization header to who asks; permission is visible in a handler's signature."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from tenantry.auth.api_keys import hash_key, tenant_of
from tenantry.domain.access import Principal, Scope
from tenantry.domain.errors import Unauthenticated
from tenantry.storage.repositories import api_keys
from tenantry.storage.tenancy import Database


async def authenticate(db: Database, key: str) -> Principal:
    """Whoever holds the key. Raises Unauthenticated when it is unknown or revoked."""
    tenant_id = tenant_of(key)
    if tenant_id is None:
        raise Unauthenticated
    async with db.tenant(tenant_id) as tx:
        principal = await api_keys.principal_of(tx, hash_key(key))
    if principal is None:
        raise Unauthenticated
    return principal


class _Authenticated(HTTPBearer):
    """A dependency that stands for itself in the API's description: who asks, with the scope where one is needed.
    One for all steps, since every further dependency of a route costs each request time."""

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__(
            scheme_name="HTTPBearer",
            description="An API key: `tnt_…`, of the tenant or of one member.",
            auto_error=False,
        )
        self._scope = scope

    async def __call__(self, request: Request) -> Principal:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Raises Unauthenticated, and Forbidden without the scope."""
        credentials = await super().__call__(request)
        if credentials is None:
            raise Unauthenticated
        principal = await authenticate(request.app.state.runtime.db, credentials.credentials)
        if self._scope is not None:
            principal.require(self._scope)
        return principal


def _with_scope(scope: Scope) -> _Authenticated:
    return _Authenticated(scope)


Anyone = Annotated[Principal, Depends(_Authenticated())]
CanReply = Annotated[Principal, Depends(_with_scope(Scope.REPLY))]
CanReadAgents = Annotated[Principal, Depends(_with_scope(Scope.AGENTS_READ))]
CanEditAgents = Annotated[Principal, Depends(_with_scope(Scope.AGENTS_WRITE))]
CanReadConversations = Annotated[Principal, Depends(_with_scope(Scope.CONVERSATIONS_READ))]
CanReadCalendar = Annotated[Principal, Depends(_with_scope(Scope.CALENDAR_READ))]
CanReadProviders = Annotated[Principal, Depends(_with_scope(Scope.PROVIDERS_READ))]
CanEditProviders = Annotated[Principal, Depends(_with_scope(Scope.PROVIDERS_WRITE))]
CanReadSecrets = Annotated[Principal, Depends(_with_scope(Scope.SECRETS_READ))]
CanEditSecrets = Annotated[Principal, Depends(_with_scope(Scope.SECRETS_WRITE))]
CanReadUsage = Annotated[Principal, Depends(_with_scope(Scope.USAGE_READ))]
CanSetLimits = Annotated[Principal, Depends(_with_scope(Scope.LIMITS_WRITE))]
