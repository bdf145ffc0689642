"""Secrets that calls to services are sent with: a member's own, or the tenant's."""

from dataclasses import dataclass
from uuid import UUID

import structlog

from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.errors import SealedValueUnreadable
from tenantry.domain.ids import new_id
from tenantry.domain.provider import SecretName, validate_secret
from tenantry.storage.repositories import secrets
from tenantry.storage.repositories.secrets import StoredSecret
from tenantry.storage.tenancy import Database, TenantTx

log = structlog.get_logger()


def _binding(tenant_id: UUID, owner_member_id: UUID | None, secret_id: UUID) -> Binding:
    return Binding(tenant_id, owner_member_id, "secret", secret_id)


def open_secret(vault: Vault, tenant_id: UUID, stored: StoredSecret) -> str:
    """The value of a secret of the tenant. Raises SealedValueUnreadable."""
    return vault.open(_binding(tenant_id, stored.owner_member_id, stored.id), stored.sealed).decode()


@dataclass(frozen=True, slots=True)
class OwnerSecrets:
    """What the calls of one owner may be sent with; `owner_member_id` None means the tenant itself."""

    db: Database
    vault: Vault
    tenant_id: UUID
    owner_member_id: UUID | None

    async def reveal(self, name: str) -> str | None:
        """The secret of that name, the owner's own before the tenant's; None when there is none that can be opened.

        Raises DatabaseUnavailable.
        """
        async with self.db.tenant(self.tenant_id) as tx:
            found = await secrets.find(tx, name, self.owner_member_id)
        if found is None:
            return None
        try:
            return open_secret(self.vault, self.tenant_id, found)
        except SealedValueUnreadable:
            log.error("sealed value unreadable", tenant_id=str(self.tenant_id), secret_id=str(found.id))
            return None


class SecretStore:
    """All secrets of the installation, by their owner."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    def of(self, tenant_id: UUID, owner_member_id: UUID | None) -> OwnerSecrets:
        """What the calls of this owner may be sent with."""
        return OwnerSecrets(self._db, self._vault, tenant_id, owner_member_id)

    async def put(self, tx: TenantTx, owner_member_id: UUID | None, name: str, value: str) -> SecretName:
        """Seal and keep a secret, in the place of the one with its name. Raises InvalidInput."""
        validate_secret(name, value)
        secret_id = await secrets.lock_id(tx, owner_member_id, name) or new_id()
        sealed = self._vault.seal(_binding(tx.tenant_id, owner_member_id, secret_id), value.encode())
        return await secrets.put(tx, secret_id, owner_member_id, name, sealed)
