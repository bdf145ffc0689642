"""From an API key to who holds it."""

from uuid import UUID

from tenantry.auth.api_keys import hash_key, tenant_of
from tenantry.domain.access import Principal
from tenantry.domain.errors import Unauthenticated
from tenantry.storage.repositories import api_keys
from tenantry.storage.tenancy import Database, TenantTx


async def authenticate(db: Database, key: str) -> Principal:
    """Whoever holds the key. Raises Unauthenticated when it is unknown or revoked."""
    async with db.tenant(claimed_tenant(key)) as tx:
        return await identify(tx, key)


def claimed_tenant(key: str) -> UUID:
    """The tenant under which the key is to be looked up. Raises Unauthenticated when it has not the form of a key."""
    tenant_id = tenant_of(key)
    if tenant_id is None:
        raise Unauthenticated
    return tenant_id


async def identify(tx: TenantTx, key: str) -> Principal:
    """Whoever holds the key, in a transaction of the tenant that it claims. Raises Unauthenticated when it is unknown
    or revoked."""
    principal = await api_keys.principal_of(tx, hash_key(key))
    if principal is None:
        raise Unauthenticated
    return principal
