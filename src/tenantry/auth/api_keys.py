"""The form of API keys: `tnt_`, then a secret of the tenant."""

from uuid import UUID

from tenantry.auth.tenant_secrets import claimed_tenant, hash_secret, make_secret

_PREFIX = "tnt_"


def make_key(tenant_id: UUID) -> str:
    """A fresh key of the tenant, with 208 random bits."""
    return _PREFIX + make_secret(tenant_id)


def tenant_of(key: str) -> UUID | None:
    """The tenant that the key claims to be of, or None when it has not the form of a key."""
    return claimed_tenant(key.removeprefix(_PREFIX)) if key.startswith(_PREFIX) else None


def hash_key(key: str) -> bytes:
    """What is stored of a key."""
    return hash_secret(key)
