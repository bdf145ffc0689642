"""Tenants' providers with their keys, sealed on the way in and opened for the models alone."""

from uuid import UUID

from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.errors import FieldError, InvalidInput, NotFound
from tenantry.domain.ids import new_id
from tenantry.domain.provider import (
    Provider,
    ProviderSettings,
    key_hint,
    same_origin,
    validate_key,
    validate_provider,
)
from tenantry.storage.repositories import providers
from tenantry.storage.repositories.providers import SealedKey, StoredProvider
from tenantry.storage.tenancy import TenantTx


class ProviderKeys:
    """Writes providers, and opens their keys."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def create(self, tx: TenantTx, settings: ProviderSettings, api_key: str | None) -> Provider:
        """A new provider; an empty key is none. Raises InvalidInput and Conflict."""
        validate_provider(settings)
        provider_id = new_id()
        return await providers.create(tx, provider_id, settings, self._sealed(tx.tenant_id, provider_id, api_key))

    async def replace(
        self, tx: TenantTx, provider_id: UUID, settings: ProviderSettings, api_key: str | None
    ) -> Provider:
        """Put other settings in the place of a provider's. A key that is None stays as it is, an empty one is taken
        away. Raises NotFound, InvalidInput and Conflict."""
        validate_provider(settings)
        stored = await providers.lock(tx, provider_id)
        if stored is None:
            raise NotFound
        elsewhere = not same_origin(stored.provider.settings.base_url, settings.base_url)
        if api_key is None and stored.provider.key_set and elsewhere:
            # A key that nobody may read must not be sent to a place that somebody just chose.
            fault = FieldError("api_key", "must be given again when `base_url` leads to another server")
            raise InvalidInput("The provider's key is only sent to where it was given for.", errors=[fault])
        sealed = self._sealed(tx.tenant_id, provider_id, api_key)
        provider = await providers.replace(tx, provider_id, settings, sealed, keep_key=api_key is None)
        if provider is None:
            raise NotFound
        return provider

    def key_of(self, stored: StoredProvider) -> str:
        """The provider's key, empty when it has none. Raises SealedValueUnreadable."""
        if stored.sealed_key is None:
            return ""
        return self._vault.open(_binding(stored.provider.tenant_id, stored.provider.id), stored.sealed_key).decode()

    def _sealed(self, tenant_id: UUID, provider_id: UUID, api_key: str | None) -> SealedKey | None:
        if not api_key:
            return None
        validate_key(api_key)
        sealed = self._vault.seal(_binding(tenant_id, provider_id), api_key.encode())
        return SealedKey(sealed, key_hint(api_key))


def _binding(tenant_id: UUID, provider_id: UUID) -> Binding:
    return Binding(tenant_id, None, "provider", provider_id)
