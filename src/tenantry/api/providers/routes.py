"""`/api/v1/providers`."""

from uuid import UUID

from fastapi import APIRouter, status

from tenantry.api.common import Db, EngineResources
from tenantry.api.problems import problems
from tenantry.api.providers.schemas import ProviderIn, ProviderList, ProviderOut
from tenantry.auth.principals import CanEditProviders, CanReadProviders
from tenantry.credentials.provider_keys import ProviderKeys
from tenantry.domain.access import Principal
from tenantry.domain.errors import Conflict, Forbidden, NotFound
from tenantry.storage.repositories import audit, providers
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/providers", tags=["providers"])


@router.get("")
async def list_providers(who: CanReadProviders, db: Db) -> ProviderList:
    """The tenant's own providers of language models."""
    async with db.tenant(who.tenant_id) as tx:
        found = await providers.list_all(tx)
    return ProviderList(items=[ProviderOut.of(each.provider, whole=who.whole_tenant) for each in found])


@router.post("", status_code=status.HTTP_201_CREATED, responses=problems(Conflict))
async def create_provider(body: ProviderIn, who: CanEditProviders, db: Db, resources: EngineResources) -> ProviderOut:
    """Add a provider; its models can be used at once."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        provider = await ProviderKeys(resources.vault).create(tx, body.settings(), body.key())
        await _record(tx, who, "provider.created", provider.id)
    return ProviderOut.of(provider, whole=True)


@router.get("/{provider_id}")
async def read_provider(provider_id: UUID, who: CanReadProviders, db: Db) -> ProviderOut:
    """One provider."""
    async with db.tenant(who.tenant_id) as tx:
        found = await providers.get(tx, provider_id)
    if found is None:
        raise NotFound
    return ProviderOut.of(found.provider, whole=who.whole_tenant)


@router.put("/{provider_id}", responses=problems(Conflict))
async def replace_provider(
    provider_id: UUID, body: ProviderIn, who: CanEditProviders, db: Db, resources: EngineResources
) -> ProviderOut:
    """Replace a provider's settings; its next request is made with them, on every server."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        provider = await ProviderKeys(resources.vault).replace(tx, provider_id, body.settings(), body.key())
        await _record(tx, who, "provider.changed", provider_id)
    return ProviderOut.of(provider, whole=True)


@router.delete("/{provider_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_provider(provider_id: UUID, who: CanEditProviders, db: Db) -> None:
    """Remove a provider and its key."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        if not await providers.delete(tx, provider_id):
            raise NotFound
        await _record(tx, who, "provider.deleted", provider_id)


def _require_whole_tenant(who: Principal) -> None:
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins may change its providers.")


async def _record(tx: TenantTx, who: Principal, action: str, provider_id: UUID) -> None:
    await audit.record(tx, actor=who.actor, action=action, target=f"provider:{provider_id}")
