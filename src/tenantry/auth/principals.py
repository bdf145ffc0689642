"""From a request's Authorization header to who asks; permission is visible in a handler's signature."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tenantry.auth.api_keys import hash_key, tenant_of
from tenantry.domain.access import Principal, Scope
from tenantry.domain.errors import Unauthenticated
from tenantry.storage.repositories import api_keys
from tenantry.storage.tenancy import Database

_bearer = HTTPBearer(auto_error=False, description="An API key: `tnt_…`, of the tenant or of one member.")


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


async def _principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    if credentials is None:
        raise Unauthenticated
    return await authenticate(request.app.state.runtime.db, credentials.credentials)


def _with_scope(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    async def check(principal: Annotated[Principal, Depends(_principal)]) -> Principal:
        principal.require(scope)
        return principal

    return check


Anyone = Annotated[Principal, Depends(_principal)]
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
